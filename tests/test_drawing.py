from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from lightcam_edge.box import Box
from lightcam_edge.drawing import BLACK, COLOURS, crop, draw_boxes, draw_heat, side_by_side, to_jpeg
from lightcam_edge.geometry import Fit
from lightcam_edge.localizer import Detection, Localization

IMAGE_HW = (120, 200)
SCORES = np.array([0.9, 0.1], np.float32)


def found(*boxes: Box, label: str = "bird", cam: Sequence[Sequence[float]] = ((0, 1),)) -> Localization:
    detections = tuple(Detection(box, 0, label, 0.9) for box in boxes)
    cam_array = np.array(cam, np.float32)
    return Localization(0, label, 0.9, SCORES, detections, cam_array, Fit(IMAGE_HW, (60, 100)), {})


@pytest.fixture
def grey() -> np.ndarray:
    return np.full((*IMAGE_HW, 3), 128, np.uint8)


def test_a_box_is_drawn_on_its_edge_and_nothing_inside_it(grey: np.ndarray) -> None:
    picture = draw_boxes(grey, found(Box(40, 50, 140, 110)))

    for y, x in ((80, 40), (80, 139), (109, 90), (50, 120)):
        assert picture[y, x].tolist() == list(COLOURS[0])
    assert (picture[60:100, 50:130] == 128).all()
    assert (picture[115:, :] == 128).all()
    assert (grey == 128).all()


def test_a_boxs_line_is_seen_on_its_own_colour() -> None:
    same = np.full((*IMAGE_HW, 3), COLOURS[0], np.uint8)

    picture = draw_boxes(same, found(Box(40, 50, 140, 110)))

    assert BLACK in {tuple(pixel) for pixel in picture[80, 36:45].tolist()}


def test_a_box_of_the_whole_image_is_seen_on_every_side(grey: np.ndarray) -> None:
    picture = draw_boxes(grey, found(Box(0, 0, 200, 120)))

    for y, x in ((60, 0), (60, 199), (119, 100), (0, 195)):
        assert picture[y, x].tolist() == list(COLOURS[0])


def test_the_label_stands_above_the_box_or_inside_where_there_is_no_room(grey: np.ndarray) -> None:
    above = draw_boxes(grey, found(Box(40, 50, 140, 110)))
    inside = draw_boxes(grey, found(Box(40, 4, 140, 110)))

    assert (above[30:48, 45:60] != 128).any()
    assert (inside[8:20, 45:60] != 128).any()
    assert (inside[:2] == 128).all()


def test_a_picture_half_as_large_has_its_boxes_at_half(grey: np.ndarray) -> None:
    picture = draw_boxes(grey[::2, ::2], found(Box(40, 60, 140, 110)))

    assert picture.shape == (60, 100, 3)
    assert picture[40, 20].tolist() == list(COLOURS[0])
    assert picture[40, 69].tolist() == list(COLOURS[0])


def test_without_a_box_the_corner_says_so(grey: np.ndarray) -> None:
    picture = draw_boxes(grey, found())

    assert (picture[:12, :20] != 128).any()
    assert (picture[40:] == 128).all()


@pytest.mark.parametrize("hw", [(1, 1), (9, 30), (300, 8)])
def test_the_smallest_images_and_strangest_labels_can_be_drawn(hw: tuple[int, int]) -> None:
    pixels = np.zeros((*hw, 3), np.uint8)

    for label in ("Vögel", "鳥", "x" * 200):
        assert draw_boxes(pixels, found(Box(0, 0, 200, 120), label=label)).shape == (*hw, 3)


def test_the_heat_map_is_red_at_the_peak_and_leaves_the_rest_alone(grey: np.ndarray) -> None:
    heat = draw_heat(grey, found(cam=[[-1, 0, 4]]))

    assert (heat[:, :60] == 128).all()
    red, green, blue = heat[60, 195].astype(int)
    assert red > green + 40
    assert red > blue + 40


@pytest.mark.parametrize("cam", [[[0, 0]], [[-1, -2]], [[np.nan, 1]]])
def test_a_map_without_a_peak_leaves_the_image_alone(grey: np.ndarray, cam: list[list[float]]) -> None:
    assert (draw_heat(grey, found(cam=cam)) == grey).all()


def test_a_map_over_an_image_larger_than_it_is_sampled() -> None:
    tall = np.full((2200, 30, 3), 128, np.uint8)
    result = Localization(
        0, "a", 1, SCORES, (), np.array([[0], [1]], np.float32), Fit((2200, 30), (32, 32)), {}
    )

    heat = draw_heat(tall, result)

    assert heat.shape == tall.shape
    assert (heat[:500] == 128).all()
    assert (heat[-1, :, 0] > heat[-1, :, 2]).all()


def test_pictures_stand_side_by_side_or_the_widest_above_each_other() -> None:
    assert side_by_side(np.zeros((4, 6, 3), np.uint8), np.ones((4, 6, 3), np.uint8))[0, :, 0].tolist() == [
        *[0] * 6,
        *[1] * 6,
    ]
    assert side_by_side(np.zeros((2, 6, 3), np.uint8), np.ones((2, 6, 3), np.uint8)).shape == (4, 6, 3)


def test_a_crop_holds_every_pixel_the_box_touches() -> None:
    pixels = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)

    assert (crop(pixels, Box(1.5, 1, 3.2, 4)) == pixels[1:4, 1:4]).all()
    assert crop(pixels, Box(5.2, 4.2, 5.4, 4.3)).shape == (1, 1, 3)


def test_a_jpeg_keeps_red_red() -> None:
    content = to_jpeg(np.full((16, 16, 3), (250, 10, 20), np.uint8))

    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[8, 8, 2] > 240
