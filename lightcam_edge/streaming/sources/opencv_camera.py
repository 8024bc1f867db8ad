"""What all cameras that OpenCV reads have in common."""

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np

from lightcam_edge.images import photo_from_array
from lightcam_edge.streaming.sources.grammar import CaptureOptions
from lightcam_edge.streaming.sources.reading import (
    CaptureError,
    CorruptPictureError,
    Picture,
    Throttle,
    Wants,
    always,
)


class OpenCvCamera:
    """Reads pictures that an opened `cv2.VideoCapture` gives.

    Args:
        name: of the source, for messages; without any password.
        options: how pictures are wished for.
    """

    def __init__(self, name: str, options: CaptureOptions) -> None:
        self.name = name
        self.options = options
        self._throttle = Throttle(options.fps)
        self._capture: cv2.VideoCapture | None = None

    def start(
        self,
        address: str,
        backend: int,
        parameters: Sequence[int] = (),
        settings: Mapping[int, float] = MappingProxyType({}),
    ) -> bool:
        """Open the capture.

        Args:
            address: what OpenCV opens.
            backend: OpenCV's number of the library that reads it.
            parameters: for opening, each number followed by its value.
            settings: asked for once it is open, in this order.

        Returns:
            Whether that worked.
        """
        self._capture = cv2.VideoCapture(address, backend, list(parameters))
        for name, value in settings.items():
            self._capture.set(name, value)
        return self._capture.isOpened()

    def read(self, wants: Wants = always) -> Picture | None:
        """Wait for the next picture."""
        if self._capture is None:
            raise CaptureError(f"{self.name} is not open")
        while self._capture.grab():
            arrived_ns = time.monotonic_ns()
            if self._throttle.passes() and wants(arrived_ns):
                return self._retrieve(self._capture, arrived_ns)
        raise CaptureError(f"{self.name} gives no more pictures")

    def _retrieve(self, capture: cv2.VideoCapture, arrived_ns: int) -> Picture:
        started = time.perf_counter_ns()
        whole, pixels = capture.retrieve()
        if not whole or pixels is None or not pixels.size:
            raise CorruptPictureError(f"a picture of {self.name} is damaged")
        photo = photo_from_array(np.asarray(pixels, np.uint8), "bgr")
        return Picture(photo, arrived_ns, (time.perf_counter_ns() - started) / 1e6)

    def interrupt(self) -> None:
        """OpenCV cannot be interrupted; its time-outs end a call."""

    def close(self) -> None:
        """Let go of the camera."""
        if self._capture is not None:
            self._capture.release()
