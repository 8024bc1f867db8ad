from pathlib import Path

import numpy as np
import painted
import pytest
from PIL import Image

from lightcam_edge.box import Box
from lightcam_edge.errors import InputError
from lightcam_models.datasets.photographs import EXIF_ORIENTATION
from lightcam_models.evaluation.canvas import (
    Placement,
    canvas_hw,
    compose,
    open_canvas,
    place,
    visible_boxes,
)
from lightcam_models.evaluation.cut_outs import CutOut, cut_by_alpha, solid_extent


def solid(height: int, width: int, colour: tuple[int, int, int] = (230, 40, 40)) -> CutOut:
    return CutOut(
        "solid", "red", np.full((height, width, 3), colour, np.uint8), np.full((height, width), 255, np.uint8)
    )


@pytest.mark.parametrize("share", [0.25, 0.7])
@pytest.mark.parametrize("shape", [(30, 10), (10, 30), (400, 20)])
def test_a_placed_object_takes_its_share_and_stays_inside(
    share: float, shape: tuple[int, int], rng: np.random.Generator
) -> None:
    canvas_hw = (200, 300)

    for _ in range(20):
        box = place(solid(*shape), canvas_hw, share, rng).box
        assert 0 <= box.x0 < box.x1 <= 300
        assert 0 <= box.y0 < box.y1 <= 200
        taken = max((box.x1 - box.x0) / 300, (box.y1 - box.y0) / 200)
        assert taken == pytest.approx(share, abs=0.01)


def test_composing_mixes_by_alpha_and_leaves_the_rest() -> None:
    scene = np.full((10, 12, 3), 100, np.uint8)
    half = CutOut("half", "red", np.full((2, 3, 3), 200, np.uint8), np.full((2, 3), 51, np.uint8))

    canvas = compose(
        scene, [Placement(half, (4, 5), (3, 2)), Placement(solid(1, 1, (7, 7, 7)), (4, 5), (1, 1))]
    )

    assert canvas[5, 5].tolist() == [120, 120, 120]
    assert canvas[5, 4].tolist() == [7, 7, 7]
    canvas[5:7, 4:7] = 100
    assert np.array_equal(canvas, scene)


def test_the_true_box_is_the_solid_part_of_what_was_drawn(tmp_path: Path, rng: np.random.Generator) -> None:
    cut = cut_by_alpha(painted.save_cut_out(tmp_path / "one.png", (230, 40, 40)), "red")
    placement = place(cut, (100, 100), 0.5, rng)

    drawn = compose(np.zeros((100, 100, 3), np.uint8), [placement])

    assert solid_extent((drawn[..., 0] >= 115).astype(np.uint8) * 255) == placement.box


def test_an_object_is_where_it_is_seen_and_not_behind_another() -> None:
    behind, before = Placement(solid(6, 8), (2, 1), (8, 6)), Placement(solid(9, 4), (7, 0), (4, 9))

    assert visible_boxes([behind, before], (12, 20)) == [Box(2, 1, 7, 7), Box(7, 0, 11, 9)]
    assert visible_boxes([before, behind], (12, 20)) == [Box(7, 0, 11, 9), Box(2, 1, 10, 7)]


def test_a_scene_that_its_camera_turned_is_upright_on_the_canvas(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    Image.fromarray(painted.paint((112, 150))).save(tmp_path / "turned.jpg", exif=exif)

    assert canvas_hw(tmp_path / "turned.jpg") == (300, 224)
    assert open_canvas(tmp_path / "turned.jpg").shape == (300, 224, 3)


def test_a_scene_that_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()

    with pytest.raises(InputError, match=r"cannot read .*empty.jpg"):
        canvas_hw(tmp_path / "empty.jpg")
