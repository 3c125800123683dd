#!/usr/bin/env bash
# notices.sh FILE: writes the licences of everything that is linked into bin/aigw to FILE, so that
# it can be shipped with it: Go and its modules, llama.cpp and the code that llama.cpp took in.
# A part without a licence text is an error: nobody may ship it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/tools.sh"
. "$here/llama.cpp/pin.env"
out=$(realpath -m "${1:?usage: notices.sh FILE}")
cd "$here/.."
src=$("$here/llama.cpp/fetch.sh")

# section NAME FILE...: the texts of the files under one heading.
section() {
	local name=$1 file
	shift
	printf '%s\n%s\n\n' "$name" "${name//?/=}"
	for file in "$@"; do
		# Some licence files end without a line end or with Windows' ones.
		sed 's/\r$//' "$file" && printf '\n'
	done
}

# head_comment FILE: the // comment at the top of a source file, as text.
head_comment() { sed -n '/^\/\//!q; s#^// \{0,1\}##p' "$1"; }

# licences_of MODULE_DIR PACKAGE_DIR...: licence files beside the packages that are linked and above them.
licences_of() {
	local top=$1 dir
	shift
	for dir in "$@"; do
		while :; do
			find "$dir" -maxdepth 1 -type f -regextype posix-extended \
				-iregex '.*/(licen[cs]e|copying|notice|patents|copyright)([-._][^/]*)?' ! -name '*.go'
			[ "$dir" != "$top" ] || break
			dir=$(dirname "$dir")
		done
	done | sort -u
}

go_modules() {
	local path version dir packages files
	go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}} {{$.Dir}}{{end}}{{end}}' ./cmd/aigw |
		sort -u | awk '{ key = $1 " " $2 " " $3; dirs[key] = dirs[key] " " $4 } END { for (k in dirs) print k dirs[k] }' | sort |
		while read -r path version dir packages; do
			# shellcheck disable=SC2086 # one word per folder; the module cache has no spaces in names
			mapfile -t files < <(licences_of "$dir" $packages)
			[ ${#files[@]} -gt 0 ] || die "module $path $version has no licence file in $dir; look for its terms before shipping it"
			section "$path $version" "${files[@]}"
		done
}

goroot=$(go env GOROOT)
[ -f "$goroot/LICENSE" ] || die "$goroot has no LICENSE file; use a Go distribution that carries its own"
llamafile=$src/ggml/src/ggml-cpu/llamafile/sgemm.cpp
head_comment "$llamafile" | grep -q 'Permission is hereby granted' || die "$llamafile no longer starts with its licence"

# Code under the MIT licence that llama.cpp names in comments: src/llama-vocab.cpp, ggml-cpu/ops.cpp, ggml-cpu/vec.h.
adapted='YaRN rotary scaling, in ggml|Copyright (c) 2023 Jeffrey Quesnelle and Bowen Peng.
parts of the tokenizers, in llama.cpp|Adapted from ggllm.cpp (github.com/cmp-nct/ggllm.cpp).
vector exponential function, in ggml|Adapted from Arm Optimized Routines, Copyright (c) 1999-2024 Arm Limited.'
# Debian keeps this text for everybody.
apache=/usr/share/common-licenses/Apache-2.0

mkdir -p "$(dirname "$out")"
{
	printf 'aigw contains the software below. Each part is used under its own licence.\n\n'
	section "Go runtime and standard library ($(go env GOVERSION))" "$goroot/LICENSE"
	section "llama.cpp and ggml v$LLAMA_VERSION" "$src/LICENSE"
	section "JSON for Modern C++, in llama.cpp's template engine" "$src/licenses/LICENSE-jsonhpp"
	section "llamafile's matrix multiplication, in ggml" <(head_comment "$llamafile")
	while IFS='|' read -r name terms; do
		section "$name" <(printf '%s\n(The terms are those of the MIT licence above.)\n' "$terms")
	done <<<"$adapted"
	if [ "$(go env GOARCH)" = arm64 ]; then
		section "exponential function for SVE, in ggml, adapted from OpenVINO (Apache License 2.0)" "$apache"
	fi
	go_modules
} >"$out.part"
mv "$out.part" "$out"
say "wrote $(grep -c '^=\{3,\}$' "$out") notices to $out"
