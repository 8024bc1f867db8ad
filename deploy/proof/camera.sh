#!/usr/bin/env bash
# Boots a virtual machine of Debian whose kernel has cameras: two of vivid, its own test driver, and a USB webcam that a
# program plugs in (usb_webcam.py). Lets `stream` and the service look through them, as root: camera.sh [SUITE]
# It needs `apt install mmdebstrap qemu-system-x86 e2fsprogs`, 8 GB in /tmp, and a quarter of an hour: the processor is emulated.
set -euo pipefail

suite=${1:-bookworm}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(mktemp -d)
readonly suite here
export ROOT
trap 'rm -rf --one-file-system "$ROOT"' EXIT

# shellcheck disable=SC2016 # expanded in the root
"$here/in-root.sh" "$suite" amd64 sh -euc '
    apt-get update -qq
    apt-get install -qq --yes --no-install-recommends \
        linux-image-amd64 systemd-sysv udev kmod v4l-utils ffmpeg procps psmisc >/dev/null 2>&1
    /mnt/repository/deploy/install.sh --service | tail -1' >&2
"$here/boot.sh" watched_camera.sh
