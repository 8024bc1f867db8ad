#!/usr/bin/env bash
# In a root: installs, then does what a user of a board does first, each step with its time, and uninstalls.
# /mnt/share holds `pictures`, `pytest` and `tiny.tflite`; what is seen in the pictures goes to /mnt/share/$1.npz.
set -uo pipefail

repository=/mnt/repository
python=/opt/lightcam-edge/current/bin/python
# Those that run everything between a file and a box; none starts other programs, which takes minutes when emulated.
device_tests=()
for name in box cam card geometry images localizer model_file peaks; do
    device_tests+=("$repository/tests/test_$name.py")
done
failed=0

step() {
    local start=$SECONDS code=0
    echo "\$ $*"
    "$@" 2>&1 || code=$?
    echo "($((SECONDS - start)) s, exit code $code)"
    echo
    return $code
}

must() { step "$@" || failed=1; }

# shellcheck disable=SC2317 # called by step
quietly() {
    "$@" >/tmp/said 2>&1 || { tail -n 30 /tmp/said && return 1; }
    tail -n 1 /tmp/said
}

# What the environment is made of, in MB.
# shellcheck disable=SC2317,SC2016 # called by step; dpkg-query fills it in
sizes() {
    du -sm /opt/lightcam-edge
    du -sm /opt/lightcam-edge/current/lib/python3*/site-packages/* | sort -rn | head -n 12 | sed 's|/opt/.*/site-packages/||'
    xargs dpkg-query --show --showformat '${Installed-Size}\n' </opt/lightcam-edge/packages |
        awk '{ sum += $1 } END { print int(sum / 1024), "MB of apt" }'
}

cd /tmp || exit 1
echo "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release), $(dpkg --print-architecture)"
must quietly $repository/deploy/install.sh
must sizes
must lightcam-edge run $repository/lightcam_edge/samples --out found
must lightcam-edge inspect lite
must lightcam-edge benchmark nano --runs 2 --rounds 1 --threads 1
step lightcam-edge doctor
must $python $repository/deploy/proof/look.py /mnt/share/pictures "/mnt/share/$1.npz"
export PYTHONPATH=/mnt/share/pytest LIGHTCAM_TINY_MODEL=/mnt/share/tiny.tflite
must $python -m pytest -c $repository/pyproject.toml -p no:cacheprovider -q "${device_tests[@]}"
unset PYTHONPATH
must quietly $repository/deploy/install.sh --uninstall
must test ! -e /opt/lightcam-edge -a ! -e /usr/local/bin/lightcam-edge
exit $failed
