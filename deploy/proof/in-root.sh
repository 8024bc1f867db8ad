#!/usr/bin/env bash
# Runs a command in a fresh root of Debian, as root: in-root.sh SUITE ARCH COMMAND...
# It finds the repository in /mnt/repository. The image of the root is made once and kept in $XDG_CACHE_HOME.
#   NETWORK=none   run it in a network namespace without interfaces
#   ROOT=DIR       use the root in DIR, unpack one there if there is none, and leave it
#   SHARE=DIR      let the command find DIR in /mnt/share
#   REPOSITORY=DIR another copy of it
#   BOARD=pi5      pass for another board than a Raspberry Pi 4, where the root is for ARM
set -euo pipefail

suite=$1 arch=$2
shift 2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=${REPOSITORY:-$(dirname "$(dirname "$here")")}
image=${XDG_CACHE_HOME:-$HOME/.cache}/lightcam-edge/$suite-$arch.tar
readonly suite arch here repository image

emulate() {
    local program
    for program in qemu-aarch64-static arch-test update-binfmts; do
        type -P "$program" >/dev/null || {
            echo "error: $program is missing: apt-get install qemu-user-static arch-test binfmt-support" >&2
            exit 1
        }
    done
    [[ -e /proc/sys/fs/binfmt_misc/status ]] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    local machine
    for machine in qemu-aarch64 qemu-arm; do
        [[ -e /proc/sys/fs/binfmt_misc/$machine ]] || update-binfmts --enable "$machine"
    done
}

make_image() {
    mkdir -p "$(dirname "$image")"
    mmdebstrap --quiet --variant=minbase --architectures="$arch" --format=tar "$suite" "$image.new" \
        "deb http://deb.debian.org/debian $suite main" >&2
    mv "$image.new" "$image"
}

# In a mount namespace: neither this machine's name servers nor its certificates are left in the root.
enter() {
    local root=$1 path
    shift
    for path in proc sys dev; do mount --rbind "/$path" "$root/$path"; done
    mount -t tmpfs tmpfs "$root/run"
    mount -t tmpfs tmpfs "$root/mnt"
    mkdir "$root/mnt/repository" "$root/mnt/share"
    mount --bind "$repository" "$root/mnt/repository"
    [[ -z ${SHARE:-} ]] || mount --bind "$SHARE" "$root/mnt/share"
    if [[ $arch == arm* ]]; then
        # What the kernel of that board says of its cores: LiteRT dies of an x86 one's words.
        mount --bind "$here/cpuinfo/${BOARD:-pi4}" "$root/proc/cpuinfo"
    fi
    for path in /etc/resolv.conf /etc/hosts; do
        [[ -e $root$path ]] || : >"$root$path"
        mount --bind "$path" "$root$path"
    done
    cp /etc/ssl/certs/ca-certificates.crt "$root/mnt/"
    exec chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        LC_ALL=C.UTF-8 TERM=dumb QEMU_CPU="$cpu" PIP_CERT=/mnt/ca-certificates.crt PIP_DEFAULT_TIMEOUT=180 "$@"
}

[[ $arch == "$(dpkg --print-architecture)" ]] || emulate
[[ -e $image ]] || make_image
if [[ -z ${ROOT:-} ]]; then
    ROOT=$(mktemp -d)
    trap 'rm -rf --one-file-system "$ROOT"' EXIT
fi
mkdir -p "$ROOT"
[[ -e $ROOT/etc ]] || tar -C "$ROOT" -xf "$image"

namespaces=(--mount)
[[ ${NETWORK:-} != none ]] || namespaces+=(--net)
cpu=cortex-a72
[[ ${BOARD:-} != pi5 ]] || cpu=cortex-a76
[[ $arch != armhf ]] || cpu=max # qemu has these as 64-bit ones only
export here repository arch cpu
export -f enter
unshare "${namespaces[@]}" bash -euo pipefail -c 'enter "$@"' enter "$ROOT" "$@"
