#!/usr/bin/env bash
# Prints the folder of a CUDA toolkit that compiles, made from NVIDIA's packages on PyPI (requirements.txt) and kept in
# the cache: CUDA_HOME for AIGW_CUDA=1, where no toolkit is installed and no image with one can be fetched.
# CUDA_HOME=DIR uses a toolkit of your own: nothing is fetched then.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../tools.sh"
if [ -n "${CUDA_HOME:-}" ]; then
	[ -x "$CUDA_HOME/bin/nvcc" ] || die "CUDA_HOME=$CUDA_HOME holds no bin/nvcc; point it at a CUDA toolkit, or unset it to have one fetched"
	cd "$CUDA_HOME" && pwd
	exit 0
fi
[ "$(uname -m)" = x86_64 ] || die "the packages of requirements.txt are for x86-64; install a CUDA toolkit and set CUDA_HOME"

dir=$AIGW_CACHE/cuda/$(sha256sum "$here/requirements.txt" | cut -c1-12)
home=$dir/nvidia/cu13
if [ ! -f "$dir/.complete" ]; then
	need python3=python3 pip3=python3-pip flock=util-linux
	need_certificates
	mkdir -p "$AIGW_CACHE/cuda"
	lock "$AIGW_CACHE/cuda/.lock"
	if [ ! -f "$dir/.complete" ]; then
		say "fetching a CUDA toolkit (PyPI, 570 MB)"
		rm -rf "$dir" "$dir.part"
		pip3 install -q --no-cache-dir --disable-pip-version-check --no-deps --only-binary :all: --require-hashes --root-user-action ignore \
			--target "$dir.part" -r "$here/requirements.txt" ||
			die "pip could not fetch the CUDA toolkit; without a network install one and set CUDA_HOME"
		# CMake and linkers look for lib64 and for names without a version.
		part=$dir.part/nvidia/cu13
		ln -s lib "$part/lib64"
		for file in "$part"/lib/*.so.*; do
			link=${file%%.so.*}.so
			[ -e "$link" ] || ln -s "$(basename "$file")" "$link"
		done
		chmod +x "$part"/bin/* "$part"/nvvm/bin/*
		mv "$dir.part" "$dir"
		touch "$dir/.complete"
	fi
fi
[ -x "$home/bin/nvcc" ] || die "$home holds no bin/nvcc; delete $dir and try again"
printf '%s\n' "$home"
