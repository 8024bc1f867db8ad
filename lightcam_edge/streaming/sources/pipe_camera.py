"""Pictures on stdin: MJPEG, or raw frames of a known size."""

import os
import select
import threading
import time

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.images import Photo
from lightcam_edge.streaming.sources.grammar import CaptureOptions, PixelFormat
from lightcam_edge.streaming.sources.mjpeg import JpegPictures
from lightcam_edge.streaming.sources.reading import CaptureError, Picture, Throttle, Wants, always

UInt8 = npt.NDArray[np.uint8]
CHUNK = 1 << 16
_LOOK_UP = 0.2  # how often a reader looks whether it should still wait, in seconds

# Bytes a pixel, and OpenCV's conversion.
RAW: dict[PixelFormat, tuple[float, int | None]] = {
    "rgb24": (3, None),
    "bgr24": (3, cv2.COLOR_BGR2RGB),
    "gray": (1, cv2.COLOR_GRAY2RGB),
    "yuyv422": (2, cv2.COLOR_YUV2RGB_YUYV),
    "yuv420p": (1.5, cv2.COLOR_YUV2RGB_I420),
    "nv12": (1.5, cv2.COLOR_YUV2RGB_NV12),
}


class Pipe:
    """Reads a file descriptor, and can be told to stop waiting for it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._left = threading.Event()

    def read(self, length: int) -> bytes:
        """Wait for at most so many bytes; none at the end.

        Raises:
            CaptureError: if it cannot be read, or `leave` was called.
        """
        try:
            while not select.select([self._descriptor], [], [], _LOOK_UP)[0]:
                if self._left.is_set():
                    raise CaptureError("stdin is left")
            return os.read(self._descriptor, length)
        except (OSError, ValueError) as error:
            raise CaptureError(f"cannot read stdin: {getattr(error, 'strerror', None) or error}") from None

    def leave(self) -> None:
        """Make `read` fail soon."""
        self._left.set()


class PipedMjpegCamera:
    """MJPEG on a file descriptor, as of `ffmpeg -f mjpeg -`.

    Args:
        options: how pictures are wished for.
        descriptor: where they come from.
    """

    def __init__(self, options: CaptureOptions, descriptor: int = 0) -> None:
        self._pipe = Pipe(descriptor)
        self._pictures = JpegPictures("stdin", options)

    def open(self) -> None:
        """Nothing to do: it is open."""

    def read(self, wants: Wants = always) -> Picture | None:
        """Wait for the next picture."""
        while (picture := self._pictures.next(wants)) is None:
            content = self._pipe.read(CHUNK)
            if not content:
                return None
            self._pictures.feed(content)
        return picture

    def interrupt(self) -> None:
        """Stop waiting."""
        self._pipe.leave()

    def close(self) -> None:
        """Nothing to do: it is not ours."""


class RawCamera:
    """Raw frames on a file descriptor, as of `ffmpeg -f rawvideo -`.

    Args:
        options: with pixel format, width and height.
        descriptor: where they come from.

    Raises:
        ValueError: if one of them is missing.
    """

    def __init__(self, options: CaptureOptions, descriptor: int = 0) -> None:
        if options.pixel_format is None or options.width is None or options.height is None:
            raise ValueError("raw frames need pixel_format, width and height")
        self._hw = options.height, options.width
        self._format = options.pixel_format
        self._length = frame_bytes(options.pixel_format, self._hw)
        self._pipe = Pipe(descriptor)
        self._throttle = Throttle(options.most_fps)

    def open(self) -> None:
        """Nothing to do: it is open."""

    def read(self, wants: Wants = always) -> Picture | None:
        """Wait for the next picture; a part of one at the end is dropped."""
        while True:
            content = bytearray()
            while len(content) < self._length:
                more = self._pipe.read(self._length - len(content))
                if not more:
                    return None
                content += more
            arrived_ns = time.monotonic_ns()
            if self._throttle.passes() and wants(arrived_ns):
                return self._convert(content, arrived_ns)

    def _convert(self, content: bytearray, arrived_ns: int) -> Picture:
        started = time.perf_counter_ns()
        pixels = raw_to_rgb(np.frombuffer(content, np.uint8), self._format, self._hw)
        return Picture(Photo(pixels, self._hw), arrived_ns, (time.perf_counter_ns() - started) / 1e6)

    def interrupt(self) -> None:
        """Stop waiting."""
        self._pipe.leave()

    def close(self) -> None:
        """Nothing to do: it is not ours."""


def frame_bytes(pixel_format: PixelFormat, size_hw: tuple[int, int]) -> int:
    """How many bytes a raw frame has."""
    return int(size_hw[0] * size_hw[1] * RAW[pixel_format][0])


def raw_to_rgb(content: UInt8, pixel_format: PixelFormat, size_hw: tuple[int, int]) -> UInt8:
    """Turn a raw frame's bytes into (h, w, 3) RGB."""
    height, width = size_hw
    bytes_a_pixel, conversion = RAW[pixel_format]
    if conversion is None:
        return content.reshape(height, width, 3)
    planar = bytes_a_pixel == 1.5
    shape = (height * 3 // 2, width) if planar else (height, width, int(bytes_a_pixel))
    return np.asarray(cv2.cvtColor(content.reshape(shape), conversion), np.uint8)
