#!/usr/bin/env bash
# Boots a virtual machine from the root in $ROOT, which has a kernel, lets it run SCRIPT of this folder, and shows what that
# said: boot.sh SCRIPT
# It needs `apt install qemu-system-x86 e2fsprogs` and 4 GB in /tmp; the processor is emulated.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
readonly here work
trap 'rm -rf "$work"' EXIT

cp "$here/watching.sh" "$here/usb_webcam.py" "$ROOT/srv/"
cp "$here/$1" "$ROOT/srv/proof"
cp "$here/proof.service" "$ROOT/etc/systemd/system/"
systemctl --quiet --root "$ROOT" enable proof.service
chmod 755 "$ROOT" # mktemp's folder is closed to the service's user
mke2fs -q -t ext4 -d "$ROOT" "$work/disk" 4G >&2
timeout 1800 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2G -nic none -nographic -no-reboot \
    -kernel "$ROOT"/boot/vmlinuz-* -initrd "$ROOT"/boot/initrd.img-* -drive "file=$work/disk,if=virtio,format=raw" \
    -append 'root=/dev/vda rw console=ttyS0' >"$work/console" 2>&1 </dev/null || true
debugfs -R 'cat /srv/said' "$work/disk" 2>/dev/null | tee "$work/said"
grep --quiet '^All is as it should be$' "$work/said" || {
    tail -20 "$work/console" >&2
    exit 1
}
