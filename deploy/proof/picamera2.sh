#!/usr/bin/env bash
# In a root of bookworm: installs beside a package that stands for picamera2, whose modules are built for NumPy 1 like
# its own, and fails unless both work in one environment.
set -euo pipefail
[[ -d /mnt/repository ]] || {
    echo "error: this changes the system that it runs in: give it to deploy/proof/in-root.sh, as deploy/README.md says" >&2
    exit 2
}

package=$(mktemp -d)
mkdir -p "$package/DEBIAN" "$package/usr/lib/python3/dist-packages"
printf 'Package: python3-picamera2\nVersion: 0\nArchitecture: all\nMaintainer: nobody\nDescription: stands for it\n%s\n' \
    'Depends: python3-numpy, python3-numexpr' >"$package/DEBIAN/control"
echo 'import numexpr' >"$package/usr/lib/python3/dist-packages/picamera2.py"
dpkg-deb --build "$package" /tmp/python3-picamera2.deb >/dev/null
apt-get update -qq
apt-get install -qq --yes --no-install-recommends /tmp/python3-picamera2.deb >/dev/null

/mnt/repository/deploy/install.sh
/opt/lightcam-edge/current/bin/python -c '
import cv2, numpy, picamera2
print("numpy", numpy.__version__, numpy.__file__)
print("opencv", cv2.__version__, cv2.__file__)
print("picamera2", picamera2.__file__)'
lightcam-edge run /mnt/repository/lightcam_edge/samples/bird.jpg
