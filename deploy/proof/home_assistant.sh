#!/usr/bin/env bash
# Installs Home Assistant in a root of Debian, lets it find cameras that come and go, and asks it what it sees, as root:
#   home_assistant.sh PYTHON [SUITE VERSION]
# PYTHON has lightcam-edge with `stream`; SUITE's Python has to do for that VERSION of Home Assistant. It needs
# `apt install mmdebstrap mosquitto`, a network, and ten minutes, half of them to install.
#   ROOT=DIR   use the root in DIR, and leave it
set -euo pipefail

python=$(realpath --no-symlinks "$1") suite=${2:-trixie} version=${3:-2026.2.3}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SHARE=$(mktemp -d)
remove=("$SHARE")
[[ -n ${ROOT:-} ]] || { ROOT=$(mktemp -d) && remove+=("$ROOT"); }
readonly python suite version here
export ROOT SHARE
trap 'rm -rf --one-file-system "${remove[@]}"' EXIT

in_root() { "$here/in-root.sh" "$suite" "$(dpkg --print-architecture)" "$@"; }

# shellcheck disable=SC2016 # expanded in the root
in_root bash -euo pipefail -c '
    [[ -e /opt/hass-$1/bin/hass ]] || {
        apt-get update -qq
        apt-get install -qq --yes --no-install-recommends python3-venv python3-dev g++ >/dev/null 2>&1
        python3 -m venv "/opt/hass-$1"
        "/opt/hass-$1/bin/pip" install --quiet "homeassistant==$1"
    }' bash "$version" >&2
export -f in_root
export here suite
echo "Home Assistant $version on $suite, $("$python" --version), $(mosquitto -h | sed -n '1s/ version / /p')"
# Home Assistant itself fetches what its parts need, with certificates that are looked for there.
"$python" "$here/home_assistant.py" "$SHARE" bash -c 'in_root "$@"' bash \
    env SSL_CERT_FILE=/mnt/ca-certificates.crt "/opt/hass-$version/bin/hass" --config /mnt/share/config
