#!/usr/bin/env bash
# In a booted system: installs the service, and shows what systemd makes of it when all is well, when the process
# hangs, when its camera goes away and when it is stopped.
set -euo pipefail

readonly NAME=lightcam-edge PORT=8090
readonly PYTHON=/opt/$NAME/current/bin/python

show() {
    echo "\$ $*"
    "$@" 2>&1 || true
    echo
}

# Shows the last $1 lines of what a command says.
show_end() {
    echo "\$ ${*:2} | tail -$1"
    "${@:2}" 2>&1 | tail "-$1"
    echo
}

property() { systemctl show --value --property "$1" $NAME; }

# Waits for a camera's state on the live page.
wait_until_seen() {
    "$PYTHON" - <<'CODE'
import time
from urllib.request import urlopen

deadline = time.monotonic() + 120
while True:
    try:
        print("/healthz:", urlopen("http://127.0.0.1:8080/healthz", timeout=5).read().decode())
        break
    except OSError:
        assert time.monotonic() < deadline, "no results come"
        time.sleep(1)
CODE
}

# Waits for the service's restart number $1, and says how long that took.
wait_for_restart() {
    local began=$SECONDS
    until (($(property NRestarts) >= $1)) && [[ $(property ActiveState) == active ]]; do
        ((SECONDS < began + 600)) || { echo "error: it was not restarted" && exit 1; }
        sleep 1
    done
    echo "restarted after $((SECONDS - began)) seconds"
    echo
}

start_camera() {
    systemd-run --quiet --collect --unit=camera "$PYTHON" /srv/repository/benchmarks/stream_source.py --fps 10 --port $PORT
}

show_end 2 /srv/repository/deploy/install.sh --service
cat >/etc/$NAME/stream.toml <<TOML
lines = "events"
log = "events.jsonl"
video = "seen.mp4"
serve = "8080"

[cameras.door]
source = "http://viewer:\${DOOR_PASSWORD}@127.0.0.1:$PORT/stream.mjpg"
TOML
echo 'DOOR_PASSWORD=geheim' >/etc/$NAME/secrets.env
chmod 600 /etc/$NAME/secrets.env
start_camera
sleep 3

echo '# Started'
show systemctl enable --now $NAME
wait_until_seen
sleep 10
show systemctl status --no-pager --full $NAME
show_end 1 systemd-analyze security --no-pager $NAME
show ls -l /var/lib/$NAME

echo '# The process hangs'
show kill -STOP "$(property MainPID)"
wait_for_restart 1
wait_until_seen

echo '# The camera goes away for good'
show systemctl stop camera
wait_for_restart 2
start_camera
wait_until_seen

echo '# Stopped'
began=$(date +%s%N)
show systemctl stop $NAME
echo "after $((($(date +%s%N) - began) / 1000000)) ms"
show ls -l /var/lib/$NAME
"$PYTHON" -c 'import cv2, glob
for path in sorted(glob.glob("/var/lib/lightcam-edge/seen*.mp4")):
    video = cv2.VideoCapture(path)
    print(path, "plays:", video.read()[0], int(video.get(cv2.CAP_PROP_FRAME_COUNT)), "frames")'
show journalctl --no-pager --output=short-iso --unit $NAME
if journalctl --unit $NAME | grep geheim; then exit 1; fi

echo '# Uninstalled'
show_end 1 /srv/repository/deploy/install.sh --uninstall
[[ ! -e /etc/systemd/system/$NAME.service && ! -e /var/lib/$NAME ]]
echo 'All is as it should be'
