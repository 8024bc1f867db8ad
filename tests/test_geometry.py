import zlib

import numpy as np
import pytest

from lightcam_edge.box import Box
from lightcam_edge.choices import RESIZES, Resize
from lightcam_edge.geometry import Fit, cam_over_image, fit_pixels, reduction

IMAGE_HW, INPUT_HW = (60, 160), (40, 80)


@pytest.mark.parametrize(
    ("resize", "expected"),
    [
        ("squash", Box(10, 20, 20, 40)),
        ("letterbox", Box(10, 20, 20, 35)),
        ("crop", Box(20 * 2 / 3 - 40 / 3, 20, 40 * 2 / 3 - 40 / 3, 40)),
    ],
)
def test_a_box_of_a_wide_image_lands_where_arithmetic_says(resize: Resize, expected: Box) -> None:
    box = Fit(IMAGE_HW, INPUT_HW, resize).to_input(Box(20, 30, 40, 60))

    assert [box.x0, box.y0, box.x1, box.y1] == pytest.approx(
        [expected.x0, expected.y0, expected.x1, expected.y1]
    )


def test_letterbox_of_a_tall_image_pads_left_and_right() -> None:
    fit = Fit((100, 50), (40, 60), "letterbox")

    assert fit.scale_xy == (0.4, 0.4)
    assert fit.offset_xy == (20, 0)
    assert fit.to_image(Box(20, 0, 40, 40)) == Box(0, 0, 50, 100)


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("image_hw", [(60, 160), (160, 60), (7, 300), (41, 41)])
def test_a_box_comes_back_from_the_input_frame(resize: Resize, image_hw: tuple[int, int]) -> None:
    fit = Fit(image_hw, INPUT_HW, resize)
    height, width = image_hw
    box = Box(width * 0.45, height * 0.45, width * 0.55, height * 0.5)

    back = fit.to_image(fit.to_input(box))

    assert [back.x0, back.y0, back.x1, back.y1] == pytest.approx([box.x0, box.y0, box.x1, box.y1])


def test_a_box_over_the_padding_is_cut_at_the_images_edge() -> None:
    fit = Fit(IMAGE_HW, INPUT_HW, "letterbox")  # the image lies in rows 5 to 35

    assert fit.to_image(Box(0, 0, 80, 20)) == Box(0, 0, 160, 30)
    assert fit.to_image(Box(0, 0, 80, 5)).area == 0


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("image_hw", [(60, 160), (170, 90), (33, 47), (321, 643)])
def test_pixels_land_where_boxes_do(resize: Resize, image_hw: tuple[int, int]) -> None:
    fit = Fit(image_hw, INPUT_HW, resize)
    height, width = image_hw
    box = Box(round(width * 0.4), round(height * 0.4), round(width * 0.6), round(height * 0.7))
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = 255
    pixels[..., 1] = 0

    fitted = fit_pixels(pixels, fit)

    assert fitted.shape == (*INPUT_HW, 3)
    expected = _clipped(fit.to_input(box))
    weight = fitted[..., 0] / 255.0 if resize != "letterbox" else _inside(fitted, fit)
    assert weight.sum() == pytest.approx(expected.area, rel=0.08)
    columns, rows = np.arange(INPUT_HW[1]) + 0.5, np.arange(INPUT_HW[0]) + 0.5
    assert (weight.sum(0) * columns).sum() / weight.sum() == pytest.approx(
        (expected.x0 + expected.x1) / 2, abs=0.2
    )
    assert (weight.sum(1) * rows).sum() / weight.sum() == pytest.approx(
        (expected.y0 + expected.y1) / 2, abs=0.2
    )


def _clipped(box: Box) -> Box:
    return Box(max(box.x0, 0), max(box.y0, 0), min(box.x1, INPUT_HW[1]), min(box.y1, INPUT_HW[0]))


def _inside(fitted: np.ndarray, fit: Fit) -> np.ndarray:
    """Red where green says that this is the image and no grey padding."""
    return np.where(fitted[..., 1] == 0, fitted[..., 0] / 255.0, 0)


def test_letterbox_padding_is_mid_grey() -> None:
    fitted = fit_pixels(np.full((*IMAGE_HW, 3), 200, np.uint8), Fit(IMAGE_HW, INPUT_HW, "letterbox"))

    assert fitted[[0, 39], 0].tolist() == [[127] * 3] * 2
    assert fitted[[6, 33], 0].tolist() == [[200] * 3] * 2


def test_an_image_of_the_inputs_size_stays_as_it_is(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (*INPUT_HW, 3), np.uint8)

    for resize in RESIZES:
        assert (fit_pixels(pixels, Fit(INPUT_HW, INPUT_HW, resize)) == pixels).all()


@pytest.mark.parametrize(("image_hw", "digest"), [((60, 100), 2448432757), ((90, 170), 3904354177)])
def test_every_processor_comes_to_the_same_pixels(image_hw: tuple[int, int], digest: int) -> None:
    rows, columns, channels = np.indices((*image_hw, 3))
    pixels = (rows * 37 + columns * columns * 11 + channels * 83).astype(np.uint8)

    fitted = fit_pixels(pixels, Fit(image_hw, INPUT_HW))

    assert zlib.crc32(fitted.tobytes()) == digest


def test_fine_stripes_become_grey_and_not_other_stripes() -> None:
    pixels = np.zeros((160, 320, 3), np.uint8)
    pixels[:, ::2] = 254

    assert (fit_pixels(pixels, Fit((160, 320), INPUT_HW)) == 127).all()


def test_reduced_and_full_decodings_of_odd_sizes_cover_the_same_input() -> None:
    fit = Fit((333, 645), INPUT_HW)
    ramp = np.linspace(0, 255, 645 * 8)  # eight samples a pixel
    full = ramp.reshape(645, 8).mean(1)
    eighth = np.append(ramp, np.full(3 * 8, 255)).reshape(81, 64).mean(1)

    wide, narrow = (
        fit_pixels(np.repeat(np.repeat(line[None, :, None], rows, 0), 3, 2).round().astype(np.uint8), fit)
        for line, rows in ((full, 333), (eighth, 42))
    )

    assert np.abs(wide.astype(int) - narrow).max() <= 2


@pytest.mark.parametrize("resize", RESIZES)
def test_a_very_long_panorama_and_one_pixel_fit(resize: Resize) -> None:
    for image_hw in ((600, 33_000), (1, 1)):
        fitted = fit_pixels(np.full((*image_hw, 3), 90, np.uint8), Fit(image_hw, INPUT_HW, resize))

        assert fitted[20, 40].tolist() == pytest.approx([90, 90, 90], abs=2)


def test_reduction_leaves_enough_on_both_sides() -> None:
    assert reduction((480, 640), (224, 224)) == 2
    assert reduction((447, 4000), (224, 224)) == 1
    assert reduction((448, 4000), (224, 224)) == 2
    assert reduction((9000, 9000), (224, 224)) == 8


@pytest.mark.parametrize("resize", RESIZES)
def test_the_map_lies_over_the_image_as_boxes_do(resize: Resize) -> None:
    fit = Fit(IMAGE_HW, INPUT_HW, resize)
    cam = np.zeros((8, 16), np.float32)
    cam[3:6, 6:9] = 1  # input pixels x 30 to 45, y 15 to 30

    over = cam_over_image(cam, fit)

    rows, columns = np.nonzero(over > 0.5)
    box = fit.to_image(Box(30, 15, 45, 30))
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert found == pytest.approx([box.x0, box.y0, box.x1, box.y1], abs=1.1)
    assert cam_over_image(cam, fit, (30, 80)).shape == (30, 80)
