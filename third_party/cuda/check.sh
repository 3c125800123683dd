#!/usr/bin/env bash
# Configures ggml's CUDA back end with the toolkit of toolkit.sh and compiles a few of its 143 units for one architecture,
# which takes minutes; all of them take most of an hour on two cores. Nothing is linked or run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../tools.sh"
need cmake=cmake ninja=ninja-build g++=g++ objdump=binutils
CUDA_HOME=$("$here/toolkit.sh")
export CUDA_HOME
src=$("$here/../llama.cpp/fetch.sh")
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
cmake -S "$src" -B "$build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$here/ggml.cmake" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON \
	-DGGML_BACKEND_DL=ON -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
	-DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF \
	-DGGML_CUDA=ON -DCMAKE_CUDA_COMPILER="$CUDA_HOME/bin/nvcc" -DCMAKE_CUDA_ARCHITECTURES="${AIGW_CUDA_ARCH:-80}" >"$build/configure.log" 2>&1 ||
	{ tail -n 25 "$build/configure.log" >&2; die "cmake could not configure the CUDA back end"; }
# Kernels that every model needs, and the back end itself.
units=()
for unit in scale norm rope softmax ggml-cuda; do units+=("ggml/src/ggml-cuda/CMakeFiles/ggml-cuda.dir/$unit.cu.o"); done
started=$SECONDS
cmake --build "$build" --parallel "${AIGW_JOBS:-$(nproc)}" --target "${units[@]}" >"$build/build.log" 2>&1 ||
	{ tail -n 25 "$build/build.log" >&2; die "the CUDA back end does not compile"; }
for unit in "${units[@]}"; do
	sections=$(objdump -h "$build/$unit")
	grep -q nv_fatbin <<<"$sections" || die "$unit holds no code for a GPU"
done
say "compiled ${#units[@]} units of the CUDA back end in $((SECONDS - started)) s, with $(du -sh "$CUDA_HOME" | cut -f1) of toolkit"
