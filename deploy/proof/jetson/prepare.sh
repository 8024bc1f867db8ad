#!/bin/sh
# In a Debian root, for container.sh: puts apt's OpenCV in the place of that which JetPack brings.
set -e
apt-get update -qq
apt-get install -qq --yes --no-install-recommends python3 python3-opencv >/dev/null
mkdir -p /tmp/p/DEBIAN
printf 'Package: libopencv-python\nVersion: 4.8.0\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDepends: python3-opencv\nDescription: stands for the package of JetPack\n' >/tmp/p/DEBIAN/control
dpkg-deb --build /tmp/p /tmp/p.deb >/dev/null
dpkg -i /tmp/p.deb
rm -r /tmp/p /tmp/p.deb
