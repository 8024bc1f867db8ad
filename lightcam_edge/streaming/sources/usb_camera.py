"""USB cameras, and whatever else is a V4L2 device."""

import errno
from pathlib import Path

import cv2

from lightcam_edge.streaming.sources.boards import VIDEO_GROUP
from lightcam_edge.streaming.sources.cameras import cameras_there
from lightcam_edge.streaming.sources.grammar import CaptureOptions
from lightcam_edge.streaming.sources.opencv_camera import OpenCvCamera
from lightcam_edge.streaming.sources.reading import CaptureError
from lightcam_edge.streaming.sources.v4l2 import Mode, device_ioctl, read_capability, read_modes, wants_mjpeg


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
        modes = self._ask()
        wanted: dict[int, float] = {}
        options = self.options
        if options.width is not None and options.height is not None:
            if wants_mjpeg(modes, (options.width, options.height), options.fps):
                wanted[cv2.CAP_PROP_FOURCC] = cv2.VideoWriter.fourcc(*"MJPG")
            wanted[cv2.CAP_PROP_FRAME_WIDTH] = options.width
            wanted[cv2.CAP_PROP_FRAME_HEIGHT] = options.height
        if options.fps is not None:
            wanted[cv2.CAP_PROP_FPS] = options.fps
        if not self.start(str(self._device.resolve()), cv2.CAP_V4L2, settings=wanted):
            raise CaptureError(f"{self._device} gives no picture: {self._busy()}")

    def _ask(self) -> tuple[Mode, ...]:
        """What the device offers.

        Raises:
            CaptureError: if it is no camera, or may not be opened.
        """
        try:
            with device_ioctl(self._device) as ioctl:
                told = read_capability(ioctl)
                modes = read_modes(ioctl, told.buffer_type) if told.is_camera else ()
        except FileNotFoundError:
            raise CaptureError(f"there is no {self._device}: {cameras_there()}") from None
        except PermissionError:
            raise CaptureError(f"{self._device} {VIDEO_GROUP}") from None
        except OSError as error:
            fix = self._busy() if error.errno == errno.EBUSY else error.strerror
            raise CaptureError(f"{self._device} cannot be used as a camera: {fix}") from None
        if not told.is_camera:
            raise CaptureError(f"{self._device} is no camera but {told.card}: {cameras_there()}")
        return modes

    def _busy(self) -> str:
        return f"does another program have it (`fuser {self._device}` tells which)?"
