#!/usr/bin/env bash
# In a root of bookworm that passes for a Jetson: reads csi://1 by the pipeline for NVIDIA's Argus, in an OpenCV that has
# GStreamer, from elements that pass for NVIDIA's; makes the camera hang and fail, and ends while it hangs.
set -euo pipefail
[[ -d /mnt/repository ]] || {
    echo "error: this changes the system that it runs in: give it to deploy/proof/in-root.sh, as deploy/README.md says" >&2
    exit 2
}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/proof/watching.sh
. "$here/watching.sh"

"$here/jetson/prepare.sh" >/dev/null
apt-get install -qq --yes --no-install-recommends gstreamer1.0-plugins-base gstreamer1.0-python3-plugin-loader \
    python3-gst-1.0 gir1.2-gst-plugins-base-1.0 procps >/dev/null
touch /etc/nv_tegra_release
"$here/../install.sh" | tail -1
cp -r "$here/argus/python" /run/
export GST_PLUGIN_PATH=/run ARGUS=/run/argus

show /opt/lightcam-edge/current/bin/python -c 'import cv2; print(cv2.__version__, cv2.__file__)'
start csi://1 --width 640 --height 360 --fps 30 --stall-timeout 3
expect '"state": "live"'
expect '"image_hw": \[360, 640\]'
for fault in stall error; do
    echo "$fault"
    echo -n $fault >$ARGUS
    expect '"state": "lost"'
    rm $ARGUS
    expect '"state": "live"'
    expect '"image_hw": \[360, 640\]'
done
echo "ends while the camera hangs"
echo -n stall >$ARGUS
expect '"state": "lost"'
finish
echo 'All is as it should be'
