import numpy as np
import pytest

from lightcam_edge.images import Photo
from lightcam_edge.streaming.sources.grammar import Flip, Rotation
from lightcam_edge.streaming.sources.turning import Turning

#  1 2 3
#  4 5 6
PIXELS = np.repeat(np.arange(1, 7, dtype=np.uint8).reshape(2, 3, 1), 3, axis=2)


@pytest.mark.parametrize(
    ("rotate", "flip", "turned"),
    [
        (0, "none", [[1, 2, 3], [4, 5, 6]]),
        (90, "none", [[4, 1], [5, 2], [6, 3]]),
        (180, "none", [[6, 5, 4], [3, 2, 1]]),
        (270, "none", [[3, 6], [2, 5], [1, 4]]),
        (0, "horizontal", [[3, 2, 1], [6, 5, 4]]),
        (0, "vertical", [[4, 5, 6], [1, 2, 3]]),
        (90, "horizontal", [[1, 4], [2, 5], [3, 6]]),
    ],
)
def test_pictures_are_rotated_and_then_flipped(rotate: Rotation, flip: Flip, turned: list[list[int]]) -> None:
    photo = Turning(rotate, flip)(Photo(PIXELS, (2, 3)))

    assert photo.pixels[..., 0].tolist() == turned
    assert photo.image_hw == (len(turned), len(turned[0]))
    assert photo.pixels.flags.c_contiguous


def test_a_reduced_picture_keeps_telling_the_whole_ones_size() -> None:
    assert Turning(90)(Photo(PIXELS, (8, 12))).image_hw == (12, 8)
