"""Reads and writes video files through OpenCV."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.errors import InputError, LightcamError
from lightcam_edge.images import Photo, photo_from_array

UInt8 = npt.NDArray[np.uint8]
VIDEO_SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".mjpeg")
)
FRAME_RATE = 25.0  # where a file does not say, frames/s
CODEC = "mp4v"


def read_video(path: Path) -> Iterator[tuple[Photo, float]]:
    """Read a video file frame by frame, upright.

    Yields:
        Each frame, and the video's frame rate in frames/s.

    Raises:
        InputError: if the file is missing or no frame can be read.
    """
    if not path.is_file():
        raise InputError(f"cannot read {path}: no such file")
    capture = cv2.VideoCapture(str(path))
    try:
        rate = _rate(capture)
        read, pixels = capture.read()
        if not read:
            raise InputError(f"{path} is no video that can be read: give another, or turn it into MP4")
        while read:
            yield photo_from_array(np.asarray(pixels, np.uint8), "bgr"), rate
            read, pixels = capture.read()
    finally:
        capture.release()


def frame_rate(path: str | Path) -> float:
    """The frame rate of a video file, in frames/s; `FRAME_RATE` where it does not say."""
    capture = cv2.VideoCapture(str(path))
    try:
        return _rate(capture)
    finally:
        capture.release()


def _rate(capture: cv2.VideoCapture) -> float:
    rate = capture.get(cv2.CAP_PROP_FPS)
    return rate if math.isfinite(rate) and rate > 0 else FRAME_RATE


class VideoFile:
    """A video being written; it appears under its name when it is closed.

    Args:
        path: the file, ending in .mp4 or .mkv.
        frame_rate: in frames/s.
        size_hw: height and width of the frames.
        in_place: write under its own name; an .mkv plays as far as it has come, an .mp4 does not.

    Raises:
        LightcamError: if it cannot be written.
    """

    def __init__(
        self, path: Path, frame_rate: float, size_hw: tuple[int, int], in_place: bool = False
    ) -> None:
        self.path = path
        self._temporary = path if in_place else path.with_name(f".{os.getpid()}.{path.name}")
        fourcc = cv2.VideoWriter.fourcc(*CODEC)
        self._writer = cv2.VideoWriter(str(self._temporary), fourcc, frame_rate, size_hw[::-1])
        if not self._writer.isOpened():
            raise LightcamError(f"cannot write {path}: is its folder writable, and OpenCV built with FFmpeg?")

    def write(self, pixels: UInt8) -> None:
        """Add a frame, (h, w, 3) uint8 RGB."""
        self._writer.write(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))

    def close(self, whole: bool = True) -> None:
        """Finish; the file is dropped where it is not whole."""
        self._writer.release()
        if whole:
            self._temporary.replace(self.path)
        else:
            self._temporary.unlink(missing_ok=True)
