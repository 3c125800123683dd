# shellcheck shell=bash
# Sourced by the scripts of this project: where things are kept, how they speak, and
# how a missing tool is installed. Not a program of its own.

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# Downloads and builds live outside the clone, so that a second clone builds in seconds.
if [ -z "${AIGW_CACHE:-}" ]; then
	[ -n "${XDG_CACHE_HOME:-${HOME:-}}" ] || die "neither HOME nor AIGW_CACHE is set; set AIGW_CACHE to a folder for downloads and builds"
	AIGW_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/aigw
fi
mkdir -p "$AIGW_CACHE" 2>/dev/null || true
[ -w "$AIGW_CACHE" ] || die "cannot write to the cache folder $AIGW_CACHE; set AIGW_CACHE to a folder that user $(id -u) may write"
AIGW_CACHE=$(cd "$AIGW_CACHE" && pwd)
export AIGW_CACHE

# need TOOL=PACKAGE ...: installs the Debian packages of the tools that are missing when
# root, and otherwise names them in one line. A TOOL with a slash is a file that must exist.
need() {
	local missing=() pair tool
	for pair in "$@"; do
		tool=${pair%%=*}
		case $tool in
		*/*) [ -e "$tool" ] || missing+=("${pair#*=}") ;;
		*) command -v "$tool" >/dev/null 2>&1 || missing+=("${pair#*=}") ;;
		esac
	done
	[ ${#missing[@]} -eq 0 ] && return 0
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		die "missing build tools; install them first, as root: apt-get install ${missing[*]}"
	fi
	say "installing Debian packages: ${missing[*]}"
	if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$AIGW_CACHE/apt.log" 2>&1; then
		tail -n 5 "$AIGW_CACHE/apt.log" >&2
		die "apt-get could not install ${missing[*]}; see $AIGW_CACHE/apt.log"
	fi
}

# need_certificates: what a download over TLS is checked against. A minimal Debian has none.
need_certificates() {
	[ -n "${SSL_CERT_FILE:-}${SSL_CERT_DIR:-}" ] || [ ! -e /etc/debian_version ] ||
		need /etc/ssl/certs/ca-certificates.crt=ca-certificates
}

# lock FILE: one script at a time; it is released when the script ends.
lock() {
	exec 9>"$1"
	flock -n 9 && return 0
	say "waiting for another build that holds $1"
	flock 9
}

# check FILE SHA256: is this the file that was pinned?
check() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]; }
