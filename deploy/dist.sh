#!/usr/bin/env bash
# dist.sh TREE FOLDER: packs a tree of deploy/tree.sh into FOLDER/aigw-VERSION-linux-ARCH.tar.gz. The same tree gives
# the same bytes: names sorted, owner 0, one date (SOURCE_DATE_EPOCH, default: 2020). And it says which C
# library the programs need at least.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. third_party/tools.sh
. third_party/target.sh
tree=$(realpath "${1:?usage: dist.sh TREE FOLDER}")
out=${2:?usage: dist.sh TREE FOLDER}
[ -f "$tree/VERSION" ] || die "$tree is no tree of a release; make tree makes it"
version=$(<"$tree/VERSION")
target "$(arch_of "$tree/bin/aigw")"
need_target objdump
name=aigw-$version-linux-$AIGW_ARCH

# RHEL 9, Ubuntu 22.04 and Debian 12 have 2.34 or later; a release that needs more is none for them. RHEL 8 has 2.28, and
# no compiler of Debian's can build for it. `zig c++ -target x86_64-linux-gnu.2.28` (tried: PyPI's ziglang 0.17.1) can, but
# puts a C++ library of its own into each shared library, and an exception that leaves one loses its type: what llama.cpp
# throws would reach the binding without its text.
glibc=$("${cross}objdump" -T "$tree"/bin/* "$tree"/lib/* | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
[ "$(printf '%s\nGLIBC_2.34\n' "$glibc" | sort -V | tail -n 1)" = GLIBC_2.34 ] || die "the release needs $glibc"
say "needs glibc ${glibc#GLIBC_} or later"

mkdir -p "$out"
tar -C "$tree" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
	--mtime="@${SOURCE_DATE_EPOCH:-1577836800}" --transform "s,^\.,$name," -cf - . | gzip -n9 >"$out/$name.tar.gz"
(cd "$out" && sha256sum "$name.tar.gz" | tee "$name.tar.gz.sha256")
