#!/bin/sh
# Builds the image localhost/batchd:VERSION with buildah.  usage: release/image/build.sh VERSION [BASE]
# Without a base it makes one of this machine's Debian, by mmdebstrap: then no registry of images is asked.
set -eu
version=$1 base=${2:-}

if [ -z "$base" ]; then
    base=localhost/batchd-base
    if ! buildah inspect --type image $base >/dev/null 2>&1; then
        mkdir -p build
        suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
        mmdebstrap --quiet --variant=essential --include=python3-minimal,python3,ca-certificates \
            --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
            --dpkgopt='path-exclude=/usr/share/locale/*' "$suite" build/base.tar
        scratch=$(buildah from scratch)
        buildah add --quiet "$scratch" build/base.tar / >/dev/null
        buildah commit --quiet "$scratch" $base >/dev/null
        buildah rm "$scratch" >/dev/null
        rm build/base.tar
    fi
fi
buildah build --quiet --pull-never --build-arg BASE="$base" --timestamp "${SOURCE_DATE_EPOCH:?}" \
    --file release/image/Containerfile --tag "localhost/batchd:$version" --tag localhost/batchd:latest .
