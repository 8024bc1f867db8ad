#!/usr/bin/env bash
# Proves on emulated boards that lightcam-edge installs, works, and sees what an x86 machine sees, as root:
#   arm.sh PYTHON [SUITE-ARCH...]
# PYTHON has lightcam-edge with TensorFlow. What is said goes to build/arm/SUITE-ARCH.txt.
set -euo pipefail

python=$(realpath --no-symlinks "$1")
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(dirname "$(dirname "$here")")
work=$repository/build/arm
readonly python here repository work

# What tflite-runtime sees on this machine, with the OpenCV of bookworm; it is for Python 3.11 at most.
look_portably() {
    [[ -d $work/tflite ]] || {
        "$python" -m venv "$work/tflite"
        "$work/tflite/bin/pip" install --quiet tflite-runtime==2.14.0 'numpy<2' opencv-python-headless==4.6.0.66 pillow click
    }
    PYTHONPATH=$work/repository "$work/tflite/bin/python" "$here/look_portably.py" \
        "$work/share/pictures" "$work/share/portable.npz"
}

prepare() {
    mkdir -p "$work/share" "$work/repository"
    # A copy, so that nothing changes under a run of half an hour.
    (cd "$repository" && git ls-files -z | xargs -0 tar -cf - --ignore-failed-read) | tar -C "$work/repository" -xf -
    "$python" "$here/pictures.py" "$work/share/pictures"
    "$python" "$here/look.py" "$work/share/pictures" "$work/share/x86.npz"
    PYTHONPATH=$repository/tests "$python" -c \
        'import pathlib, sys, model_fixture; model_fixture.write_tiny_model(pathlib.Path(sys.argv[1]))' \
        "$work/share/tiny.tflite"
    [[ ${targets[*]} != *-armhf* ]] || look_portably
    [[ -d $work/share/pytest ]] || "$python" -m pip install --quiet --target "$work/share/pytest" pytest
}

compare() {
    echo "\$ compare.py $1.npz $2.npz"
    "$python" "$here/compare.py" "$work/share/$1.npz" "$work/share/$2.npz"
}

prove() {
    local target=$1 failed=0 reference=x86
    [[ $target != *-armhf ]] || reference=portable
    REPOSITORY=$work/repository SHARE=$work/share "$here/in-root.sh" "${target%-*}" "${target#*-}" /mnt/repository/deploy/proof/board.sh "$target" ||
        failed=1
    compare "$reference" "$target" || failed=1
    # Only told: how far tflite-runtime is from LiteRT.
    [[ $reference == x86 ]] || compare x86 "$target" || true
    return $failed
}

targets=("$@")
((${#targets[@]})) || targets=(bookworm-arm64 bookworm-armhf trixie-arm64)
mkdir -p "$work"
prepare >"$work/prepare.txt" 2>&1 || { cat "$work/prepare.txt" >&2 && exit 1; }
failed=0
for target in "${targets[@]}"; do
    echo "$target, see build/arm/$target.txt"
    prove "$target" >"$work/$target.txt" 2>&1 || { echo "error: $target failed" >&2 && failed=1; }
done
exit $failed
