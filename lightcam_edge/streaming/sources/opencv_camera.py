"""Cameras that OpenCV reads: USB (V4L2), RTSP (FFmpeg) and the Jetson's ribbon cable (GStreamer)."""

import errno
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np

from lightcam_edge.images import photo_from_array
from lightcam_edge.streaming.sources.grammar import CaptureOptions
from lightcam_edge.streaming.sources.http_camera import split_login
from lightcam_edge.streaming.sources.reading import CaptureError, CorruptPictureError, Picture, Throttle
from lightcam_edge.streaming.sources.redaction import redact

FFMPEG_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
# TCP loses no packets; FFmpeg's own queue would make pictures old.
RTSP_OPTIONS = "rtsp_transport;tcp|fflags;nobuffer+discardcorrupt"
RTSP_PORT = 554
PROBE_SECONDS = 2.0
VIDEO_GROUP = "may not be opened: run `sudo usermod -aG video $USER`, and log in again"


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

    def start(self, address: str, backend: int, parameters: Sequence[int] = ()) -> bool:
        """Open the capture. Returns whether that worked."""
        self._capture = cv2.VideoCapture(address, backend, list(parameters))
        return self._capture.isOpened()

    def read(self) -> Picture | None:
        """Wait for the next picture."""
        if self._capture is None:
            raise CaptureError(f"{self.name} is not open")
        while self._capture.grab():
            arrived_ns = time.monotonic_ns()
            if self._throttle.passes():
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


class RtspCamera(OpenCvCamera):
    """Reads an RTSP stream through FFmpeg.

    Args:
        url: with user name and password where the camera asks for them.
        options: how pictures are wished for.
        timeout: seconds without a packet that count as a loss.
    """

    def __init__(self, url: str, options: CaptureOptions, timeout: float) -> None:
        super().__init__(redact(split_login(url)[0]), options)
        self._url = url
        self._timeout = timeout

    def open(self) -> None:
        """Connect, and read until the pictures' format is known."""
        os.environ.setdefault(FFMPEG_OPTIONS, RTSP_OPTIONS)
        milliseconds = max(int(self._timeout * 1000), 1)
        timeouts = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            milliseconds,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            milliseconds,
        ]
        if not self.start(self._url, cv2.CAP_FFMPEG, timeouts):
            raise CaptureError(why_no_stream(self._url))


def why_no_stream(url: str) -> str:
    """Ask an RTSP server itself, since OpenCV does not tell why it cannot open a stream.

    The question goes without user name and password: a server that wants
    them tells so, and any other answer is about the path.
    """
    bare, login = split_login(url)
    shown = redact(bare)
    parts = urlsplit(bare)
    question = f"DESCRIBE {bare} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    try:
        with socket.create_connection((parts.hostname, parts.port or RTSP_PORT), PROBE_SECONDS) as server:
            if parts.scheme == "rtsps":
                return f"{shown} opens no stream: check path, user name and password"
            server.sendall(question.encode())
            answer = server.recv(1024).decode(errors="replace").partition("\r\n")[0]
    except socket.gaierror:
        return f"cannot reach {shown}: no such host"
    except TimeoutError:
        return f"cannot reach {shown}: it does not answer"
    except OSError as error:
        return f"cannot reach {shown}: {error.strerror or error}"
    if " 401 " in answer:
        fix = "its user name or password is wrong" if login else "write rtsp://USER:PASSWORD@HOST/PATH"
        return f"{shown} asks for a password: {fix}"
    if " 200 " in answer:
        return f"{shown} answers but gives no picture that can be read: try H.264"
    return f"{shown} answers {answer.removeprefix('RTSP/1.0 ') or 'nothing'}: check the path"


class UsbCamera(OpenCvCamera):
    """Reads a V4L2 device.

    Args:
        device: such as /dev/video0.
        options: how pictures are wished for; the camera takes its nearest.
    """

    def __init__(self, device: str, options: CaptureOptions) -> None:
        super().__init__(device, options)
        self._device = Path(device)

    def open(self) -> None:
        """Open the device and ask for format, size and rate."""
        self._check()
        options = self.options
        if not self.start(str(self._device), cv2.CAP_V4L2) or self._capture is None:
            raise CaptureError(
                f"{self._device} gives no picture: does another program have it (`fuser {self._device}`)?"
            )
        if options.width is not None and options.height is not None:
            # Raw pictures of this size come at a few frames/s over USB 2.
            if options.width * options.height > 640 * 480:
                self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, options.width)
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, options.height)
        if options.fps is not None:
            self._capture.set(cv2.CAP_PROP_FPS, options.fps)

    def _check(self) -> None:
        try:
            os.close(os.open(self._device, os.O_RDWR | os.O_NONBLOCK))
        except FileNotFoundError:
            raise CaptureError(f"there is no {self._device}: {cameras_there()}") from None
        except PermissionError:
            raise CaptureError(f"{self._device} {VIDEO_GROUP}") from None
        except OSError as error:
            busy = error.errno == errno.EBUSY
            fix = f"another program has it (`fuser {self._device}` tells which)" if busy else error.strerror
            raise CaptureError(f"{self._device} cannot be opened: {fix}") from None


def cameras_there() -> str:
    """What a message about a missing camera says of those that are there."""
    found = sorted(str(path) for path in Path("/dev").glob("video*"))
    return f"there are {', '.join(found)}" if found else "no camera is plugged in"
