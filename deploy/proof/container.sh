#!/usr/bin/env bash
# Builds the image of a Dockerfile with buildah, on a root of Debian in place of the base image that it names, and
# looks at photographs in it, as root: container.sh SUITE ARCH DOCKERFILE
#   ADD=DIR   run DIR/prepare.sh in the base first; jetson here makes a Debian pass for JetPack
set -euo pipefail

suite=$1 arch=$2 dockerfile=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lightcam-edge
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

stores=(--root "$cache/containers" --runroot "$work/run")
quietly() { buildah "${stores[@]}" "$@"; }

# No registry is asked: the base is made here, under the name that the Dockerfile has for it.
make_base() {
    local container
    "$here/in-root.sh" "$suite" "$arch" true
    container=$(quietly from --arch "$arch" scratch)
    quietly add --quiet "$container" "$cache/$suite-$arch.tar" /
    # Debian's images keep nothing that apt has fetched.
    printf '%s\n' 'APT::Clean-Installed "true"; Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";' \
        'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };' >"$work/docker-clean"
    quietly add --quiet "$container" "$work/docker-clean" /etc/apt/apt.conf.d/
    [[ -z ${ADD:-} ]] || quietly run --isolation chroot --volume "$(realpath "$ADD"):/add:ro" "$container" sh /add/prepare.sh
    quietly config --cmd bash "$container"
    quietly commit --quiet --rm "$container" "$(sed -n 's/^FROM \([^ ]*\).*/\1/p' "$dockerfile" | head -1)"
}

# An ARM image as on a Raspberry Pi 4: LiteRT dies of an x86 kernel's words about its cores.
in_image() {
    local container board=()
    # shellcheck disable=SC2016 # expanded in the namespace
    [[ $arch != arm* ]] ||
        board=(unshare --mount sh -c 'mount --bind "$0" /proc/cpuinfo && exec "$@"' "$here/cpuinfo/pi4")
    container=$(quietly from --pull-never --arch "$arch" lightcam-edge)
    "${board[@]}" buildah "${stores[@]}" run --isolation chroot --env QEMU_CPU=cortex-a72 \
        --user "$(quietly inspect --format '{{.OCIv1.Config.User}}' "$container")" \
        --volume "$repository/lightcam_edge/samples:/samples:ro" "$container" -- "$@"
    quietly rm "$container" >/dev/null
}

make_base
printf '[global]\ncert = /etc/pip-certificates.crt\n' >"$work/pip.conf"
quietly build --isolation chroot --format docker --pull-never --arch "$arch" --tag lightcam-edge --file "$dockerfile" \
    --ignorefile "$dockerfile.dockerignore" --volume "$work/pip.conf:/etc/pip.conf:ro" \
    --volume /etc/ssl/certs/ca-certificates.crt:/etc/pip-certificates.crt:ro "$repository"
quietly inspect --type image --format '{{.Docker.Config.Healthcheck}} {{.Docker.Config.Entrypoint}} user {{.Docker.Config.User}}' \
    lightcam-edge
in_image id
in_image sh -c "echo \"\$(du -xsm --exclude=/samples / 2>/dev/null | cut -f1) MB\""
in_image lightcam-edge run /samples --out /data/found
in_image sh -c '
    lightcam-edge stream /samples --loop --fps 2 --seconds 60 --quiet --serve 127.0.0.1:8080 & 
    sleep 15
    python3 -c "from urllib.request import urlopen; print(urlopen(\"http://127.0.0.1:8080/healthz\", timeout=5).read())"
    kill $!'
