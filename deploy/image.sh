#!/usr/bin/env bash
# image.sh TREE NAME [ARGUMENT...]: makes a container image of a tree of deploy/tree.sh with buildah, in Docker's format, which
# keeps the health check, and gives it all its names: NAME:VERSION, NAME:VERSION-ARCH, and NAME:TAG for each line of
# deploy/image-tags, so that whoever comes from GitLab's image finds it; for arm64 they end in -arm64. Arguments are buildah build's, such as
# --build-arg BASE=registry.example.com/debian:bookworm-slim.
#
# DOCKERFILE=Dockerfile.cuda   for GPUs: the tree of make cuda; its tags end in -cuda
# TAGS="TAG..."                more tags
# CONTEXT=FOLDER               another folder to build in than this one: TREE is below it
# BUILDAH="buildah ..."        with options of your own, such as --root
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. third_party/tools.sh
. third_party/target.sh
need buildah=buildah
usage='usage: image.sh TREE NAME [ARGUMENT...]'
tree=$(realpath "${1:?$usage}")
name=${2:?$usage}
shift 2
context=$(realpath "${CONTEXT:-.}")
file=${DOCKERFILE:-Dockerfile}
[ -f "$tree/VERSION" ] || die "$tree is no tree of a release; make tree makes it"
[[ $tree = "$context"/* ]] || die "$tree is not below $context, where the image is built"
[[ ${name##*/} != *:* ]] || die "$name has a tag; deploy/image-tags gives it several"
version=$(<"$tree/VERSION")
arch=$(arch_of "$tree/bin/aigw")
kind=
[ "$file" != Dockerfile.cuda ] || kind=-cuda

# A name can stand for one kind of machine only; that of most people needs no suffix.
suffix=$kind
[ "$arch" = amd64 ] || suffix+=-$arch
tags=("$version$kind-$arch")
[ "$arch" != amd64 ] || tags+=("$version$kind")
while read -r tag; do tags+=("$tag$suffix"); done < <(sed 's/#.*//; /^\s*$/d' deploy/image-tags)
for tag in ${TAGS:-}; do tags+=("$tag"); done
# What a registry would refuse is refused here: a version may be anything.
for tag in "${tags[@]}"; do
	[[ $tag =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] || die "$tag is no tag of an image; name a version such as v1.2.3 with VERSION="
done

read -ra buildah <<<"${BUILDAH:-buildah}"
"${buildah[@]}" build --format docker --platform "linux/$arch" --build-arg TREE=given --build-arg "GIVEN=${tree#"$context"/}" \
	--build-arg "VERSION=$version" "$@" -f "$context/$file" "${tags[@]/#/--tag=$name:}" "$context" >&2
printf '%s\n' "${tags[@]/#/$name:}"
