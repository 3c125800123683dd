#!/usr/bin/env bash
# Is everything here that a build needs? One call, so that a user reads one line with all that is
# missing, and root waits for one installation. The scripts that use a tool check for it again.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/tools.sh"

# Go is the one thing that is not installed for you: Debian 12 has none that is new enough, and
# people want to choose where theirs comes from.
wanted=$(sed -n 's/^go \([0-9.]*\).*/\1/p' "$here/../go.mod")
how="install Go $wanted or later (https://go.dev/dl/) and put its bin folder into PATH"
command -v go >/dev/null 2>&1 || die "Go is not installed: $how"
# Inside a module a Go of 1.21 or later may fetch the release that go.mod asks for, unless GOTOOLCHAIN=local.
found=$(cd "$here/.." && go env GOVERSION 2>&1) || die "$(tail -n 1 <<<"$found"): $how"
found=${found#go}
[ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ] || die "Go $found is too old: $how"

# What the cache has needs no tool that would make it.
in_cache() { compgen -G "$AIGW_CACHE/$1" >/dev/null; }
tools=("g++=g++" flock=util-linux)
in_cache 'llama.cpp/static-*/.complete' || tools+=(cmake=cmake ninja=ninja-build git=git objdump=binutils)
[ -n "${LLAMA_CPP_SRC:-}" ] || in_cache 'src/*/.aigw-complete' || tools+=(git=git npm=npm)
[ -n "${MODEL:-}" ] || in_cache 'models/*.gguf' || tools+=(python3=python3 pip3=python3-pip)
need "${tools[@]}"
