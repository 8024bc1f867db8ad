"""The one place that opens images."""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.errors import InputError
from lightcam_edge.geometry import reduction
from lightcam_edge.jpeg import JpegHeader, read_jpeg_header

if TYPE_CHECKING:
    from PIL import Image

UInt8 = npt.NDArray[np.uint8]
Channels = Literal["rgb", "bgr"]

MAX_FILE_BYTES = 1 << 29
MAX_PIXELS = 120_000_000  # above the 108 megapixels of a telephone; what is larger is refused unread
# Not every format Pillow knows: some (EPS) run another program.
PILLOW_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "TIFF")
FORMATS = "JPEG, PNG, WebP, GIF, TIFF, BMP or PPM"
ALPHA_BACKGROUND = (255, 255, 255)  # what a viewer shows behind transparent pixels
_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


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
    return decode_image(_content(path), str(path), enough_hw)


def _content(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{path} is a folder, not an image")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path} is a pipe, socket or device, not an image file")
        if status.st_size > MAX_FILE_BYTES:
            raise InputError(
                f"{path} has {status.st_size} bytes, more than {MAX_FILE_BYTES} an image may have"
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def decode_image(content: bytes, name: str, enough_hw: tuple[int, int] | None = None) -> Photo:
    """Decode an image file's bytes upright.

    JPEG goes through OpenCV, which decodes at a half, a quarter or an eighth
    as fast as Pillow or faster, and spares the import of Pillow. Everything
    else, and any JPEG that is out of the ordinary, goes through Pillow.

    Args:
        content: the file.
        name: of the file, for messages.
        enough_hw: see `read_image`.

    Raises:
        InputError: see `read_image`.
    """
    try:
        return _decode(content, enough_hw)
    except InputError as error:
        raise InputError(f"{name} {error}") from error.__cause__


def _decode(content: bytes, enough_hw: tuple[int, int] | None) -> Photo:
    if not content:
        raise InputError("is empty: copy it again")
    header = read_jpeg_header(content)
    if header is None:
        return _decode_with_pillow(content)
    _check_size(header.height, header.width)
    if not header.complete:
        raise InputError("is cut short, its end is missing: copy it again")
    pixels = _decode_jpeg(content, header, enough_hw) if header.ordinary else None
    if pixels is None:
        return _decode_with_pillow(content)
    return Photo(upright(pixels, header.orientation), header.upright_hw)


def _check_size(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise InputError(f"has {width}x{height} pixels, more than {limit} million: scale it down")


def _decode_jpeg(content: bytes, header: JpegHeader, enough_hw: tuple[int, int] | None) -> UInt8 | None:
    """Pixels as they are stored, or None where OpenCV cannot."""
    scale = 1 if enough_hw is None else reduction(header.upright_hw, enough_hw)
    flags = _REDUCED[scale] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        return None
    return None if pixels is None else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def upright(pixels: UInt8, orientation: int) -> UInt8:
    """Turn stored pixels as their EXIF orientation says (EXIF 2.3, tag 0x0112).

    Args:
        pixels: (h, w, ...) as stored.
        orientation: 1 to 8; anything else counts as 1.

    Returns:
        The image as it should be seen, contiguous.
    """
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _decode_with_pillow(content: bytes) -> Photo:
    import io

    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=PILLOW_FORMATS) as image:
            _check_size(image.height, image.width)
            return _photo(image)
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"is no image that can be read: give a {FORMATS} file") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"has too many pixels ({_one_line(error)}): scale it down") from error
    except Exception as error:  # its plugins raise anything at all on damaged files
        raise InputError(f"is damaged or cut short ({_one_line(error)}): copy it again") from error


def _one_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def photo_from_array(array: UInt8, channels: Channels | None) -> Photo:
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
    """Take a Pillow image, turned upright by its EXIF orientation; transparent pixels become white.

    Raises:
        InputError: if its pixels are floating point numbers, whose range nothing tells.
    """
    try:
        return _photo(image)
    except InputError as error:
        raise InputError(f"the image {error}") from None


def _photo(image: "Image.Image") -> Photo:
    image.load()
    # Pillow turns TIFF while it loads; PNG may have its EXIF behind the pixels.
    orientation = 1 if image.format == "TIFF" else image.getexif().get(0x0112, 1)
    pixels = upright(_rgb(image), orientation)
    return Photo(pixels, (pixels.shape[0], pixels.shape[1]))


def _rgb(image: "Image.Image") -> UInt8:
    if image.mode == "F":
        raise InputError("has floating point pixels, whose range nothing tells: save it with 8 or 16 bits")
    if image.mode == "I" or image.mode.startswith("I;16"):
        grey = np.clip(np.asarray(image, np.int64), 0, 65535) // 257
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        from PIL import Image

        image = image.convert("RGBA")
        backdrop = Image.new("RGBA", image.size, (*ALPHA_BACKGROUND, 255))
        image = Image.alpha_composite(backdrop, image)
    return np.asarray(image.convert("RGB"), np.uint8)
