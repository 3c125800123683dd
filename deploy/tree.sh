#!/usr/bin/env bash
# tree.sh FOLDER: makes the tree of a release there, the same for archive, package, image and bundle:
#
#   bin/aigw          the program
#   lib/              llama.cpp and ggml's back ends for many CPUs
#   share/            man page, shell completion, systemd unit, example of settings
#   NOTICES           licences of what is inside
#   VERSION           as it is stamped into the program
#
# VERSION=V        the version (default: as git describes the commit)
# AIGW_ARCH=ARCH   amd64 or arm64 (default: this machine's); for another one with cross compilers, and QEMU to ask the
#                  program for its manual
# AIGW_CUDA=1      with the CUDA back end
# AIGW_CPU_VARIANTS, AIGW_CACHE, ...: as third_party/README.md says
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. third_party/tools.sh
. third_party/target.sh
need_target g++ gcc strip objdump
out=$(realpath -m "${1:?usage: tree.sh FOLDER}")
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
third_party/llama.cpp/build.sh dl
third_party/llama.cpp/jinja.sh dl
libraries=third_party/llama.cpp/out/dl/lib

rm -rf "$out" && mkdir -p "$out/bin" "$out/lib" "$out/share"
export GOARCH=$AIGW_ARCH
[ -z "$cross" ] || export CC=${cross}gcc CXX=${cross}g++
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$version" -o "$scratch/aigw-loader" ./cmd/aigw-loader
# The program carries the loader of its own kind, and the one in cmd/aigw/loader stays this machine's.
printf '{"Replace": {"%s": "%s"}}\n' "$PWD/cmd/aigw/loader/aigw-loader" "$scratch/aigw-loader" >"$scratch/overlay.json"
CGO_ENABLED=1 CGO_LDFLAGS="-Wl,--build-id=none" go build -trimpath -buildvcs=false -tags llama_dl -overlay "$scratch/overlay.json" \
	-ldflags "-s -w -buildid= -X main.version=$version" -o "$out/bin/aigw" ./cmd/aigw

# Libraries under the names that programs ask for them by, without links: a bundle cannot hold any.
for file in "$libraries"/*.so; do
	name=$("${cross}objdump" -p "$file" | awk '$1 == "SONAME" { print $2 }')
	install -m 755 "$(readlink -f "$file")" "$out/lib/${name:-$(basename "$file")}"
done
"${cross}strip" --strip-unneeded "$out"/lib/*.so*
mkdir -p "$out/share/man/man1" "$out/share/completions" "$out/share/systemd"
built() { run_built "$out/bin/aigw" "$@"; }
built man >"$out/share/man/man1/aigw.1"
for shell in bash zsh fish; do built completion "$shell" >"$out/share/completions/aigw.$shell"; done
built install-systemd --program /usr/bin/aigw >"$out/share/systemd/aigw.service"
built install-systemd --socket >"$out/share/systemd/aigw.socket"
install -m 644 deploy/systemd/aigw.env "$out/share/systemd/aigw.env"
echo "$version" >"$out/VERSION"
CGO_ENABLED=1 third_party/notices.sh "$out/NOTICES"
say "made $out for $AIGW_ARCH, $(du -sm "$out" | cut -f1) MB"
