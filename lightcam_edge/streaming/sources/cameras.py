"""Which cameras are there, and what hinders those that cannot be used."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lightcam_edge.streaming.sources.boards import (
    GSTREAMER_MISSING,
    PICAMERA2_MISSING,
    VIDEO_GROUP,
    has_picamera2,
    is_jetson,
    is_raspberry_pi,
    opencv_has_gstreamer,
)
from lightcam_edge.streaming.sources.v4l2 import Mode, device_ioctl, read_capability, read_modes

# Video devices of a Raspberry Pi and a Jetson that are a ribbon camera's raw end, a scaler or a codec.
RIBBON_DRIVERS = ("unicam", "rp1-cfe", "tegra-video")
INNER_DRIVERS = (
    *RIBBON_DRIVERS,
    "bcm2835-isp",
    "bcm2835-codec",
    "pispbe",
    "rpi-hevc-dec",
    "rpivid",
    "nvvideo",
)
NO_CAMERA = (
    "no camera found: plug in a USB camera, or give rtsp://HOST/PATH or http://HOST/PATH of a network camera"
)


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A camera of this machine.

    Args:
        source: what names it, for `parse_source`.
        name: what it calls itself.
        driver: what drives it.
        modes: formats and sizes that it tells.
        problem: why it cannot be used, and the fix; empty where it can.
    """

    source: str
    name: str
    driver: str
    modes: tuple[Mode, ...] = ()
    problem: str = ""


def list_cameras(root: Path = Path("/")) -> list[FoundCamera]:
    """Find USB cameras and those on a ribbon cable.

    Args:
        root: of the file system whose /sys, /dev and /proc tell.
    """
    found = _video_devices(root)
    ribbons = [camera for camera in found if camera.driver in RIBBON_DRIVERS]
    return [camera for camera in found if camera.driver not in INNER_DRIVERS] + _ribbon_cameras(root, ribbons)


def _video_devices(root: Path) -> list[FoundCamera]:
    return [camera for node in _nodes(root) if (camera := _ask(root, node)) is not None]


def _nodes(root: Path) -> list[str]:
    """Names of video devices; a container may see them in one place only."""
    names = {
        path.name
        for folder in ("sys/class/video4linux", "dev")
        for path in (root / folder).glob("video*")
        if re.fullmatch(r"video[0-9]+", path.name)
    }
    return sorted(names, key=lambda name: int(name.removeprefix("video")))


def _ask(root: Path, node: str) -> FoundCamera | None:
    """What a video device is; None where it is no camera."""
    source = f"v4l2:///dev/{node}"
    try:
        with device_ioctl(root / "dev" / node) as ioctl:
            told = read_capability(ioctl)
            if not told.is_camera:
                return None
            return FoundCamera(source, told.card, told.driver, read_modes(ioctl, told.buffer_type))
    except OSError as error:
        folder = root / "sys/class/video4linux" / node
        if _text(folder / "index") not in ("", "0"):  # a USB camera's further nodes are metadata
            return None
        problem = _problem(f"/dev/{node}", error)
        return FoundCamera(source, _text(folder / "name"), _driver(folder), problem=problem)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _driver(folder: Path) -> str:
    driver = folder / "device/driver"
    return driver.resolve().name if driver.exists() else ""


def _problem(device: str, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"{device} {VIDEO_GROUP}"
    if isinstance(error, FileNotFoundError):
        return f"there is no {device} here: a container needs `--device {device}`"
    return f"{device} does not answer as a camera: {error.strerror or error}"


def _ribbon_cameras(root: Path, ribbons: list[FoundCamera]) -> list[FoundCamera]:
    if is_jetson(root):
        problem = "" if opencv_has_gstreamer() else GSTREAMER_MISSING
        return [
            FoundCamera(f"csi://{number}", camera.name, "nvargus", camera.modes, problem)
            for number, camera in enumerate(ribbons)
        ]
    if has_picamera2():
        return list(_libcamera_cameras())
    if ribbons and is_raspberry_pi(root):
        return [FoundCamera("csi://0", "ribbon cable", ribbons[0].driver, problem=PICAMERA2_MISSING)]
    return []


def _libcamera_cameras() -> Iterator[FoundCamera]:
    """What picamera2 knows; its USB cameras are V4L2's too."""
    try:
        told = importlib.import_module("picamera2").Picamera2.global_camera_info()
    except Exception as error:  # it links to libcamera and numpy, whose versions may not fit
        yield FoundCamera("csi://0", "ribbon cable", "libcamera", problem=f"picamera2 fails: {error}")
        return
    for number, camera in enumerate(told):  # its place, not "Num", is what picamera2 opens a camera by
        if "usb" not in str(camera.get("Id", "")):
            yield FoundCamera(f"csi://{number}", str(camera.get("Model", "")), "libcamera")


def cameras_there(root: Path = Path("/")) -> str:
    """What a message about a missing USB camera says of those that are there."""
    sources = [camera.source for camera in _video_devices(root) if camera.driver not in INNER_DRIVERS]
    return f"there are {', '.join(sources)}" if sources else "no camera is plugged in"
