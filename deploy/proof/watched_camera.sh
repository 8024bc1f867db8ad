#!/usr/bin/env bash
# In a booted system whose kernel has the drivers vivid and vhci_hcd: looks through the cameras of the one and a USB webcam
# on the other, unplugs them, freezes one, takes their pictures away, and shows what `stream` and the service make of it.
# It fails where what is expected does not come, or a stream does not end well.
set -euo pipefail

# shellcheck source=deploy/proof/watching.sh
. /srv/watching.sh

readonly DRIVER=/sys/bus/platform/drivers/vivid
readonly FRONT=/dev/v4l/by-path/platform-vivid.0-video-index0
readonly WEBCAM=/dev/v4l/by-id/usb-lightcam-edge_Proof_Webcam-video-index0

control() { v4l2-ctl --device $FRONT --set-ctrl "$1"; }

dmesg --console-off
modprobe vivid n_devs=2 node_types=0x1,0x1
udevadm settle
show uname -srm
show bash -c "lightcam-edge stream --list | grep -E '^v4l2|YUYV'"

start v4l2://$FRONT --width 640 --height 480 --fps 15 --stall-timeout 5 --frozen-after 5 --video /run/seen.mkv
expect '"state": "live"'
expect '"image_hw": \[480, 640\], "label"'
echo "unplugged"
echo vivid.0 >$DRIVER/unbind
expect '"state": "lost"'
echo "plugged in again"
echo vivid.0 >$DRIVER/bind
expect '"state": "live"'
expect '"image_hw": \[480, 640\], "label"'
echo "a camera that gives no pictures any more"
control percentage_of_dropped_buffers=100
expect '"state": "lost"'
control percentage_of_dropped_buffers=0
expect '"state": "live"'
echo "pictures that do not change"
control osd_text_mode=2
expect '"state": "frozen"'
control horizontal_movement=5
expect '"state": "live"'
says 'does another program have it (`fuser ' timeout 60 lightcam-edge stream $FRONT --frames 1 --seconds 15
finish
says '^mpeg4,640,480$' ffprobe -v error -show_entries stream=codec_name,width,height -of csv=p=0 /run/seen.mkv

cameras=(/dev/video*)
start "${cameras[@]}" --width 1280 --height 720 --name front --name back
expect '"camera": "front".*"image_hw": \[720, 1280\]'
expect '"camera": "back".*"image_hw": \[720, 1280\]'
finish

modprobe vhci_hcd
/opt/lightcam-edge/current/bin/python /srv/usb_webcam.py &
webcam=$!
until [[ -e $WEBCAM ]]; do sleep 1; done
show bash -c 'lightcam-edge stream --list | tail -3'
start $WEBCAM --width 640 --height 480
expect '"image_hw": \[480, 640\]'
says "'YUYV'" v4l2-ctl --device $WEBCAM --get-fmt-video
finish
start $WEBCAM --width 1280 --height 720 --stall-timeout 5
expect '"image_hw": \[720, 1280\]'
says "'MJPG'" v4l2-ctl --device $WEBCAM --get-fmt-video
for fate in unplugged stalled; do
    echo $fate
    echo $fate >/run/webcam
    expect '"state": "lost"'
    rm /run/webcam
    expect '"state": "live"'
    expect '"image_hw": \[720, 1280\]'
done
finish
kill $webcam

says 'sudo usermod -aG video' runuser --user nobody -- lightcam-edge stream $FRONT --seconds 10

cat >/etc/lightcam-edge/stream.toml <<TOML
model = "nano"
log = "events.jsonl"
lines = "all"
[cameras.door]
source = "v4l2://$FRONT"
TOML
show systemctl start lightcam-edge
stream_log=/var/lib/lightcam-edge/events.jsonl
timeout 300 sh -c "until grep --quiet '\"image_hw\": .[0-9]' $stream_log; do sleep 1; done"
timeout 30 sh -c "until systemctl show --property=StatusText lightcam-edge | grep --quiet frames/s; do sleep 1; done"
says '^door .* frames/s, age .* ms 0 lightcam-edge active$' bash -c '
    systemctl show --value --property=ActiveState,StatusText,NRestarts,User lightcam-edge | xargs'
show systemctl stop lightcam-edge
echo 'All is as it should be'
