#!/usr/bin/env bash
# Installs lightcam-edge on a board, from a clone of the repository or from a bundle; --help says how.
# For a dry run, ROOT may name another folder under which the system's own files are read, PYTHON another interpreter.
set -euo pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PYTHONDONTWRITEBYTECODE=1

readonly NAME=lightcam-edge
readonly BASE=/opt/$NAME      # the environment, and the books of what was made and installed
readonly MADE=$BASE/made      # every file and folder outside BASE, in the order they were made
readonly PACKAGES=$BASE/packages # every package that apt brought for us
readonly CONFIG=/etc/$NAME
readonly STATE=/var/lib/$NAME # made by systemd for the service
readonly UNIT=$NAME.service
readonly SHARE=/usr/local/share
ROOT=${ROOT:-}
PYTHON=${PYTHON:-/usr/bin/python3}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly ROOT PYTHON here

bundle='' service='' dry_run='' uninstall=''

usage() {
    cat <<TEXT
usage: sudo $0 [option...]

Puts lightcam-edge into $BASE, with a virtual environment and a user of its own, and the command on the
PATH, with its manual pages and completion for bash, zsh and fish. It may be repeated: then it installs anew, and
a run that fails leaves what was there.

  --service       with the systemd service that streams; it is configured in $CONFIG
  --offline DIR   take every package from the bundle that was unpacked in DIR, and use no network;
                  an install.sh that lies in a bundle does so by itself
  --dry-run       say what would be done
  --uninstall     remove all that it has put on this machine, its configuration included
  --help          say this
TEXT
}

fail() {
    echo "error: $*" >&2
    exit 1
}

run() {
    if [[ $dry_run ]]; then
        echo "+ $*"
    else
        "$@"
    fi
}

read_options() {
    [[ ! -d $here/wheels ]] || bundle=$here
    while (($#)); do
        case $1 in
            --service) service=yes ;;
            --offline)
                [[ -d ${2:-}/wheels ]] || fail "--offline ${2:-}: no bundle lies there, make one with \`make bundle\`"
                bundle=$(cd "$2" && pwd)
                shift
                ;;
            --dry-run) dry_run=yes ;;
            --uninstall) uninstall=yes ;;
            -h | --help)
                usage
                exit
                ;;
            *) fail "$1 is no option of install.sh, see --help" ;;
        esac
        shift
    done
    [[ $dry_run || $EUID == 0 ]] || fail "it writes to $BASE and /usr/local: run it with sudo"
}

# The system

refuse() {
    fail "$* (install.sh knows Raspberry Pi OS and Debian from 12, Ubuntu from 22.04, and JetPack 6; elsewhere" \
        "$NAME needs glibc 2.27, Python 3.10 and a 64-bit ARM or x86 CPU: python3 -m venv DIR && DIR/bin/pip install .)"
}

os_release() { sed -n "s/^$1=//p" "$ROOT/etc/os-release" | tr -d \"\'; }

check_system() {
    [[ -r $ROOT/etc/os-release ]] || refuse "there is no $ROOT/etc/os-release to tell what this is"
    local oldest version
    case $(os_release ID) in
        debian | raspbian) oldest=12 ;;
        ubuntu) oldest=22.04 ;;
        *) refuse "this is $(os_release PRETTY_NAME)" ;;
    esac
    version=$(os_release VERSION_ID)
    dpkg --compare-versions "${version:-99}" ge "$oldest" || refuse "this is $(os_release PRETTY_NAME), with too old a Python"
    architecture=$(dpkg --print-architecture)
    case $architecture in
        amd64 | arm64) ;;
        armhf)
            [[ $version == 12 ]] || fail "this is $(os_release PRETTY_NAME) for 32-bit ARM: the only interpreter for it," \
                "tflite-runtime, is made for bookworm's Python 3.11; install the 64-bit system, or bookworm"
            ;;
        *) refuse "this is $(os_release PRETTY_NAME) for $architecture, for which there is no interpreter" ;;
    esac
}

has_package() { [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# Versions of modules that the system's own Python sees; nothing where it lacks them.
system_numpy() { "$PYTHON" -c 'import numpy; print(numpy.__version__)' 2>/dev/null || true; }

system_opencv() { "$PYTHON" -c 'import cv2; print(cv2.__version__)' 2>/dev/null || true; }

# PyPI has no OpenCV for 32-bit ARM, and none with GStreamer, which reads a Jetson's CSI camera: JetPack's does.
takes_system_opencv() { [[ $architecture == armhf ]] || has_package libopencv-python; }

# picamera2 comes from apt only.
sees_system_packages() { takes_system_opencv || has_package python3-picamera2; }

# Packages of the system

missing_packages() {
    local wanted=() package
    [[ -x $PYTHON ]] || wanted+=(python3)
    [[ $bundle ]] || wanted+=(python3-pip-whl)
    [[ $architecture != armhf ]] || wanted+=(python3-numpy python3-opencv python3-pil)
    for package in "${wanted[@]}"; do
        has_package "$package" || echo "$package"
    done
}

install_packages() {
    local missing
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]})) || return 0
    [[ ! $bundle ]] || fail "without a network apt cannot bring ${missing[*]}: put them on this board first"
    run apt-get update -qq
    [[ $dry_run ]] || apt-get install --simulate --no-install-recommends "${missing[@]}" |
        sed -n 's/^Inst \([^ ]*\).*/\1/p' >>"$PACKAGES"
    run apt-get install -qq --yes --no-install-recommends "${missing[@]}"
}

# Removes what apt brought for us, unless something else has come to depend on it.
remove_packages() {
    [[ -s $PACKAGES ]] || return 0
    local package ours=() unneeded
    while read -r package; do
        ! has_package "$package" || ours+=("$package")
    done <"$PACKAGES"
    ((${#ours[@]})) || return 0
    run apt-mark auto "${ours[@]}"
    mapfile -t unneeded < <(comm -12 <(unneeded_packages | sort -u) <(printf '%s\n' "${ours[@]}" | sort -u))
    ((${#unneeded[@]} == 0)) || run apt-get purge -qq --yes "${unneeded[@]}"
}

unneeded_packages() {
    apt-get autoremove --simulate --option APT::AutoRemove::RecommendsImportant=false \
        --option APT::AutoRemove::SuggestsImportant=false |
        sed -n 's/^Remv \([^ ]*\).*/\1/p'
}

# Files outside BASE

record() {
    [[ $dry_run ]] || grep --quiet --line-regexp --fixed-strings -- "$1" "$MADE" 2>/dev/null || echo "$1" >>"$MADE"
}

make_folder() {
    [[ ! -d $1 ]] || return 0
    make_folder "$(dirname "$1")"
    run mkdir "$1"
    record "$1"
}

# Copies $1 to $2.
put() {
    make_folder "$(dirname "$2")"
    record "$2"
    run install -m 644 "$1" "$2"
}

link() {
    make_folder "$(dirname "$2")"
    record "$2"
    run ln -sfT "$1" "$2"
}

remove_files() {
    [[ -e $MADE ]] || return 0
    local path
    while read -r path; do
        if [[ -d $path && ! -L $path ]]; then
            run rmdir --ignore-fail-on-non-empty "$path"
        else
            run rm -f "$path"
        fi
    done < <(tac "$MADE")
}

# The environment

check_bundle() {
    local for_machine for_python machine python
    read -r for_machine for_python <"$bundle/target"
    machine=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_platform().split("-", 1)[1])')
    python=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    [[ $architecture != armhf ]] || machine=armv7l
    [[ "$for_machine $for_python" == "$machine $python" ]] || fail "the bundle is for $for_machine with Python" \
        "$for_python, this board is $machine with $python: make bundle ARCH=$machine PYTHON=$python"
    (cd "$bundle" && sha256sum --check --quiet --strict SHA256SUMS) || fail "the bundle is damaged: copy it again"
}

# pip out of its wheel: the environment needs none of its own.
pip_wheel() {
    local wheels=(/usr/share/python-wheels/pip-*.whl)
    [[ ! $bundle ]] || wheels=("$bundle"/wheels/pip-*.whl)
    echo "${wheels[0]}"
}

requirement() {
    if [[ $bundle ]]; then
        echo "${NAME}[stream]"
    elif [[ -f $here/../pyproject.toml ]]; then
        echo "$(dirname "$here")[stream]"
    else
        fail "$here lies neither in a clone of the repository nor in a bundle: there is nothing to install"
    fi
}

# Modules of the system that were built for NumPy 1 die under NumPy 2.
constraints() {
    case $(system_numpy) in
        1.*) ! sees_system_packages || echo 'numpy<2' ;;
    esac
}

# Says to pip that the system's OpenCV is the one that our requirements name.
vouch_for_opencv() {
    local version info
    version=$(system_opencv)
    info=$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    info=$info/opencv_python_headless-$version.dist-info
    mkdir "$info"
    printf 'Metadata-Version: 2.1\nName: opencv-python-headless\nVersion: %s\n' "$version" >"$info/METADATA"
    echo apt >"$info/INSTALLER"
}

make_environment() {
    local venv=$1 options=(--without-pip) pip=() from=()
    ! sees_system_packages || options+=(--system-site-packages)
    [[ ! $bundle ]] || from=(--no-index --find-links "$bundle/wheels")
    # A 32-bit system may run on a 64-bit kernel, and pip asks the kernel.
    [[ $architecture != armhf ]] || pip=(setarch linux32)
    pip+=("$venv/bin/python" "$(pip_wheel)/pip" install --no-cache-dir --quiet --disable-pip-version-check)
    run "$PYTHON" -m venv "${options[@]}" "$venv"
    if takes_system_opencv; then run vouch_for_opencv "$venv"; fi
    [[ $dry_run ]] || constraints >"$venv/constraints.txt"
    run "${pip[@]}" --constraint "$venv/constraints.txt" "${from[@]}" "$(requirement)"
}

install_environment() {
    local venv old
    venv=$BASE/$(date +%Y%m%d-%H%M%S)
    # shellcheck disable=SC2064 # its value of now
    trap "rm -rf '$venv'" EXIT
    make_environment "$venv"
    run "$venv/bin/$NAME" --version
    run ln -sfT "$venv" "$BASE/new"
    run mv -T "$BASE/new" "$BASE/current"
    trap - EXIT
    for old in "$BASE"/2*; do
        [[ $old == "$venv" || ! -d $old ]] || run rm -rf "$old"
    done
}

install_pages() {
    local pages page
    pages=$(mktemp -d)
    run "$BASE/current/bin/$NAME" man "$pages/man1"
    for page in "$pages"/man1/*; do
        [[ ! -e $page ]] || put "$page" "$SHARE/man/man1/$(basename "$page")"
    done
    install_completion "$pages" bash bash-completion/completions/$NAME
    install_completion "$pages" zsh zsh/site-functions/_$NAME
    install_completion "$pages" fish fish/vendor_completions.d/$NAME.fish
    rm -rf "$pages"
}

install_completion() {
    [[ $dry_run ]] || "$BASE/current/bin/$NAME" completion "$2" >"$1/$2"
    put "$1/$2" "$SHARE/$3"
}

# The user and the service

make_user() {
    ! getent passwd $NAME >/dev/null || return 0
    local group groups=()
    for group in video render; do
        ! getent group "$group" >/dev/null || groups+=("$group")
    done
    run useradd --system --user-group --home-dir "$STATE" --no-create-home --shell /usr/sbin/nologin \
        --groups "$(IFS=,; echo "${groups[*]}")" $NAME
}

systemd_runs() { [[ -d /run/systemd/system ]]; }

install_service() {
    put "$here/$UNIT" "/etc/systemd/system/$UNIT"
    [[ -e $CONFIG/stream.toml ]] || put "$here/stream.toml" "$CONFIG/stream.toml"
    ! systemd_runs || run systemctl daemon-reload
    echo "Name your cameras in $CONFIG/stream.toml, then: sudo systemctl enable --now $NAME"
}

remove_service() {
    ! systemd_runs || run systemctl disable --now --quiet $UNIT 2>/dev/null || true
    run rm -f "/etc/systemd/system/multi-user.target.wants/$UNIT"
}

# All of it

install_everything() {
    check_system
    [[ $dry_run ]] || mkdir -p "$BASE"
    install_packages
    [[ ! $bundle ]] || check_bundle
    install_environment
    link "$BASE/current/bin/$NAME" /usr/local/bin/$NAME
    install_pages
    make_user
    [[ ! $service ]] || install_service
    [[ $dry_run ]] || echo "Installed $("$BASE/current/bin/$NAME" --version); try: $NAME run PHOTO --out ."
}

remove_everything() {
    remove_service
    remove_files
    ! systemd_runs || run systemctl daemon-reload
    ! getent passwd $NAME >/dev/null || run userdel $NAME
    remove_packages
    run rm -rf "$BASE" "$CONFIG" "$STATE"
    echo "Removed $NAME"
}

read_options "$@"
if [[ $uninstall ]]; then
    remove_everything
else
    install_everything
fi
