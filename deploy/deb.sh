#!/usr/bin/env bash
# deb.sh TREE FOLDER: makes a Debian package of a tree of deploy/tree.sh, FOLDER/aigw_VERSION_ARCH.deb, with nfpm in the
# release that deploy/deb/go.mod pins. The same tree gives the same bytes (SOURCE_DATE_EPOCH, default: 2020).
# It depends on the C libraries that the symbols in the programs ask for, as Debian's dpkg-shlibdeps reads them.
#
# DEB_MAINTAINER="NAME <ADDRESS>"   whom your administrators ask about it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. third_party/tools.sh
. third_party/target.sh
need dpkg-shlibdeps=dpkg-dev
tree=$(realpath "${1:?usage: deb.sh TREE FOLDER}")
mkdir -p "${2:?usage: deb.sh TREE FOLDER}"
out=$(realpath "$2")
[ -f "$tree/VERSION" ] || die "$tree is no tree of a release; make tree makes it"
target "$(arch_of "$tree/bin/aigw")"
need_target objdump
STAGE=$(mktemp -d)
trap 'rm -rf "$STAGE"' EXIT

# Debian's versions begin with a digit, and what comes before a release has a tilde.
DEB_VERSION=$(sed -E 's/^v([0-9])/\1/; s/-(alpha|beta|rc)/~\1/; s/-/+/g; s/^[^0-9]/0+&/' "$tree/VERSION")
[[ $DEB_VERSION =~ ^[0-9][A-Za-z0-9.+~]*$ ]] || die "$DEB_VERSION is no version that Debian knows; name one like v1.2.3 with VERSION="

share=$STAGE/usr/share
mkdir -p "$STAGE"/{etc/aigw,usr/lib/aigw,usr/lib/systemd/system,DEBIAN} \
	"$share"/{man/man1,bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d,doc/aigw}
cp -r "$tree/bin" "$tree/lib" "$STAGE/usr/lib/aigw/"
gzip -n9 <"$tree/share/man/man1/aigw.1" >"$share/man/man1/aigw.1.gz"
install -m 644 "$tree/share/completions/aigw.bash" "$share/bash-completion/completions/aigw"
install -m 644 "$tree/share/completions/aigw.zsh" "$share/zsh/vendor-completions/_aigw"
install -m 644 "$tree/share/completions/aigw.fish" "$share/fish/vendor_completions.d/aigw.fish"
run_built "$tree/bin/aigw" install-systemd --program /usr/bin/aigw --user aigw >"$STAGE/usr/lib/systemd/system/aigw.service"
install -m 644 "$tree/share/systemd/aigw.socket" "$STAGE/usr/lib/systemd/system/"
install -m 644 "$tree/share/systemd/aigw.env" "$STAGE/etc/aigw/"
# Whole and not compressed: systems that leave documentation out keep this one file.
cat NOTICE - "$tree/NOTICES" <<<'' >"$share/doc/aigw/copyright"
export DEB_MAINTAINER=${DEB_MAINTAINER:-aigw <aigw@localhost>} SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1577836800}
printf 'aigw (%s) stable; urgency=medium\n\n  * Release %s.\n\n -- %s  %s\n' "$DEB_VERSION" "$DEB_VERSION" \
	"$DEB_MAINTAINER" "$(date -R -u -d "@$SOURCE_DATE_EPOCH")" | gzip -n9 >"$share/doc/aigw/changelog.gz"
chmod -R u=rwX,go=rX "$STAGE/usr"
chmod 644 "$STAGE"/usr/lib/aigw/lib/*

mapfile -t programs < <(find "$STAGE/usr/lib/aigw" -type f)
if [ -z "$cross" ]; then
	mkdir -p "$STAGE/source/debian"
	printf 'Source: aigw\n\nPackage: aigw\nArchitecture: any\n' >"$STAGE/source/debian/control"
	# Libraries of the package itself belong to no other package.
	LIBRARIES=$(cd "$STAGE/source" && dpkg-shlibdeps -O --ignore-missing-info "${programs[@]/#/-e}" 2>"$STAGE/shlibdeps.log" | sed -n 's/^shlibs:Depends=//p')
	[ -n "$LIBRARIES" ] || { cat "$STAGE/shlibdeps.log" >&2; die "dpkg-shlibdeps found no library that the programs need"; }
else
	# Debian's lists of symbols for another kind of machine are in packages that are not installed here. The C library's
	# versions are in the symbols; of the others the compiler's own is enough.
	glibc=$("${cross}objdump" -T "${programs[@]}" | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1)
	compiler=$("${cross}g++" -dumpversion)
	LIBRARIES="libc6 (>= ${glibc#GLIBC_}), libgcc-s1 (>= 3.0), libstdc++6 (>= ${compiler%%.*})"
fi

export ARCH=$AIGW_ARCH
export STAGE DEB_VERSION LIBRARIES
package=$out/aigw_${DEB_VERSION}_$ARCH.deb
(cd deploy/deb && GOFLAGS=-trimpath go tool nfpm package --config nfpm.yaml --packager deb --target "$package.part") >"$STAGE/nfpm.log" ||
	{ cat "$STAGE/nfpm.log" >&2; die "nfpm made no package; it needs the Go module proxy or a filled module cache once"; }
mv "$package.part" "$package"
say "made $package, $(du -m "$package" | cut -f1) MB, for $LIBRARIES"
