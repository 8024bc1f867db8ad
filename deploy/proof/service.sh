#!/usr/bin/env bash
# Boots a root of Debian with its own systemd, installs the service there and lets things go wrong, as root:
#   service.sh [SUITE]
# It needs `apt install mmdebstrap systemd-container`, and a quarter of an hour, half of it for the watchdog.
set -euo pipefail

suite=${1:-bookworm}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(dirname "$(dirname "$here")")
ROOT=$(mktemp -d)
readonly suite here repository
export ROOT
trap 'rm -rf --one-file-system "$ROOT"' EXIT

# shellcheck disable=SC2016 # expanded in the root
"$here/in-root.sh" "$suite" "$(dpkg --print-architecture)" sh -c '
    apt-get update -qq && apt-get install -qq --yes --no-install-recommends "$@" >/dev/null 2>&1' \
    sh systemd systemd-sysv dbus python3 >&2
mkdir "$ROOT/srv/repository"
(cd "$repository" && git ls-files -z | xargs -0 tar -cf - --ignore-failed-read) | tar -C "$ROOT/srv/repository" -xf -
cp /etc/ssl/certs/ca-certificates.crt "$ROOT/srv/"
ln -s repository/deploy/proof/watched.sh "$ROOT/srv/proof"
cp "$here/proof.service" "$ROOT/etc/systemd/system/"
systemctl --quiet --root "$ROOT" enable proof.service
systemd-nspawn --quiet --register=no --keep-unit --boot --directory "$ROOT" --resolv-conf=bind-host \
    >"$ROOT/srv/console" 2>&1 </dev/null || tail -20 "$ROOT/srv/console" >&2
cat "$ROOT/srv/said"
grep --quiet '^All is as it should be$' "$ROOT/srv/said"
