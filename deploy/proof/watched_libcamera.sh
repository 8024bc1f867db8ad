#!/usr/bin/env bash
# In a booted system with picamera2, libcamera and the driver vhci_hcd: reads a USB webcam as csi://0, stalls and unplugs
# it, asks for it twice and for one that is not there, and looks at its colours, its rate and the memory that it takes.
# It fails where what is expected does not come, or a stream does not end well.
set -euo pipefail

# shellcheck source=deploy/proof/watching.sh
. /srv/watching.sh

readonly PYTHON=/opt/lightcam-edge/current/bin/python
readonly PORT=/sys/devices/platform/vhci_hcd.0
readonly SMALL=(--width 320 --height 240)

# libcamera names a camera by its port's node in the firmware, and this port has none: one is put among its files.
name_port() {
    mount --bind $PORT "$1"
    mount --make-private "$1"
    mount -t tmpfs tmpfs $PORT
    mkdir $PORT/firmware_node $PORT/usb1 $PORT/usb2
    echo '\_SB_.VHCI' >$PORT/firmware_node/path
    touch $PORT/attach
    for name in attach usb1 usb2; do mount --bind "$1/$name" $PORT/$name; done
}

# Numbers of the stream's process: memory in KiB, open files.
weigh() {
    awk '/VmRSS/ { print $2 }' "/proc/$stream/status"
    find "/proc/$stream/fd" -type l | wc -l
}

dmesg --console-off
modprobe vhci_hcd
mkdir /run/port
name_port /run/port
ln -s system /dev/dma_heap/vidbuf_cached # as on a Raspberry Pi 5
$PYTHON /srv/usb_webcam.py bgr &
webcam=$!
until [[ -e /dev/video0 ]]; do sleep 1; done
udevadm settle

show uname -srm
show dpkg-query --show python3-libcamera python3-numpy
show $PYTHON -c 'from importlib.metadata import version; print("picamera2", version("picamera2"))'
says '^csi://0  Proof Webcam (libcamera)$' lightcam-edge stream --list
says 'ok    csi://0 Proof Webcam (libcamera)' bash -c 'lightcam-edge doctor | grep csi'
says 'lost: there is no csi://7: is the ribbon cable in?' timeout 60 lightcam-edge stream csi://7 --frames 1 --seconds 10

start csi://0 "${SMALL[@]}" --stall-timeout 5 --video /run/seen.mkv
expect '"state": "live"'
expect '"image_hw": \[240, 320\], "label"'
says 'does another program have it? (Failed to acquire camera: Device or resource busy)' \
    timeout 60 lightcam-edge stream csi://0 --frames 1 --seconds 10
for fate in stalled unplugged unplugged; do
    echo $fate
    echo $fate >/run/webcam
    expect '"state": "lost"'
    sleep 5
    rm /run/webcam
    expect '"state": "live"'
    expect '"image_hw": \[240, 320\], "label"'
done
finish
says '^red$' $PYTHON -c '
import cv2
reader = cv2.VideoCapture("/run/seen.mkv")
blue, green, red = cv2.split(reader.read()[1].astype(int))
print("red" if ((red - blue > 100) & (red - green > 100)).sum() > 10000 > (blue - red > 50).sum() else "not red")'

start csi://0 "${SMALL[@]}" --fps 2
expect '"image_hw": \[240, 320\], "label"'
mapfile -t before < <(weigh)
sleep 60
mapfile -t after < <(weigh)
cp $LINES_OF_STREAM /run/minute.jsonl
finish
echo "in a minute: from ${before[0]} to ${after[0]} KiB, from ${before[1]} to ${after[1]} open files"
((after[0] < before[0] + 4096 && after[1] <= before[1] + 1)) || exit 1
says '^[12]\.[0-9] of 2 pictures a second$' $PYTHON -c '
import json
lines = [line for line in map(json.loads, open("/run/minute.jsonl")) if line["frame"] is not None]
frames = lines[-1]["frame"] - lines[0]["frame"]
print(f"{frames / (lines[-1]["time"] - lines[0]["time"]):.1f} of 2 pictures a second")'

mkdir -p /usr/share/libcamera/pipeline/virtual
cat >/usr/share/libcamera/pipeline/virtual/virtual.yaml <<YAML
%YAML 1.1
---
"A": {supported_formats: [{width: 640, height: 480, frame_rates: [30, 30]}], test_pattern: "bars", model: "last"}
"B": {supported_formats: [{width: 640, height: 480, frame_rates: [30, 30]}], test_pattern: "bars", model: "before it"}
YAML
echo "three cameras: picamera2 counts by their names, backwards"
says '^csi://2  last' lightcam-edge stream --list
kill $webcam
echo 'All is as it should be'
