"""Cameras on a ribbon cable (CSI): picamera2 on a Raspberry Pi, nvarguscamerasrc on a Jetson."""

import concurrent.futures
import importlib
import logging
import os
import time
from typing import Any

import cv2
import numpy as np

from lightcam_edge.errors import RuntimeMissingError
from lightcam_edge.images import Channels, photo_from_array
from lightcam_edge.streaming.sources.boards import (
    GSTREAMER_MISSING,
    PICAMERA2_MISSING,
    has_picamera2,
    is_jetson,
    opencv_has_gstreamer,
)
from lightcam_edge.streaming.sources.grammar import CaptureOptions
from lightcam_edge.streaming.sources.opencv_camera import OpenCvCamera
from lightcam_edge.streaming.sources.patience import Patience
from lightcam_edge.streaming.sources.reading import CaptureError, Picture, Throttle, Wants, always

SIZE_WH, FPS = (1280, 720), 30.0
# libcamera names formats by their bytes as one number: BGR888 lies in memory as RGB.
ORDERS: dict[str, Channels] = {"BGR888": "rgb", "RGB888": "bgr"}


def ribbon_problem() -> str:
    """What is missing here to read such a camera; empty where nothing is."""
    if is_jetson():
        return "" if opencv_has_gstreamer() else GSTREAMER_MISSING
    return "" if has_picamera2() else PICAMERA2_MISSING


def argus_pipeline(sensor: int, options: CaptureOptions) -> str:
    """The GStreamer pipeline that reads a Jetson's camera: newest picture only, BGR."""
    width, height = (options.width or SIZE_WH[0]), (options.height or SIZE_WH[1])
    rate = round((options.fps or FPS) * 1000)
    return (
        f"nvarguscamerasrc sensor-id={sensor} ! "
        f"video/x-raw(memory:NVMM),width={width},height={height},framerate={rate}/1000 ! "
        f"nvvidconv ! video/x-raw,format=BGRx,width={width},height={height} ! videoconvert ! "
        "video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"
    )


class ArgusCamera(OpenCvCamera):
    """Reads a Jetson's ribbon camera through GStreamer.

    Args:
        sensor: its number.
        options: how pictures are wished for.
    """

    def __init__(self, sensor: int, options: CaptureOptions) -> None:
        super().__init__(f"csi://{sensor}", options)
        self._sensor = sensor

    def open(self) -> None:
        """Start the pipeline."""
        if not opencv_has_gstreamer():
            raise RuntimeMissingError(GSTREAMER_MISSING)
        if not self.start(argus_pipeline(self._sensor, self.options), cv2.CAP_GSTREAMER):
            raise CaptureError(
                f"{self.name} gives no picture: is the ribbon cable in, and the sensor set up "
                "(`sudo /opt/nvidia/jetson-io/jetson-io.py`)? One that hangs: restart nvargus-daemon"
            )


class PiCamera:
    """Reads a Raspberry Pi's ribbon camera.

    Args:
        number: of the camera.
        options: how pictures are wished for.
        patience: how long it is waited for.
    """

    def __init__(self, number: int, options: CaptureOptions, patience: Patience) -> None:
        self._number = number
        self._options = options
        self._timeout = patience.stall_timeout
        self._throttle = Throttle(options.fps)
        self._camera: Any = None
        self._order: Channels = "rgb"

    def open(self) -> None:
        """Configure and start it."""
        try:
            library = importlib.import_module("picamera2").Picamera2
        except ImportError as error:
            reason = "" if error.name == "picamera2" else f" ({error})"
            raise RuntimeMissingError(PICAMERA2_MISSING + reason) from None
        if self._number >= len(library.global_camera_info()):
            raise CaptureError(
                f"there is no csi://{self._number}: is the ribbon cable in? (`rpicam-hello --list-cameras`)"
            )
        logging.getLogger("picamera2").setLevel(logging.CRITICAL)  # what it logs, it raises too
        # Made in two steps, so that `close` can reach one whose making fails.
        self._camera = library.__new__(library)
        try:
            self._camera.__init__(self._number)
            self._camera.configure(self._configuration())
            self._order = self._given_order()
            self._camera.start()
        except (RuntimeError, IndexError) as error:
            beneath = error.__cause__ or error.__context__ or error  # picamera2 says "did not complete" of it
            raise CaptureError(
                f"csi://{self._number} cannot be used: does another program have it? ({beneath})"
            ) from None

    def _configuration(self) -> Any:
        options = self._options
        size = (options.width or SIZE_WH[0], options.height or SIZE_WH[1])
        # picamera2 refuses a rate to a camera that cannot be told one; it is throttled here.
        told = "FrameDurationLimits" in self._camera.camera_controls
        return self._camera.create_video_configuration(
            main={"size": size, "format": "BGR888"},
            controls={"FrameRate": options.fps or FPS} if told else {},
        )

    def _given_order(self) -> Channels:
        """How colours lie in memory: who cannot give the format asked for is silently set to another."""
        given = self._camera.camera_configuration()["main"]["format"]
        if given not in ORDERS:
            raise CaptureError(
                f"csi://{self._number} gives {given}, not RGB: is it a USB camera? use v4l2://"
            )
        return ORDERS[given]

    def read(self, wants: Wants = always) -> Picture | None:
        """Wait for the next picture."""
        while True:
            pixels = self._capture()
            arrived_ns = time.monotonic_ns()
            if self._throttle.passes() and wants(arrived_ns):
                return Picture(photo_from_array(np.asarray(pixels, np.uint8), self._order), arrived_ns)

    def _capture(self) -> Any:
        try:
            return self._camera.capture_array("main", wait=self._timeout)
        except concurrent.futures.TimeoutError:
            raise CaptureError(
                f"csi://{self._number} gave no picture for {self._timeout:g} seconds: is its cable firmly in?"
            ) from None

    def interrupt(self) -> None:
        """The next picture, or the time-out, ends a call."""

    def close(self) -> None:
        """Stop it."""
        camera, self._camera = self._camera, None
        if camera is None:
            return
        was_open = camera.is_open
        camera.close()
        if not was_open:  # else each attempt at a camera in use would leave one end of a pipe
            os.close(camera.notifyme_w)
