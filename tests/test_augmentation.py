import numpy as np
import pytest

from lightcam_models.augmentation import Augmentation, View, beside, paste, random_crop, random_look

HOW = Augmentation()


@pytest.fixture
def view() -> View:
    """A photograph whose right half is bright foreground."""
    pixels = np.zeros((256, 256, 3), np.uint8)
    pixels[:, 128:] = 200
    return View(pixels, np.ascontiguousarray(pixels[::2, ::2, 0] // 200 * 255))


def test_a_crop_moves_photograph_and_mask_alike(view: View, rng: np.random.Generator) -> None:
    for _ in range(50):
        cropped = random_crop(view, 96, HOW, rng)
        assert cropped.pixels.shape == (96, 96, 3)
        assert cropped.mask.shape == (48, 48)
        bright = cropped.pixels[::2, ::2, 0] > 100
        assert np.mean(bright == (cropped.mask > 127)) > 0.95


def test_crops_flip_about_half_the_time(view: View, rng: np.random.Generator) -> None:
    whole = Augmentation(min_area=1.0, aspect=0.0)
    left_is_bright = [random_crop(view, 64, whole, rng).pixels[32, 5, 0] > 100 for _ in range(200)]
    assert 70 < sum(left_is_bright) < 130


def test_a_pasted_object_is_where_its_mask_says(view: View, rng: np.random.Generator) -> None:
    scene = View(np.full((256, 256, 3), 50, np.uint8), np.zeros((128, 128), np.uint8))
    for _ in range(20):
        placed = paste(view, scene, HOW.paste_side, rng)
        bright = placed.pixels[::2, ::2, 0] > 125
        assert bright.any()
        assert np.mean(bright == (placed.mask > 127)) > 0.97
        assert not placed.pixels[placed.mask.repeat(2, 0).repeat(2, 1) == 0].max() > 60
    assert scene.pixels.max() == 50


def test_a_pasted_object_keeps_to_the_sides_asked_for(view: View, rng: np.random.Generator) -> None:
    view = View(view.pixels, np.full_like(view.mask, 255))
    scene = View(np.zeros((256, 256, 3), np.uint8), np.zeros((128, 128), np.uint8))
    sides = [np.sqrt((paste(view, scene, HOW.paste_side, rng).mask > 0).mean()) for _ in range(100)]
    assert HOW.paste_side[0] - 0.02 < min(sides)
    assert max(sides) < HOW.paste_side[1] + 0.02


def test_what_lies_on_a_scene_already_stays_marked(view: View, rng: np.random.Generator) -> None:
    scene = View(np.full((256, 256, 3), 50, np.uint8), np.zeros((128, 128), np.uint8))
    first = paste(view, scene, (0.3, 0.3), rng)
    both = paste(view, first, (0.3, 0.3), rng)
    assert (both.mask >= first.mask).all()
    assert both.mask.sum() > first.mask.sum()


def test_what_is_probably_background_is_not_cut_out(view: View, rng: np.random.Generator) -> None:
    scene = View(np.full((256, 256, 3), 50, np.uint8), np.zeros((128, 128), np.uint8))
    unsure = View(view.pixels, np.full_like(view.mask, 70))
    placed = paste(unsure, scene, (0.5, 0.5), rng)
    assert np.array_equal(placed.pixels, scene.pixels)
    assert not placed.mask.any()


def test_the_widest_strip_beside_an_object_is_found() -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[20:90, 50:95] = 200
    assert beside(mask) == (0, 1, 0, 0.47)
    assert beside(np.full_like(mask, 255)) is None


def test_looks_change_the_pixels_but_not_the_size(view: View, rng: np.random.Generator) -> None:
    looks = [random_look(view.pixels, HOW, rng) for _ in range(5)]
    assert {look.shape for look in looks} == {view.pixels.shape}
    assert len({look.tobytes() for look in looks}) == 5


def test_without_amounts_the_look_stays(view: View, rng: np.random.Generator) -> None:
    still = Augmentation(blur=0.0, lightness=0.0)
    assert np.array_equal(random_look(view.pixels, still, rng), view.pixels)
