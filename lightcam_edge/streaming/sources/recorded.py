"""Video files and folders of images, played as a stream."""

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from lightcam_edge.errors import InputError
from lightcam_edge.images import Photo, read_image
from lightcam_edge.sources import find_sources
from lightcam_edge.streaming.sources.grammar import CaptureOptions
from lightcam_edge.streaming.sources.reading import (
    CaptureError,
    CorruptPictureError,
    Pace,
    Picture,
    Wants,
    always,
)
from lightcam_edge.video import read_video

FOLDER_FPS = 5.0  # where the user does not say, pictures/s


class VideoFileCamera:
    """Plays a video at its own rate, or at the wished one.

    Args:
        path: the file.
        options: how pictures are wished for.
    """

    def __init__(self, path: Path, options: CaptureOptions) -> None:
        self._path = path
        self._options = options
        self._left = threading.Event()
        self._frames: Iterator[tuple[Photo, float]] = iter(())

    def open(self) -> None:
        """Begin to read."""
        self._frames = read_video(self._path)
        self._pace = Pace(self._left)

    def read(self, _: Wants = always) -> Picture | None:
        """Wait for the next picture's time."""
        started = time.perf_counter_ns()
        found = next(self._frames, None)
        if found is None and self._options.loop:
            self._frames = read_video(self._path)
            found = next(self._frames, None)
        if found is None:
            return None
        photo, own_fps = found
        decode_ms = (time.perf_counter_ns() - started) / 1e6
        if not self._options.every_frame:
            self._pace.wait(self._options.fps or own_fps)
        return Picture(photo, time.monotonic_ns(), decode_ms)

    def interrupt(self) -> None:
        """Stop waiting."""
        self._left.set()

    def close(self) -> None:
        """Close the file."""
        close = getattr(self._frames, "close", None)
        if close is not None:
            close()


class FolderCamera:
    """Shows the images of a folder one after the other.

    Args:
        folder: searched through, sorted.
        options: how pictures are wished for.
    """

    def __init__(self, folder: Path, options: CaptureOptions) -> None:
        self._folder = folder
        self._options = options
        self._left = threading.Event()
        self._paths: Iterator[Path] = iter(())

    def open(self) -> None:
        """Look for images."""
        rounds = itertools.repeat(None) if self._options.loop else range(1)
        self._paths = (path for _ in rounds for path in self._images())
        self._pace = Pace(self._left)

    def _images(self) -> list[Path]:
        found = find_sources([str(self._folder)], ())
        images = [source.path for source in found if not source.is_video and not source.error]
        if not images:
            raise CaptureError(f"{self._folder} holds no image: give a folder that does")
        return images

    def read(self, _: Wants = always) -> Picture | None:
        """Wait for the next picture's time."""
        path = next(self._paths, None)
        if path is None:
            return None
        if not self._options.every_frame:
            self._pace.wait(self._options.fps or FOLDER_FPS)
        arrived_ns = time.monotonic_ns()
        started = time.perf_counter_ns()
        try:
            photo = read_image(path, self._options.enough_hw)
        except InputError as error:
            raise CorruptPictureError(error) from None
        return Picture(photo, arrived_ns, (time.perf_counter_ns() - started) / 1e6)

    def interrupt(self) -> None:
        """Stop waiting."""
        self._left.set()

    def close(self) -> None:
        """Nothing is open."""
