"""Made boards with a made Python on them, and what the doctor finds there."""

import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from made_boards import write

from lightcam_edge.doctor.examination import Patient, examine
from lightcam_edge.doctor.finding import Finding
from lightcam_edge.doctor.python import Package, Python

CALL = [sys.executable, "-c", "from lightcam_edge.cli import main; main()", "doctor"]
NOW = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)
BUILD = "  Video I/O:\n    FFMPEG:    YES\n    GStreamer:    {}\n    v4l/v4l2:    YES (linux/videodev2.h)\n"
SITE = "/opt/lightcam-edge/lib/python3.11/site-packages"
PYTHON = Python(
    executable="/opt/lightcam-edge/bin/python",
    version=(3, 11, 2),
    prefix="/opt/lightcam-edge",
    in_venv=True,
    sees_system_packages=True,
    has_pip=True,
    externally_managed=True,
    machine="aarch64",
    bits=64,
    libc=("glibc", "2.36"),
    packages={
        "numpy": Package("numpy", "1.26.4", f"{SITE}/numpy/__init__.py"),
        "opencv": Package("opencv", "4.11.0", f"{SITE}/cv2/__init__.py", build=BUILD.format("NO")),
        "pillow": Package("pillow", "9.4.0", "/usr/lib/python3/dist-packages/PIL/__init__.py"),
        "ai-edge-litert": Package("ai-edge-litert", "2.3.0", f"{SITE}/ai_edge_litert/__init__.py"),
    },
)
PICAMERA2 = Package("picamera2", "0.3.19", "/usr/lib/python3/dist-packages/picamera2/__init__.py")


def examined(root: Path, python: Python = PYTHON) -> dict[str, Finding]:
    """Findings by area and check."""
    found = examine(Patient(root, python, NOW, (Path("/"),)))
    return {f"{finding.area} {finding.check}": finding for finding in found}


def with_picamera2(python: Python = PYTHON) -> Python:
    return replace(python, packages={**python.packages, "picamera2": PICAMERA2})


def synchronized(root: Path) -> Path:
    return write(root, {"run/systemd/system/.keep": "", "run/systemd/timesync/synchronized": ""})
