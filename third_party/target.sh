# shellcheck shell=bash
# Sourced behind tools.sh: for which kind of machine is built, and with what. Not a program of its own.
#
#   AIGW_ARCH   amd64 or arm64, as Go, Debian and Docker call them; this machine's unless set
#   machine     what compilers and the kernel call it
#   cross       what the names of its tools begin with; empty where that is this machine
#
# For another kind than this machine's Debian's cross compilers are taken, and QEMU runs what they make.

here_arch=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')

# target ARCH: builds are for that kind of machine from here on.
target() {
	AIGW_ARCH=$1
	case $AIGW_ARCH in
	amd64) machine=x86_64 ;;
	arm64) machine=aarch64 ;;
	*)
		[ "$AIGW_ARCH" = "$here_arch" ] || die "AIGW_ARCH=$AIGW_ARCH: amd64 or arm64 is expected"
		machine=$here_arch
		;;
	esac
	cross=
	[ "$AIGW_ARCH" = "$here_arch" ] || cross=$machine-linux-gnu-
	export AIGW_ARCH
}
target "${AIGW_ARCH:-$here_arch}"

# need_target TOOL...: the compilers and binutils for that kind of machine.
need_target() {
	local tool
	for tool in "$@"; do
		case $tool in
		g++ | gcc) need "$cross$tool=$tool${cross:+-${machine/_/-}-linux-gnu}" ;;
		*) need "$cross$tool=binutils${cross:+-${machine/_/-}-linux-gnu}" ;;
		esac
	done
}

# run_built PROGRAM ARGUMENT...: runs what was built for that kind of machine.
run_built() {
	if [ -z "$cross" ]; then
		"$@"
	else
		need "qemu-$machine-static=qemu-user-static"
		"qemu-$machine-static" -L "/usr/${cross%-}" "$@"
	fi
}

# arch_of PROGRAM: the kind of machine that it is for, as its ELF header says.
arch_of() {
	case $(od -An -tu2 -j18 -N2 "$1" | tr -d ' ') in
	62) echo amd64 ;;
	183) echo arm64 ;;
	*) die "$1 is a program for neither amd64 nor arm64" ;;
	esac
}
