#!/bin/sh
# stage.sh SOURCE JARS DEST: makes DEST the tree that is installed.
#   SOURCE  the project's folder, built
#   JARS    folder with the jars of the modules and of what they need
#   DEST    bin/ lib/ etc/ share/ src/ extstorage/; a tree of this script that lies there is replaced, nothing else
set -eu

source=$1
jars=$2
dest=$3
new=$dest.new

if [ -e "$dest" ] && [ ! -e "$dest/lib/archipelago/client" ]; then
    echo "stage.sh: $dest is there and no staged tree: remove it, or choose another folder" >&2
    exit 1
fi
rm -rf "$new"
mkdir -p "$new/bin" "$new/etc" "$new/lib/archipelago" "$new/extstorage/archipelago"
lib=$new/lib/archipelago

cp "$source/ext-storage/target/native/client" "$lib/client"
cp "$source/ext-storage/launcher/jvm" "$source/ext-storage/launcher/make-archive" "$lib/"
cp "$source/peers/target/native/loop" "$source/peers/target/native/nbd" "$lib"
cp "$source/core/target/native/libxseg.so.0" "$lib/libxseg.so.0"
ln -s libxseg.so.0 "$lib/libxseg.so"
cp "$jars"/*.jar "$lib/"
chmod 755 "$lib/client" "$lib/jvm" "$lib/make-archive" "$lib/loop" "$lib/nbd"

ln -s ../lib/archipelago/client "$new/bin/archipelago"
ln -s ../lib/archipelago/client "$new/bin/vlmc"
cp "$source/core/target/native/xseg" "$new/bin/xseg"
chmod 755 "$new/bin/xseg"
install -D -m 644 "$source/core/libxseg/xseg.1" "$new/share/man/man1/xseg.1"
cp "$source/core/src/main/resources/org/archipelago/config/archipelago.conf" "$new/etc/archipelago.conf"

for script in create attach detach remove grow setinfo verify snapshot open close; do
    ln -s ../../lib/archipelago/client "$new/extstorage/archipelago/$script"
done
cp "$source/provider-scripts/parameters.list" "$new/extstorage/archipelago/parameters.list"

# the kernel's module, for dkms: its source belongs to /usr/src
version=$(sed -n 's|^  <version>\(.*\)</version>$|\1|p' "$source/pom.xml")
make -s -C "$source/kernel-module" dkms VERSION="$version" BUILD="$new/src/xsegbd-$version"
install -D -m 644 "$source/kernel-module/60-xsegbd.rules" "$new/lib/udev/rules.d/60-xsegbd.rules"

touch "$new/.staged"

rm -rf "$dest"
mv "$new" "$dest"
