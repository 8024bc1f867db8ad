"""picamera2, by which a Raspberry Pi's ribbon camera is read: visible here, or why not."""

import re
from collections.abc import Iterator
from pathlib import Path

from lightcam_edge.doctor.diagnosis import diagnose
from lightcam_edge.doctor.finding import Finding
from lightcam_edge.doctor.opencv import see_system_packages
from lightcam_edge.doctor.python import NEW_ENVIRONMENT, Python
from lightcam_edge.streaming.sources.boards import is_raspberry_pi

FROM_APT = Path("usr/lib/python3/dist-packages")
INSTALL = "sudo apt install python3-picamera2"


def check_picamera(python: Python, root: Path) -> Iterator[Finding]:
    """Judge picamera2, on a Raspberry Pi only.

    Args:
        python: this interpreter.
        root: the folder under which `usr` and `proc` lie.
    """
    if not is_raspberry_pi(root):
        return
    package = python.packages.get("picamera2")
    if package is None:
        yield _invisible(python, root)
    elif not package.loads:
        reason, fix = diagnose(package, python)
        yield Finding("cameras", "picamera2", "fail", f"picamera2 does not load: {reason}", fix)
    else:
        message = f"picamera2 {package.version} from {package.origin}".replace("  ", " ")
        yield Finding("cameras", "picamera2", "ok", message)
    yield from _covered_numpy(python, root)


def _invisible(python: Python, root: Path) -> Finding:
    if not (root / FROM_APT / "picamera2").exists():
        message = "picamera2 is not installed: only USB and network cameras can be read"
        return Finding("cameras", "picamera2", "info", message, INSTALL)
    if python.in_venv and not python.sees_system_packages:
        message = "picamera2 is installed, and this virtual environment does not see the system's packages"
        return Finding("cameras", "picamera2", "warn", message, see_system_packages(python))
    version = _built_for(root)
    if version and version != python.version[:2]:
        message = f"picamera2 is for the system's Python {'.'.join(map(str, version))}, and this is another"
        fix = f"/usr/bin/python3 -m venv --system-site-packages {python.prefix} --clear"
        return Finding("cameras", "picamera2", "warn", message, fix)
    message = "picamera2 is installed, and this Python does not look there"
    fix = f"/usr/bin/python3 -m venv --system-site-packages {NEW_ENVIRONMENT}"
    return Finding("cameras", "picamera2", "warn", message, fix)


def _built_for(root: Path) -> tuple[int, int] | None:
    """The Python that the distribution's libcamera was compiled for."""
    for path in sorted((root / FROM_APT / "libcamera").glob("_libcamera.cpython-*.so")):
        if match := re.search(r"cpython-(\d)(\d+)", path.name):
            return int(match[1]), int(match[2])
    return None


def _covered_numpy(python: Python, root: Path) -> Iterator[Finding]:
    """Numpy 2 of pip before numpy 1 of apt, for which apt's compiled packages were built."""
    numpy, below = python.packages.get("numpy"), apt_numpy(root)
    if numpy is None or numpy.origin == "apt" or not python.sees_system_packages:
        return
    above = numpy.version
    if above and below and above.split(".")[0] != below.split(".")[0]:
        message = f"pip's numpy {above} lies over apt's {below}, for which apt's packages were built"
        fix = f"{python.pip} install 'numpy<2' 'opencv-python-headless<4.12'"
        yield Finding("cameras", "numpy", "warn", message, fix, {"pip": above, "apt": below})


def apt_numpy(root: Path) -> str:
    """Version of the distribution's numpy, or nothing."""
    folder = root / FROM_APT
    for path in sorted([*folder.glob("numpy-*.egg-info"), *folder.glob("numpy-*.dist-info")]):
        return path.name.removeprefix("numpy-").rpartition(".")[0]
    return ""
