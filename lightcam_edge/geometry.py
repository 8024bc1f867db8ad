"""The way from an image to the model's input frame and back, in one place."""

from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.box import Box

UInt8 = npt.NDArray[np.uint8]
Resize = Literal["squash", "letterbox", "crop"]
RESIZES: tuple[Resize, ...] = get_args(Resize)


@dataclass(frozen=True, slots=True)
class Fit:
    """How one image lies in the model's input: x_input = x_image * scale_x + offset_x.

    `squash` stretches the image over the input, `letterbox` keeps its aspect
    and pads, `crop` keeps its aspect and cuts what stands out, both centred.

    Args:
        image_hw: height and width of the upright image, in pixels.
        input_hw: height and width of the model's input, in pixels.
        resize: how the one fits the other.
    """

    image_hw: tuple[int, int]
    input_hw: tuple[int, int]
    resize: Resize = "squash"

    @property
    def scale_xy(self) -> tuple[float, float]:
        """Input pixels an image pixel, along x and y."""
        sy, sx = (i / n for i, n in zip(self.input_hw, self.image_hw, strict=True))
        if self.resize == "squash":
            return sx, sy
        s = min(sx, sy) if self.resize == "letterbox" else max(sx, sy)
        return s, s

    @property
    def offset_xy(self) -> tuple[float, float]:
        """Where the image's origin lies in the input frame, in input pixels."""
        sx, sy = self.scale_xy
        return (self.input_hw[1] - self.image_hw[1] * sx) / 2, (self.input_hw[0] - self.image_hw[0] * sy) / 2

    def to_input(self, box: Box) -> Box:
        """Carry a box from the image frame to the input frame, unclipped."""
        (sx, sy), (ox, oy) = self.scale_xy, self.offset_xy
        return Box(box.x0 * sx + ox, box.y0 * sy + oy, box.x1 * sx + ox, box.y1 * sy + oy)

    def to_image(self, box: Box) -> Box:
        """Carry a box from the input frame to the image frame, clipped to the image."""
        (sx, sy), (ox, oy) = self.scale_xy, self.offset_xy
        height, width = self.image_hw
        x0, x1 = (min(max((x - ox) / sx, 0.0), float(width)) for x in (box.x0, box.x1))
        y0, y1 = (min(max((y - oy) / sy, 0.0), float(height)) for y in (box.y0, box.y1))
        return Box(x0, y0, x1, y1)


def fit_pixels(pixels: UInt8, fit: Fit) -> UInt8:
    """Resample pixels of any size, showing the whole of `fit.image_hw`, to the model's input.

    Args:
        pixels: (h, w, 3) uint8; may be a reduced decoding of the image, since
            only the share of the frame counts.
        fit: how the image lies in the input.

    Returns:
        (H, W, 3) uint8, contiguous; letterbox padding is mid-grey (127).
    """
    height, width = fit.input_hw
    if fit.resize == "squash":
        return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    (sx, sy), (ox, oy) = fit.scale_xy, fit.offset_xy
    sx *= fit.image_hw[1] / pixels.shape[1]
    sy *= fit.image_hw[0] / pixels.shape[0]
    # cv2 counts from pixel centres, Fit from pixel edges: half a pixel apart on either side.
    matrix = np.array([[sx, 0, ox + sx / 2 - 0.5], [0, sy, oy + sy / 2 - 0.5]])
    border = cv2.BORDER_CONSTANT if fit.resize == "letterbox" else cv2.BORDER_REPLICATE
    fitted = cv2.warpAffine(
        pixels,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=border,
        borderValue=(127, 127, 127),
    )
    return np.asarray(fitted, np.uint8)
