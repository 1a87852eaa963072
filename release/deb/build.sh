#!/bin/sh
# Builds dist/batchd_VERSION_ARCH.deb: what `requirements/everything.txt` pins, by hash, in an environment of its own
# below /usr/lib/batchd, on Debian's own Python.  usage: release/deb/build.sh PYTHON WHEEL
set -eu
python=$1 wheel=$2
here=$(dirname "$0")
: "${SOURCE_DATE_EPOCH:?the moment that the files shall carry}"
umask 022

# Compiled libraries are of one minor version of Python: that of the machine that builds is the one that is asked for.
minor=$(/usr/bin/python3 -c 'import sys; print(sys.version_info[1])')
version=$(basename "$wheel" | cut -d- -f2)
architecture=$(dpkg --print-architecture)
root=build/deb
rm -rf $root
home=$root/usr/lib/batchd
packages=$home/lib/python3.$minor/site-packages
mkdir -p $root/DEBIAN $root/usr/bin $home/bin $root/usr/share/doc/batchd $root/usr/share/man/man1

# An environment as `python3 -m venv` makes it, but for what would name this machine. What is started in it finds all
# that is in it, also what batchd itself starts without any environment.
ln -s /usr/bin/python3 $home/bin/python3
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.%s\n' "$minor" >$home/pyvenv.cfg
pip() { "$python" -m pip --disable-pip-version-check --quiet install --target $packages --python-version 3."$minor" \
    --only-binary :all: --no-compile --no-deps --upgrade "$@"; }
pip --require-hashes -r requirements/everything.txt
pip "$wheel"
find $packages -name direct_url.json -delete
cp man/*.1 $root/usr/share/man/man1
rm -rf $packages/bin $packages/share
find $packages -name RECORD -delete

cat >$root/usr/bin/batchd <<'END'
#!/usr/lib/batchd/bin/python3 -I
from batchd.__main__ import main

main()
END
chmod 755 $root/usr/bin/batchd
PYTHONPATH=. "$python" -m release.deb.units $root
cp LICENSE $root/usr/share/doc/batchd/copyright
cp CHANGELOG.md $root/usr/share/doc/batchd/changelog
find $root/usr/share/man $root/usr/share/doc -name '*.1' -o -name changelog | xargs -r gzip -9n

for script in postinst prerm postrm; do install -m 755 "$here/$script" $root/DEBIAN/$script; done
size=$(du -sk --apparent-size $root/usr | cut -f1)
sed -e "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@SIZE@/$size/; s/@MINOR@/$minor/; s/@NEXT@/$((minor + 1))/" \
    "$here/control" >$root/DEBIAN/control
(cd $root && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
mkdir -p dist
dpkg-deb --root-owner-group -Zxz --build $root "dist/batchd_${version}_$architecture.deb" >/dev/null
echo "dist/batchd_${version}_$architecture.deb"
