#!/usr/bin/env bash
# Prints a folder with the tokenizers of Mistral AI (SentencePiece models v1, v2, v3), which tests
# build their vocabularies from. They come from the wheel of mistral-common, which is fetched into
# the cache first if it is not there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../third_party/tools.sh"

PACKAGE=mistral-common
VERSION=1.13.1
WHEEL=mistral_common-1.13.1-py3-none-any.whl
WHEEL_SHA256=98b4d0755b8d90bf4691fa8f1b70cb3b4a8cd4dc1653c4ed08ef3d1c7d2c29af

folder=$AIGW_CACHE/tokenizers/$PACKAGE-$VERSION
if [ ! -f "$folder/.complete" ]; then
	need python3=python3 pip3=python3-pip flock=util-linux
	need_certificates
	mkdir -p "$AIGW_CACHE/tokenizers" "$AIGW_CACHE/download"
	lock "$AIGW_CACHE/tokenizers/.lock"
	if [ ! -f "$folder/.complete" ]; then
		wheel=$AIGW_CACHE/download/$WHEEL
		if ! check "$wheel" "$WHEEL_SHA256"; then
			say "fetching the tokenizers of Mistral AI (PyPI wheel $PACKAGE $VERSION, 7 MB)"
			pip3 download -q --no-cache-dir --disable-pip-version-check --no-deps -d "$AIGW_CACHE/download" "$PACKAGE==$VERSION" ||
				die "pip could not fetch $PACKAGE==$VERSION"
			check "$wheel" "$WHEEL_SHA256" || die "$wheel is not the pinned file (SHA-256 differs); delete it and try again"
		fi
		rm -rf "$folder" && mkdir -p "$folder"
		python3 - "$wheel" "$folder" <<-'PYTHON'
			import os, sys, zipfile
			names = {
			    "tokenizer.model.v1": "v1.model",
			    "mistral_instruct_tokenizer_240216.model.v2": "v2.model",
			    "mistral_instruct_tokenizer_240323.model.v3": "v3.model",
			}
			with zipfile.ZipFile(sys.argv[1]) as wheel:
			    for source, target in names.items():
			        with open(os.path.join(sys.argv[2], target), "wb") as out:
			            out.write(wheel.read("mistral_common/data/" + source))
		PYTHON
		touch "$folder/.complete"
		rm -f "$wheel"
	fi
fi
printf '%s\n' "$folder"
