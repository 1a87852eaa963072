#!/bin/sh
# Fetch the package from the index that pip is set to, once; the hash says that it is the one that was meant.
set -e
archive=pystache-0.3.1.tar.gz
[ -f "$archive" ] ||
    python -m pip download --quiet --no-deps --no-binary :all: --no-build-isolation --require-hashes -r package.txt
mkdir -p package
tar -xzf "$archive" -C package --strip-components 1
