import cv2
import numpy as np
import pytest

from lightcam_edge.box import Box, BoxRule, boxes_from_map


def test_iou_of_boxes_that_overlap_by_a_third() -> None:
    assert Box(0, 0, 4, 2).iou(Box(2, 0, 6, 2)) == pytest.approx(1 / 3)


def test_iou_of_equal_touching_inverted_and_empty_boxes() -> None:
    box = Box(1, 2, 5, 4)

    assert box.iou(box) == 1
    assert box.iou(Box(5, 2, 9, 4)) == 0
    assert box.iou(Box(3, 3, 3, 3)) == 0
    assert Box(5, 4, 1, 2).area == 0


CAM = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [0, 5, 5, 0, 0, 1],
        [0, 5, 10, 0, 0, 3],
        [0, 0, 0, 0, 0, 3],
    ],
    np.float32,
)


def test_the_largest_component_above_a_share_of_the_peak_is_boxed() -> None:
    assert boxes_from_map(CAM, BoxRule(0.2)) == [Box(1, 1, 3, 3)]


def test_every_component_is_boxed_the_largest_first() -> None:
    assert boxes_from_map(CAM, BoxRule(0.2), max_boxes=0) == [Box(1, 1, 3, 3), Box(5, 2, 6, 4)]
    assert boxes_from_map(CAM, BoxRule(0.05), max_boxes=2) == [Box(1, 1, 3, 3), Box(5, 1, 6, 4)]


def test_all_components_share_one_box() -> None:
    assert boxes_from_map(CAM, BoxRule(0.2, "all")) == [Box(1, 1, 6, 4)]


def test_a_pixel_at_the_threshold_does_not_count() -> None:
    assert boxes_from_map(CAM, BoxRule(0.5)) == [Box(2, 2, 3, 3)]


def test_pixels_that_touch_at_a_corner_belong_together() -> None:
    cam = np.array([[1, 0, 0], [0, 1, 0]], np.float32)

    assert boxes_from_map(cam, BoxRule()) == [Box(0, 0, 2, 2)]


@pytest.mark.parametrize(
    "cam",
    [
        np.zeros((3, 5), np.float32),
        np.full((3, 5), -1, np.float32),
        np.full((3, 5), np.nan, np.float32),
        np.array([[0, np.nan, 1]], np.float32),
        np.array([[0, np.inf, 1]], np.float32),
        np.zeros((0, 0), np.float32),
    ],
)
def test_a_map_without_a_finite_peak_has_no_box(cam: np.ndarray) -> None:
    for rule in (BoxRule(), BoxRule(component="all")):
        assert boxes_from_map(cam, rule) == []


def test_one_pixel_is_a_box_of_one_pixel() -> None:
    assert boxes_from_map(np.ones((1, 1), np.float32), BoxRule()) == [Box(0, 0, 1, 1)]


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"threshold 1.0 is outside \[0, 1\)"):
        BoxRule(1.0)
    with pytest.raises(ValueError, match="none of largest, all"):
        BoxRule(component="both")  # type: ignore[arg-type]


def test_a_part_inside_a_ring_is_a_part_of_its_own() -> None:
    cam = np.zeros((7, 9), np.float32)
    cam[0:7, 0:7] = 1
    cam[1:6, 1:6] = 0
    cam[2:5, 2:5] = 1
    cam[3, 8] = 1

    boxes = boxes_from_map(cam, BoxRule(0.5), max_boxes=0)

    assert boxes == [Box(0, 0, 7, 7), Box(2, 2, 5, 5), Box(8, 3, 9, 4)]


def test_a_ring_alone_is_one_part() -> None:
    cam = np.ones((5, 6), np.float32)
    cam[2, 2:4] = 0

    assert boxes_from_map(cam, BoxRule(0.5), max_boxes=0) == [Box(0, 0, 6, 5)]


def test_of_two_parts_of_one_size_the_upper_one_comes_first() -> None:
    cam = np.zeros((6, 9), np.float32)
    cam[2:4, 0:2] = cam[1:3, 4:6] = cam[3:5, 7:9] = 1

    boxes = boxes_from_map(cam, BoxRule(0.5), max_boxes=0)

    assert boxes == [Box(4, 1, 6, 3), Box(0, 2, 2, 4), Box(7, 3, 9, 5)]


def test_parts_come_in_the_order_of_the_pixels_that_they_cover(rng: np.random.Generator) -> None:
    for sigma in (0.3, 0.6, 1.0):
        cam = cv2.GaussianBlur(rng.random((60, 80)), (0, 0), sigma).astype(np.float32)
        count, labels, counted, _ = cv2.connectedComponentsWithStats((cam > 0.7 * cam.max()).view(np.uint8))
        first_pixel = [np.flatnonzero(labels == label)[0] for label in range(1, count)]
        order = np.lexsort((first_pixel, -counted[1:, cv2.CC_STAT_AREA]))
        rectangles = counted[1:, : cv2.CC_STAT_AREA][order].tolist()
        expected = [Box(x, y, x + width, y + height) for x, y, width, height in rectangles]

        assert boxes_from_map(cam, BoxRule(0.7), max_boxes=0) == expected
        assert len(expected) > 1
