#!/usr/bin/env bash
# Boots a virtual machine of Debian with picamera2 from PyPI and Debian's libcamera, and lets `stream csi://0` read a USB
# webcam through them, which a program plugs in (usb_webcam.py), as root: libcamera.sh [SUITE]
# It needs `apt install mmdebstrap qemu-system-x86 e2fsprogs`, 8 GB in /tmp, and ten minutes: the processor is emulated.
set -euo pipefail

suite=${1:-trixie}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(mktemp -d)
readonly suite here
export ROOT
trap 'rm -rf --one-file-system "$ROOT"' EXIT

# shellcheck disable=SC2016 # expanded in the root
"$here/in-root.sh" "$suite" amd64 bash -euc '
    apt-get update -qq
    apt-get install -qq --yes --no-install-recommends linux-image-amd64 systemd-sysv udev kmod procps psmisc \
        python3-pip gcc libc6-dev libpython3-dev >/dev/null 2>&1
    package=$(mktemp -d)
    modules=$package/usr/lib/python3/dist-packages
    python3 -m pip install --quiet --no-deps --root-user-action=ignore --target "$modules" \
        picamera2 pidng simplejpeg videodev2
    # Its previews name pixel formats of this module when they are loaded, and none is shown here.
    printf "class Named(type):\n    __getattr__ = lambda self, name: name\nclass PixelFormat(metaclass=Named): pass\n" \
        >"$modules/pykms.py"
    mkdir "$package/DEBIAN"
    printf "Package: python3-picamera2\nVersion: 0\nArchitecture: amd64\nMaintainer: nobody\nDescription: of PyPI\n%s, %s\n" \
        "Depends: python3-libcamera, libcamera-ipa, python3-av, python3-numpy, python3-pil" \
        "python3-piexif, python3-prctl, python3-tqdm" >"$package/DEBIAN/control"
    dpkg-deb --build "$package" /tmp/python3-picamera2.deb >/dev/null
    apt-get install -qq --yes --no-install-recommends /tmp/python3-picamera2.deb >/dev/null 2>&1
    /mnt/repository/deploy/install.sh | tail -1' >&2
"$here/boot.sh" watched_libcamera.sh
