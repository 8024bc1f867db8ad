#!/usr/bin/env bash
# Boots a virtual machine of Debian whose kernel has cameras: two of vivid, its own test driver, and a USB webcam that a
# program plugs in (usb_webcam.py). Lets `stream` and the service look through them, as root: camera.sh [SUITE]
# It needs `apt install mmdebstrap qemu-system-x86 e2fsprogs`, 8 GB in /tmp, and a quarter of an hour: the processor is emulated.
set -euo pipefail

suite=${1:-bookworm}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
ROOT=$work/root
readonly suite here work
export ROOT
trap 'rm -rf --one-file-system "$work"' EXIT

# shellcheck disable=SC2016 # expanded in the root
"$here/in-root.sh" "$suite" amd64 sh -euc '
    apt-get update -qq
    apt-get install -qq --yes --no-install-recommends \
        linux-image-amd64 systemd-sysv udev kmod v4l-utils ffmpeg procps psmisc >/dev/null 2>&1
    /mnt/repository/deploy/install.sh --service | tail -1' >&2
cp "$here/watching.sh" "$here/usb_webcam.py" "$ROOT/srv/"
cp "$here/watched_camera.sh" "$ROOT/srv/proof"
cp "$here/proof.service" "$ROOT/etc/systemd/system/"
systemctl --quiet --root "$ROOT" enable proof.service
mke2fs -q -t ext4 -d "$ROOT" "$work/disk" 4G
timeout 1800 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2G -nic none -nographic -no-reboot \
    -kernel "$ROOT"/boot/vmlinuz-* -initrd "$ROOT"/boot/initrd.img-* -drive "file=$work/disk,if=virtio,format=raw" \
    -append 'root=/dev/vda rw console=ttyS0' >"$work/console" 2>&1 </dev/null || true
debugfs -R 'cat /srv/said' "$work/disk" 2>/dev/null | tee "$work/said"
grep --quiet '^All is as it should be$' "$work/said" || {
    tail -20 "$work/console" >&2
    exit 1
}
