"""The cameras that are there, what hinders each, and who has it open."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from lightcam_edge.doctor.finding import Finding
from lightcam_edge.doctor.python import Python
from lightcam_edge.streaming.sources.boards import is_jetson
from lightcam_edge.streaming.sources.cameras import NO_CAMERA, FoundCamera, list_cameras

MOST_SIZES = 4
DEVICE = "v4l2://"
AWAKEN = "unplug the camera and plug it in again, then see: sudo dmesg | tail"


def check_cameras(python: Python, root: Path) -> Iterator[Finding]:
    """Judge the cameras on this board.

    Args:
        python: tells which libraries can be asked for cameras.
        root: the folder under which `dev`, `proc` and `sys` lie.
    """
    if asked := _dangerous(python, root):
        yield Finding("cameras", "list", "info", f"not looked for, because {asked} must load for it")
        return
    cameras = list_cameras(root)
    if not cameras:
        message, _, fix = NO_CAMERA.partition(": ")
        yield Finding("cameras", "list", "info", message, fix)
    for camera in cameras:
        yield judge_camera(camera)
        yield from _holders(root, camera)


def _dangerous(python: Python, root: Path) -> str:
    """The library that would be asked for cameras, if it is one that does not load."""
    if is_jetson(root) and not python.loads("opencv"):
        return "opencv"
    crashes = "picamera2" in python.packages and python.packages["picamera2"].signal
    return "picamera2" if crashes else ""


def judge_camera(camera: FoundCamera) -> Finding:
    """Say what a camera offers, or what hinders it."""
    check = f"camera {camera.source}"
    named = " ".join(filter(None, (camera.source, camera.name, camera.driver and f"({camera.driver})")))
    modes = _modes(camera)
    facts = {"source": camera.source, "name": camera.name, "driver": camera.driver, "modes": modes}
    if camera.problem:
        reason, _, fix = camera.problem.partition(": ")
        if "does not answer" in reason:
            reason, fix = camera.problem, AWAKEN
        return Finding("cameras", check, "warn", f"{named}: {reason}", fix, facts)
    sizes = _in_words(modes)
    return Finding("cameras", check, "ok", f"{named}{': ' if sizes else ''}{sizes}", facts=facts)


def _modes(camera: FoundCamera) -> list[dict[str, object]]:
    return [
        {"format": mode.pixel_format, "width": mode.width, "height": mode.height, "fps": list(mode.fps)}
        for mode in camera.modes
    ]


def _in_words(modes: Sequence[dict[str, object]]) -> str:
    sizes = list(dict.fromkeys(f"{mode['format']} {mode['width']}x{mode['height']}" for mode in modes))
    more = f" and {len(sizes) - MOST_SIZES} more" if len(sizes) > MOST_SIZES else ""
    return ", ".join(sizes[:MOST_SIZES]) + more


def _holders(root: Path, camera: FoundCamera) -> Iterator[Finding]:
    if not camera.source.startswith(DEVICE):
        return
    device = camera.source.removeprefix(DEVICE)
    for process, name in _open_in(root, device):
        message = f"{device} is open in {name} (process {process}), and one program at a time can read it"
        fix = f"where that is not your stream: kill {process}"
        yield Finding("cameras", f"busy {camera.source}", "info", message, fix, {"process": process})


def _open_in(root: Path, device: str) -> Iterator[tuple[int, str]]:
    """Processes that have a device open, as far as this user may see."""
    for process in sorted(root.glob("proc/[0-9]*"), key=lambda path: int(path.name)):
        try:
            links = {str(link.readlink()) for link in (process / "fd").iterdir()}
            name = (process / "comm").read_text(errors="replace").strip()
        except OSError:
            continue
        if device in links and int(process.name) != os.getpid():
            yield int(process.name), name
