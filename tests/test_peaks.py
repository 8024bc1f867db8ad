import numpy as np
import pytest

from lightcam_edge.box import Box
from lightcam_edge.peaks import boxes_by_peaks


def hills(*hills: tuple[float, float, float, float], hw: tuple[int, int] = (14, 14)) -> np.ndarray:
    """A map with round hills: row, column, height and radius in cells."""
    rows, columns = np.mgrid[: hw[0], : hw[1]]
    maps = [h * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * r * r)) for y, x, h, r in hills]
    return np.sum(maps, axis=0).astype(np.float32)


def centres(boxes: list[Box]) -> list[tuple[float, float]]:
    return [((box.y0 + box.y1) / 2, (box.x0 + box.x1) / 2) for box in boxes]


def test_hills_that_touch_get_a_box_each_the_larger_first() -> None:
    cam = hills((4, 3, 10, 1.5), (4, 10, 8, 1.2))

    boxes = boxes_by_peaks(cam, (224, 224), 0.2)

    # the middle of cell 4 lies at (4 + 0.5) * 16 pixels
    assert np.array(centres(boxes)) == pytest.approx(np.array([(72, 56), (72, 168)]), abs=6)
    assert boxes[0].x1 <= boxes[1].x0


def test_a_weak_object_beside_a_strong_one_is_boxed_by_its_own_peak() -> None:
    boxes = boxes_by_peaks(hills((3, 3, 10, 1.0), (11, 11, 1.9, 1.0)), (224, 224), 0.2)

    weak, strong = sorted(boxes, key=lambda box: -box.x0)
    assert centres([weak])[0] == pytest.approx((184, 184), abs=8)
    assert 12 < weak.x1 - weak.x0 <= strong.x1 - strong.x0


def test_one_hill_with_two_heads_is_one_object() -> None:
    cam = hills((6, 5, 10, 2.0), (6, 9, 10, 2.0))
    dip = cam[6, 7] / cam[6].max()

    assert dip > 0.8
    assert len(boxes_by_peaks(cam, (224, 224), 0.2)) == 1


def test_a_plateau_is_one_object_in_a_frame_of_any_shape() -> None:
    cam = np.zeros((4, 6), np.float32)
    cam[1:3, 2:5] = 3

    (box,) = boxes_by_peaks(cam, (64, 192), 0.2)

    assert (box.y0 < 24, box.x0 < 72, box.y1 > 40, box.x1 > 152) == (True,) * 4


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_a_map_without_a_peak_has_no_box(value: float) -> None:
    assert boxes_by_peaks(np.full((14, 14), value, np.float32), (224, 224), 0.2) == []


def test_a_single_place_is_a_box() -> None:
    cam = np.zeros((7, 7), np.float32)
    cam[2, 3] = 1
    (box,) = boxes_by_peaks(cam, (70, 70), 0.5)
    assert centres([box])[0] == pytest.approx((25, 35), abs=1)
