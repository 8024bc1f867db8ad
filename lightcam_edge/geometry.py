"""The way from an image to the model's input frame and back, in one place."""

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.box import Box
from lightcam_edge.choices import RESIZES as RESIZES
from lightcam_edge.choices import Resize as Resize

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]
WARP_SIDE = 32766  # the longest side that cv2.warpAffine takes, in pixels


@dataclass(frozen=True, slots=True)
class Fit:
    """How one image lies in the model's input: x_input = x_image * scale_x + offset_x.

    `squash` stretches the image over the input, `letterbox` keeps its aspect
    and pads, `crop` keeps its aspect and cuts what stands out, both centred.

    Args:
        image_hw: height and width of the upright image, in pixels.
        input_hw: height and width of the model's input, in pixels.
        resize: how the one fits the other.

    Attributes:
        scale_xy: input pixels an image pixel, along x and y.
        offset_xy: where the image's origin lies in the input frame, in input pixels.
    """

    image_hw: tuple[int, int]
    input_hw: tuple[int, int]
    resize: Resize = "squash"
    scale_xy: tuple[float, float] = field(init=False, repr=False, compare=False)
    offset_xy: tuple[float, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        (height, width), (input_height, input_width) = self.image_hw, self.input_hw
        sx, sy = input_width / width, input_height / height
        if self.resize != "squash":
            sx = sy = min(sx, sy) if self.resize == "letterbox" else max(sx, sy)
        offset_xy = ((input_width - width * sx) / 2, (input_height - height * sy) / 2)
        object.__setattr__(self, "scale_xy", (sx, sy))
        object.__setattr__(self, "offset_xy", offset_xy)

    def to_input(self, box: Box) -> Box:
        """Carry a box from the image frame to the input frame, unclipped."""
        (sx, sy), (ox, oy) = self.scale_xy, self.offset_xy
        return Box(box.x0 * sx + ox, box.y0 * sy + oy, box.x1 * sx + ox, box.y1 * sy + oy)

    def to_image(self, box: Box) -> Box:
        """Carry a box from the input frame to the image frame, clipped to the image."""
        (sx, sy), (ox, oy) = self.scale_xy, self.offset_xy
        height, width = map(float, self.image_hw)
        return Box(
            min(max((box.x0 - ox) / sx, 0.0), width),
            min(max((box.y0 - oy) / sy, 0.0), height),
            min(max((box.x1 - ox) / sx, 0.0), width),
            min(max((box.y1 - oy) / sy, 0.0), height),
        )


def reduction(size_hw: tuple[int, int], enough_hw: tuple[int, int]) -> int:
    """The largest of 8, 4, 2 and 1 by which a size can be divided and still be enough."""
    times = min(size_hw[0] // enough_hw[0], size_hw[1] // enough_hw[1])
    return 8 if times >= 8 else 4 if times >= 4 else 2 if times >= 2 else 1


def fit_pixels(pixels: UInt8, fit: Fit) -> UInt8:
    """Resample pixels of any size, showing the whole of `fit.image_hw`, to the model's input.

    Large images are first halved by averaging, as often as leaves enough: a
    bilinear sample sees four pixels only, and a JPEG decoded at a reduced
    scale must look the same as one decoded in full. Every processor comes to
    the same pixels: what INTER_LINEAR rounds otherwise on ARM, by a grey level
    in a third of the input, INTER_LINEAR_EXACT does in whole numbers.

    Args:
        pixels: (h, w, 3) uint8; may be a reduced decoding of the image.
        fit: how the image lies in the input.

    Returns:
        (H, W, 3) uint8, contiguous; letterbox padding is mid-grey (127).
    """
    pixels, pitch_yx = _shrink(pixels, fit)
    height, width = fit.input_hw
    covered_hw = tuple(pitch * n for pitch, n in zip(pitch_yx, pixels.shape, strict=False))
    if fit.resize == "squash" and covered_hw == fit.image_hw:
        return _resize_exactly(pixels, (height, width))
    (sx, sy), (ox, oy) = fit.scale_xy, fit.offset_xy
    fitted = cv2.warpAffine(
        pixels,
        _matrix(sx * pitch_yx[1], sy * pitch_yx[0], ox, oy),
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT if fit.resize == "letterbox" else cv2.BORDER_REPLICATE,
        borderValue=(127, 127, 127),
    )
    return np.asarray(fitted, np.uint8)


def _shrink(pixels: UInt8, fit: Fit) -> tuple[UInt8, list[float]]:
    """Halve pixels as often as leaves enough; also says how many image pixels each covers, (y, x)."""
    pitch_yx = [_pitch(n, decoded) for n, decoded in zip(fit.image_hw, pixels.shape, strict=False)]
    while reduction(pixels.shape[:2], fit.input_hw) > 1:
        height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
        pixels = _average(pixels[: 2 * height, : 2 * width], (height, width))
        pitch_yx = [2 * pitch for pitch in pitch_yx]
    if max(pixels.shape) > WARP_SIDE:
        height, width = min(pixels.shape[0], WARP_SIDE), min(pixels.shape[1], WARP_SIDE)
        pitch_yx = [pitch_yx[0] * pixels.shape[0] / height, pitch_yx[1] * pixels.shape[1] / width]
        pixels = _average(pixels, (height, width))
    return pixels, pitch_yx


def _resize_exactly(pixels: UInt8, size_hw: tuple[int, int]) -> UInt8:
    """Resample three channels as four, which OpenCV does faster, to the same values."""
    four = cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)
    fitted = cv2.resize(four, size_hw[::-1], interpolation=cv2.INTER_LINEAR_EXACT)
    return np.asarray(cv2.cvtColor(fitted, cv2.COLOR_RGBA2RGB), np.uint8)


def _average(pixels: UInt8, size_hw: tuple[int, int]) -> UInt8:
    return np.asarray(cv2.resize(pixels, size_hw[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _pitch(image_size: int, decoded_size: int) -> float:
    """Image pixels that a decoded pixel covers; a reduced decoding's last one may stand out over the edge."""
    for scale in (1, 2, 4, 8):
        if -(-image_size // scale) == decoded_size:
            return scale
    return image_size / decoded_size


def _matrix(scale_x: float, scale_y: float, offset_x: float, offset_y: float) -> Matrix:
    """Affine matrix for OpenCV, which counts from pixel centres, where `Fit` counts from pixel edges."""
    return np.array(
        [
            [scale_x, 0, offset_x + (scale_x - 1) / 2],
            [0, scale_y, offset_y + (scale_y - 1) / 2],
        ]
    )


def cam_over_image(cam: Float32, fit: Fit, size_hw: tuple[int, int] | None = None) -> Float32:
    """Carry an activation map from the input frame to the image frame.

    Args:
        cam: (h, w) map over the model's whole input.
        fit: how the image lies in the input.
        size_hw: height and width to sample the image at; its own if None.

    Returns:
        (height, width) map over the image, bilinear.
    """
    height, width = size_hw or fit.image_hw
    (sx, sy), (ox, oy) = fit.scale_xy, fit.offset_xy
    cell_y, cell_x = (n / c for n, c in zip(fit.input_hw, cam.shape, strict=True))
    to_y, to_x = height / fit.image_hw[0], width / fit.image_hw[1]
    matrix = _matrix(cell_x / sx * to_x, cell_y / sy * to_y, -ox / sx * to_x, -oy / sy * to_y)
    carried = cv2.warpAffine(
        cam, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(carried, np.float32)
