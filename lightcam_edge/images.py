"""The one place that opens images."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Photo:
    """An upright image, perhaps decoded at a reduced scale.

    Args:
        pixels: (h, w, 3) uint8 RGB, showing the whole image.
        image_hw: height and width of the upright image in the file, in pixels.
    """

    pixels: UInt8
    image_hw: tuple[int, int]


def read_image(path: Path, enough_hw: tuple[int, int] | None = None) -> Photo:
    """Read an image file upright.

    Args:
        path: the file.
        enough_hw: a size that is enough; a larger JPEG may be decoded at a reduced scale of at least it.

    Raises:
        InputError: if the file is missing, empty, truncated, no image, or too large to be one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    return decode_image(content, str(path), enough_hw)


def decode_image(content: bytes, name: str, enough_hw: tuple[int, int] | None = None) -> Photo:
    """Decode an image file's bytes upright, see `read_image`; `name` is for the message."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if pixels is None:
        raise InputError(f"{name} is no image that can be read")
    return Photo(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8), pixels.shape[:2])


def photo_from_array(array: UInt8, channels: Literal["rgb", "bgr"] | None) -> Photo:
    """Take an array as an upright image.

    Raises:
        ValueError: if it is not (h, w, 3) uint8, or its channel order is not said.
    """
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
        raise ValueError(f"image is {array.shape} {array.dtype}, not (h, w, 3) uint8")
    if channels not in ("rgb", "bgr"):
        raise ValueError(f"channels is {channels!r}: say 'rgb' or 'bgr' for an array")
    pixels = array if channels == "rgb" else cv2.cvtColor(array, cv2.COLOR_BGR2RGB)
    return Photo(np.asarray(pixels, np.uint8), (array.shape[0], array.shape[1]))


def photo_from_pil(image: "Image.Image") -> Photo:
    """Take a Pillow image, turned upright by its EXIF orientation."""
    from PIL import ImageOps

    pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"), np.uint8)
    return Photo(pixels, (pixels.shape[0], pixels.shape[1]))
