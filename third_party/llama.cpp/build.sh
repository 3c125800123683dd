#!/usr/bin/env bash
# Builds llama.cpp for the binding in engine/llama and links the result to out/ beside this script.
#
#   build.sh static   static libllama and ggml, tuned to this machine's CPU (default)
#   build.sh dl       shared libllama, ggml's back ends as plug-ins chosen at run time (images)
#   build.sh peers    llama-server, llama-bench and llama-tokenize with the flags of "static",
#                     into bin/, for benchmarks and comparisons only
#   build.sh released the same three from the release as it is, without patches/, into bin/released/: what
#                     somebody who does not use aigw has
#
# AIGW_CACHE=DIR       where downloads and builds are kept (default: the user's cache folder)
# AIGW_CUDA=1          adds the CUDA back end; needs the CUDA toolkit
# AIGW_CUDA_ARCH=LIST  CUDA architectures, for example 90 (default: this machine's, or ggml's list for "dl")
# AIGW_AMX=1           lets ggml use AMX. Off by default: some virtual machines advertise AMX and
#                      fault on it, which kills the process inside ggml_backend_amx_mul_mat.
# AIGW_ARCH=amd64|arm64  "dl" only: for another kind of machine than this one, with Debian's cross compilers
# AIGW_CPU_VARIANTS=L  "dl" only: names of CPU variants, for example "sse42 haswell" (default: all)
# AIGW_JOBS=N          parallel compilers (default: all cores)
# LLAMA_CPP_SRC=DIR    sources of your own
#
# A finished build is found again by a key made of everything that can change it: the scripts,
# the flags, the sources, the compiler and, for CPU-tuned builds, the CPU.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/../tools.sh"
. "$here/../target.sh"
. "$here/pin.env"

what=${1:-static}
case $what in
static | dl) flavour=$what ;;
peers | released) flavour=static ;;
*) die "usage: build.sh static|dl|peers|released" ;;
esac
[ "$flavour" = dl ] || [ -z "$cross" ] ||
	die "AIGW_ARCH=$AIGW_ARCH: \"$what\" is tuned to this machine; for another one build \"dl\", or make tree ARCH=$AIGW_ARCH"
no_amx=
[ "$machine" != x86_64 ] || [ "${AIGW_AMX:-0}" = 1 ] || no_amx="-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"

flags=(
	-DCMAKE_BUILD_TYPE=Release
	-DLLAMA_BUILD_IS_DEV=OFF
	-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF
	-DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF
	# OpenMP spins and suffers from any busy core; ggml's own pool is what the engine attaches.
	-DGGML_OPENMP=OFF
	-DGGML_CCACHE=OFF
	# For models that one machine does not hold. Its sockets are ours (patches/rpc.patch), so no InfiniBand beside them.
	-DGGML_RPC=ON -DGGML_RPC_RDMA=OFF
	# gcc keeps -mno-amx-* whatever -march=native says.
	"-DCMAKE_C_FLAGS=$no_amx" "-DCMAKE_CXX_FLAGS=$no_amx"
)
if [ "$flavour" = static ]; then
	flags+=(-DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=ON)
	tuned_to="$machine $(grep -m1 -E '^(flags|Features)' /proc/cpuinfo | tr ' ' '\n' | sort | sha256sum | cut -c1-16)"
else
	flags+=(-DBUILD_SHARED_LIBS=ON -DGGML_BACKEND_DL=ON -DGGML_NATIVE=OFF -DGGML_CPU_ALL_VARIANTS=ON
		-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON "-DCMAKE_INSTALL_RPATH=\$ORIGIN")
	[ -z "$cross" ] || flags+=(-DCMAKE_SYSTEM_NAME=Linux "-DCMAKE_SYSTEM_PROCESSOR=$machine" "-DCMAKE_C_COMPILER=${cross}gcc" "-DCMAKE_CXX_COMPILER=${cross}g++")
	tuned_to="$machine ${AIGW_CPU_VARIANTS:-all}"
fi
if [ "${AIGW_CUDA:-0}" = 1 ]; then
	[ -z "$cross" ] || die "AIGW_CUDA=1 builds only for the kind of machine that builds; there is no CUDA toolkit for $AIGW_ARCH here"
	nvcc=$(command -v nvcc || ls "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" 2>/dev/null || true)
	[ -n "$nvcc" ] ||
		die "AIGW_CUDA=1 needs the CUDA toolkit: no nvcc in PATH or ${CUDA_HOME:-/usr/local/cuda}/bin. Install it, set CUDA_HOME, or build without AIGW_CUDA for the CPU"
	toolkit=$(cd "$(dirname "$(readlink -f "$nvcc")")/.." && pwd)
	for part in cuda_runtime.h cublas_v2.h; do
		[ -n "$(find "$toolkit/include" "$toolkit"/targets/*/include /usr/include -maxdepth 1 -name $part -print -quit 2>/dev/null)" ] ||
			die "AIGW_CUDA=1: $nvcc is there, but $part is not; install the CUDA runtime and cuBLAS development packages of the same release"
	done
	flags+=(-DGGML_CUDA=ON "-DCMAKE_CUDA_COMPILER=$nvcc")
	[ -z "${AIGW_CUDA_ARCH:-}" ] || flags+=("-DCMAKE_CUDA_ARCHITECTURES=$AIGW_CUDA_ARCH")
fi

fetch=("$here/fetch.sh") patches=("$here"/patches/*.patch) name=$flavour
if [ "$what" = released ]; then
	fetch+=(released) patches=() name=released
fi

need_target g++
need flock=util-linux
# Sources of one's own may change without a commit: names, sizes and times stand for them then.
if [ -n "${LLAMA_CPP_SRC:-}" ]; then
	src=$("${fetch[@]}")
	source_id=$(cd "$src" && find . \( -name .git -o -name 'build*' -type d \) -prune -o -type f -printf '%p %s %T@\n' | sort | sha256sum)
else
	source_id=$LLAMA_COMMIT
fi
key=$({
	printf '%s\n' "$source_id" "${flags[@]}" "$tuned_to" "$("${cross}g++" --version | head -n1)"
	cat "$here/build.sh" "$here/variants.cmake" "${patches[@]}"
} | sha256sum | cut -c1-12)
dir=$AIGW_CACHE/llama.cpp/$name-$key
mkdir -p "$dir" "$here/out"
lock "$dir/.lock"

# configure: makes the build folder; the log is shown when it fails.
configure() {
	need cmake=cmake ninja=ninja-build git=git objdump=binutils
	src=$("${fetch[@]}")
	[ ! -f "$dir/build/build.ninja" ] || return 0
	# The build folder outlives this clone, so it gets a copy.
	cp "$here/variants.cmake" "$dir/"
	[ "$flavour" != dl ] || flags+=("-DCMAKE_PROJECT_ggml_INCLUDE=$dir/variants.cmake")
	cmake -S "$src" -B "$dir/build" -G Ninja "${flags[@]}" >"$dir/configure.log" 2>&1 ||
		{ tail -n 25 "$dir/configure.log" >&2; die "cmake could not configure llama.cpp; see $dir/configure.log"; }
}

# compile TARGET...
compile() {
	local started=$SECONDS
	cmake --build "$dir/build" --parallel "${AIGW_JOBS:-$(nproc)}" --target "$@" >"$dir/build.log" 2>&1 ||
		{ grep -E -A5 'error|FAILED' "$dir/build.log" | tail -n 25 >&2; die "llama.cpp did not build; see $dir/build.log"; }
	say "built $* in $((SECONDS - started)) s"
}

# cpu_variants: the targets of the CPU variants that were asked for, of those that ggml has here.
# Without AMX sapphirerapids would only repeat zen4, which has the same AVX-512 features, and would
# still be preferred on exactly the machines in question: it is left out.
cpu_variants() {
	local has name
	has=$(sed -n 's/^GGML_AVAILABLE_BACKENDS:INTERNAL=//p' "$dir/build/CMakeCache.txt" | tr ';' '\n' | sed -n 's/^ggml-cpu-//p')
	[ -n "$has" ] || die "ggml configured no CPU variants; see $dir/configure.log"
	[ -z "$no_amx" ] || has=$(grep -vx sapphirerapids <<<"$has")
	# GCC 12 cannot compile SME, which these two variants have.
	[ "$machine" != aarch64 ] || "${cross}g++" -march=armv9.2-a+sme -x c++ -E - </dev/null >/dev/null 2>&1 || has=$(grep -v '^armv9\.2' <<<"$has")
	for name in ${AIGW_CPU_VARIANTS:-$has}; do
		grep -qx -- "$name" <<<"$has" || die "AIGW_CPU_VARIANTS: no variant $name here; there are: ${has//$'\n'/ }"
		echo "ggml-cpu-$name"
	done
}

# without_amx FILE...: the proof behind the AMX switch: not one tile instruction may be left. All of them are
# counted: a grep that stops at the first one would end objdump, which fails the pipe.
without_amx() {
	local file found
	for file in "$@"; do
		found=$(objdump -d --no-show-raw-insn "$file" | grep -c -E '\s(ldtilecfg|tdpb|tileload)' || true)
		[ "$found" = 0 ] || die "$(basename "$file") holds $found AMX instructions although they were switched off"
	done
}

# peers DIR: llama.cpp's own programs, into DIR.
peers() {
	local programs=(llama-server llama-bench llama-tokenize)
	if [ ! -f "$dir/.peers" ]; then
		configure
		compile "${programs[@]}"
		touch "$dir/.peers"
	fi
	mkdir -p "$1"
	install -C "${programs[@]/#/$dir/build/bin/}" "$1/"
}

if [ "$what" = released ]; then # nothing of it is linked to the binding
	peers "$root/bin/released"
	exit 0
fi

if [ ! -f "$dir/.complete" ]; then
	say "building llama.cpp v$LLAMA_VERSION ($flavour, log: $dir/build.log); this takes 2 to 8 minutes on two cores"
	configure
	rm -rf "${dir:?}/lib" "$dir/include"
	mkdir -p "$dir/lib" "$dir/include"
	if [ "$flavour" = static ]; then
		compile llama ggml
		find "$dir/build" -name 'lib*.a' -exec cp {} "$dir/lib/" \;
		# The registry in libggml.a names this back end, so whoever links the one needs the other.
		(cd "$dir/lib" && printf '%s\n' "OPEN libggml.a" "ADDLIB libggml-rpc.a" SAVE END | ar -M && rm libggml-rpc.a)
	else
		variants=$(cpu_variants)
		# shellcheck disable=SC2086 # one word per target
		compile llama ggml $variants
		cp -a "$dir"/build/bin/lib*.so* "$dir/lib/"
	fi
	[ -z "$no_amx" ] || without_amx "$dir"/lib/libggml-cpu*
	cp "$src"/include/*.h "$src"/ggml/include/*.h "$dir/include/"
	cp "$src/LICENSE" "$dir/LICENSE"
	touch "$dir/.complete"
fi

[ "$what" != peers ] || peers "$root/bin"

ln -sfn "$dir" "$here/out/$flavour"
# Go's build cache does not look into libraries. This source is compiled with the binding, so that an
# object with another text in it makes `go build` and `go test` link again when llama.cpp changed.
mark=$root/engine/llama/llama_build_$flavour.cpp
tag=$([ "$flavour" = dl ] && echo llama_dl || echo '!llama_dl')
text="//go:build $tag

__attribute__((used)) static const char llama_build[] = \"llama.cpp $LLAMA_VERSION, $flavour build $key\";"
mkdir -p "$(dirname "$mark")"
[ "$(cat "$mark" 2>/dev/null)" = "$text" ] || printf '%s\n' "$text" >"$mark"
