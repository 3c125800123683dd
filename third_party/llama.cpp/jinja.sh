#!/usr/bin/env bash
# Builds llama.cpp's engine for chat templates (common/jinja) beside a build of build.sh.
#   jinja.sh static|dl
# Only that engine: the rest of llama.cpp's "common" downloads, parses command lines and so on. It is
# always a static library. Two lines of it are changed on the way, so that a template cannot run for
# ever or fill the memory: each evaluation and each element of range() is counted by the functions
# aigw_jinja_*, which are in engine/llama/shim_template.cpp.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/../tools.sh"
. "$here/../target.sh"
. "$here/pin.env"

flavour=${1:-static}
case $flavour in static | dl) ;; *) die "usage: jinja.sh static|dl" ;; esac
# The number at the end of what makes the key grows with every change of what is built here.
dir=$(readlink -f "$here/out/$flavour") || die "there is no $flavour build of llama.cpp; run build.sh $flavour first"
flags=(-std=c++17 -O2 -fPIC -DNDEBUG)
key=$({ printf '%s\n' "$LLAMA_COMMIT" "${flags[@]}" "$("${cross}g++" --version | head -n1)" 1; } | sha256sum | cut -c1-12)
lock "$dir/.lock"

# patched FILE LINE-PATTERN REPLACEMENT: the file with that one line changed.
patched() {
	[ "$(grep -c -- "$2" "$1")" = 1 ] || die "$(basename "$1") is not that of llama.cpp v$LLAMA_VERSION: one line like $2 is expected"
	sed "s/$2/$3/" "$1"
}

if [ ! -f "$dir/lib/libaigw-jinja.a" ] || [ "$(cat "$dir/.jinja" 2>/dev/null)" != "$key" ]; then
	need_target g++ ar
	src=$("$here/fetch.sh")
	started=$SECONDS
	rm -rf "$dir/jinja"
	mkdir -p "$dir/jinja"
	cp -r "$src/common/jinja" "$src/common/unicode.cpp" "$src/common/unicode.h" "$src/common/json.h" "$src/common/json.cpp" "$dir/jinja/"
	hook='void aigw_jinja_enter(); void aigw_jinja_leave(); void aigw_jinja_room(unsigned long bytes);'
	{
		echo "$hook"
		patched "$src/common/jinja/runtime.cpp" '^        return execute_impl(ctx);$' \
			'        struct scope { scope() { aigw_jinja_enter(); } ~scope() { aigw_jinja_leave(); } } entered; value made = execute_impl(ctx); aigw_jinja_room(is_val<value_string>(made) ? cast_val<value_string>(made)->val_str.length() : 0); return made;'
	} >"$dir/jinja/jinja/runtime.cpp"
	{
		echo "$hook"
		sed 's/^\( *\)out->push_back(mk_val<value_int>(i));$/\1aigw_jinja_room(16 * out->as_array().size()); aigw_jinja_enter(); aigw_jinja_leave(); &/' "$src/common/jinja/value.cpp"
	} >"$dir/jinja/jinja/value.cpp"
	[ "$(grep -c 'aigw_jinja_room(16' "$dir/jinja/jinja/value.cpp")" = 2 ] || die "value.cpp is not that of llama.cpp v$LLAMA_VERSION: range() is expected to have two loops"
	# shellcheck disable=SC2016 # $0 and $1 are the inner shell's
	for file in jinja/lexer jinja/parser jinja/runtime jinja/value jinja/string jinja/caps unicode json; do
		echo "$dir/jinja/$file.cpp" "$dir/jinja/$(basename "$file").o"
	done | xargs -P "${AIGW_JOBS:-$(nproc)}" -n 2 sh -c 'exec '"${cross}g++ ${flags[*]}"' -w -I'"$dir/jinja"' -I'"$src/vendor"' -I'"$dir/include"' -c "$0" -o "$1"' \
		>"$dir/jinja.log" 2>&1 || { tail -n 25 "$dir/jinja.log" >&2; die "llama.cpp's template engine did not build; see $dir/jinja.log"; }
	"${cross}ar" rcs "$dir/lib/libaigw-jinja.a" "$dir"/jinja/*.o
	rm -rf "$dir/include/jinja" && mkdir -p "$dir/include/jinja"
	cp "$src"/common/jinja/*.h "$dir/include/jinja/"
	rm -rf "$dir/jinja"
	echo "$key" >"$dir/.jinja"
	say "built llama.cpp's template engine ($flavour) in $((SECONDS - started)) s"
fi

# As in build.sh: makes Go link again.
mark=$root/engine/llama/llama_build_jinja_$flavour.cpp
tag=$([ "$flavour" = dl ] && echo llama_dl || echo '!llama_dl')
text="//go:build $tag

__attribute__((used)) static const char jinja_build[] = \"template engine, $flavour build $key\";"
[ "$(cat "$mark" 2>/dev/null)" = "$text" ] || printf '%s\n' "$text" >"$mark"
