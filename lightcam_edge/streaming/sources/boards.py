"""Which board this is, what is installed on it, and how to get what is not."""

from pathlib import Path

PICAMERA2_MISSING = (
    "csi:// needs picamera2: run `sudo apt install python3-picamera2`, and make the virtual environment "
    "with `python3 -m venv --system-site-packages`"
)
GSTREAMER_MISSING = (
    "csi:// needs an OpenCV with GStreamer, which PyPI's is not: use JetPack's (`sudo apt install "
    "nvidia-opencv`, `pip uninstall opencv-python-headless`, and a virtual environment made with "
    "--system-site-packages)"
)
VIDEO_GROUP = "may not be opened: run `sudo usermod -aG video $USER`, and log in again"


def board_model(root: Path = Path("/")) -> str:
    """The board's name from its device tree; empty on a PC.

    Args:
        root: of the file system.
    """
    try:
        return (root / "proc/device-tree/model").read_text(errors="replace").strip("\0 \n")
    except OSError:
        return ""


def is_jetson(root: Path = Path("/")) -> bool:
    """Whether this is an NVIDIA Jetson."""
    model = board_model(root)
    return "Jetson" in model or "NVIDIA" in model or (root / "etc/nv_tegra_release").exists()


def is_raspberry_pi(root: Path = Path("/")) -> bool:
    """Whether this is a Raspberry Pi."""
    return board_model(root).startswith("Raspberry Pi")


def opencv_has_gstreamer() -> bool:
    """Whether OpenCV was built with GStreamer; PyPI's never is."""
    import cv2

    return bool(cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER))


def has_picamera2() -> bool:
    """Whether picamera2 can be imported."""
    import importlib.util

    return importlib.util.find_spec("picamera2") is not None
