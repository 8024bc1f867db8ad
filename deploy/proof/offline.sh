#!/usr/bin/env bash
# Installs a bundle in a root that has Python and no network, as root: offline.sh SUITE ARCH BUNDLE.tar [PACKAGE...]
# Each PACKAGE is one that the board has to have from apt.
set -euo pipefail

suite=$1 arch=$2 bundle=$(realpath "$3")
shift 3
in_root=$(dirname "${BASH_SOURCE[0]}")/in-root.sh
ROOT=$(mktemp -d)
SHARE=$(dirname "$bundle")
export ROOT SHARE
trap 'rm -rf --one-file-system "$ROOT"' EXIT

"$in_root" "$suite" "$arch" sh -c 'apt-get update -qq && apt-get install -qq --yes --no-install-recommends "$@" >/dev/null' \
    sh python3 "$@"
# shellcheck disable=SC2016 # expanded in the root
NETWORK=none "$in_root" "$suite" "$arch" bash -euo pipefail -c '
    echo "interfaces: $(tail -n +3 /proc/net/dev | cut -d: -f1 | xargs)"
    ! getent hosts pypi.org || exit 1
    tar -C /tmp -xf "/mnt/share/$1"
    "/tmp/${1%.tar}/install.sh"
    rm -r "/tmp/${1%.tar}"
    lightcam-edge run /mnt/repository/lightcam_edge/samples
    lightcam-edge inspect lite | head -3
    lightcam-edge stream --help >/dev/null' bash "$(basename "$bundle")"
