"""Turns pictures of a camera that hangs on its side, on its head or behind a mirror."""

from dataclasses import dataclass

import cv2
import numpy as np

from lightcam_edge.images import Photo
from lightcam_edge.streaming.sources.grammar import Flip, Rotation

_ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_FLIPS = {"horizontal": 1, "vertical": 0}


@dataclass(frozen=True, slots=True)
class Turning:
    """How pictures are turned.

    Args:
        rotate: clockwise, in degrees.
        flip: after it.
    """

    rotate: Rotation = 0
    flip: Flip = "none"

    def __call__(self, photo: Photo) -> Photo:
        """Turn a picture."""
        if self.rotate == 0 and self.flip == "none":
            return photo
        pixels: cv2.typing.MatLike = photo.pixels
        if self.rotate:
            pixels = cv2.rotate(pixels, _ROTATIONS[self.rotate])
        if self.flip != "none":
            pixels = cv2.flip(pixels, _FLIPS[self.flip])
        height, width = photo.image_hw
        turned_hw = (width, height) if self.rotate in (90, 270) else (height, width)
        return Photo(np.asarray(pixels, np.uint8), turned_hw)
