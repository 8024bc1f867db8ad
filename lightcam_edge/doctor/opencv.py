"""OpenCV's build: which videos and cameras it can open, and where it comes from."""

import re
from collections.abc import Iterator
from pathlib import Path

from lightcam_edge.doctor.diagnosis import diagnose
from lightcam_edge.doctor.finding import Finding
from lightcam_edge.doctor.python import Package, Python
from lightcam_edge.streaming.sources.boards import is_jetson

# As `cv2.getBuildInformation()` names them, from OpenCV 4.6 to 5.
BACKENDS = {
    "ffmpeg": r"^\s*FFMPEG:\s+(\w+)",
    "gstreamer": r"^\s*GStreamer:\s+(\w+)",
    "v4l2": r"^\s*v4l/v4l2:\s+(\w+)",
}
LOSSES = {"ffmpeg": "videos and rtsp:// streams", "v4l2": "USB cameras"}


def check_opencv(python: Python, root: Path) -> Iterator[Finding]:
    """Judge OpenCV's build for the board whose files lie under a root."""
    package = python.packages.get("opencv")
    if package is None:
        fix = f"{python.pip} install opencv-python-headless"
        yield Finding("opencv", "version", "fail", "OpenCV is not installed", fix)
        return
    if not package.loads:
        reason, fix = diagnose(package, python)
        yield Finding("opencv", "version", "fail", f"OpenCV does not load: {reason}", fix)
        return
    facts = {"version": package.version, "path": package.path, "origin": package.origin}
    message = f"OpenCV {package.version} from {package.origin}, {package.path}"
    yield Finding("opencv", "version", "ok", message, facts=facts)
    yield _video(package, python, root)
    yield from _several(python)


def video_backends(build: str) -> dict[str, bool]:
    """What of FFmpeg, GStreamer and V4L2 is in a build.

    Args:
        build: what `cv2.getBuildInformation()` gives.
    """
    found = {name: re.search(pattern, build, re.MULTILINE) for name, pattern in BACKENDS.items()}
    return {name: match is not None and match[1] == "YES" for name, match in found.items()}


def _video(package: Package, python: Python, root: Path) -> Finding:
    has = video_backends(package.build)
    with_words = ", ".join(name for name, is_there in has.items() if is_there) or "nothing"
    lacks = [name for name, is_there in has.items() if not is_there]
    message = f"built with {with_words}" + (f"; without {', '.join(lacks)}" if lacks else "")
    lost = [LOSSES[name] for name in lacks if name in LOSSES]
    if lost:
        fix = f"{python.pip} install --force-reinstall opencv-python-headless"
        return Finding("opencv", "video", "warn", f"{message}: no {', no '.join(lost)}", fix, has)
    if "gstreamer" in lacks and is_jetson(root):
        return Finding("opencv", "video", "warn", f"{message}: no CSI camera", _jetpack_fix(python), has)
    return Finding("opencv", "video", "ok", message, facts=has)


def _jetpack_fix(python: Python) -> str:
    """JetPack's OpenCV has GStreamer; pip's lies before it."""
    steps = ["sudo apt install nvidia-opencv", f"{python.pip} uninstall -y opencv-python-headless"]
    if python.in_venv and not python.sees_system_packages:
        steps.append(see_system_packages(python))
    return " && ".join(steps)


def see_system_packages(python: Python) -> str:
    """The command that lets an existing virtual environment see the distribution's packages."""
    return (
        "sed -i 's/^include-system-site-packages = .*/include-system-site-packages = true/' "
        f"{python.prefix}/pyvenv.cfg"
    )


def _several(python: Python) -> Iterator[Finding]:
    """Distributions of OpenCV write over each other's files."""
    if len(python.distributions) < 2:
        return
    names = ", ".join(f"{name} {version}" for name, version in python.distributions.items())
    fix = (
        f"{python.pip} uninstall -y {' '.join(python.distributions)} && "
        f"{python.pip} install opencv-python-headless"
    )
    message = f"several builds are installed over each other: {names}"
    yield Finding("opencv", "several", "warn", message, fix, dict(python.distributions))
