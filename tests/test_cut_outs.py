from pathlib import Path

import cv2
import numpy as np
import painted
import pytest
from PIL import Image

from lightcam_edge.box import Box
from lightcam_edge.errors import InputError
from lightcam_edge.localizer import Localizer
from lightcam_models.datasets import Example
from lightcam_models.evaluation.cut_outs import cut_by_alpha, cut_out, gather_cut_outs
from lightcam_models.evaluation.evaluating import Request
from lightcam_models.progress import Progress


def test_a_cut_out_by_alpha_is_cropped_to_what_is_solid(tmp_path: Path) -> None:
    cut = cut_by_alpha(painted.save_cut_out(tmp_path / "a.png", (230, 40, 40)), "red")

    assert cut.alpha.shape == (41, 41)
    assert cut.label == "red"
    assert cut.pixels[20, 20].tolist() == [230, 40, 40]


def test_a_picture_without_anything_solid_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(tmp_path / "empty.png")

    with pytest.raises(InputError, match="transparent everywhere"):
        cut_by_alpha(tmp_path / "empty.png", "red")


def test_a_cut_out_by_mask_holds_the_object_and_fades_over_its_border(tmp_path: Path) -> None:
    photo = painted.save(tmp_path / "p.png", painted.paint((40, 50)))
    trimap = np.full((40, 50), 2, np.uint8)
    trimap[8:32, 8:42] = 3
    trimap[10:30, 10:40] = 1
    Image.fromarray(trimap).save(tmp_path / "mask.png")

    cut = cut_out(Example(photo, "red", mask=tmp_path / "mask.png"))

    assert cut is not None
    assert cut.alpha.shape == (20, 30)
    assert cut.alpha.min() == 255


def test_a_cut_out_by_its_box_leaves_the_surroundings_behind(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    pixels = painted.paint((100, 120))
    cv2.ellipse(pixels, (60, 50), (40, 30), 0, 0, 360, (230, 40, 40), cv2.FILLED)
    noisy = np.clip(pixels + rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)
    photo = painted.save(tmp_path / "p.png", noisy)

    cut = cut_out(Example(photo, "red", (Box(20, 20, 101, 81),)))

    assert cut is not None
    assert cut.alpha[len(cut.alpha) // 2, cut.alpha.shape[1] // 2] == 255
    assert cut.alpha[1, 1] == 0
    assert cut.alpha.shape[0] == pytest.approx(61, abs=3)


def test_a_box_that_grabcut_cannot_fill_gives_no_cut_out(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = painted.paint((100, 120), ("red", Box(50, 40, 62, 50)))
    noisy = np.clip(pixels + rng.normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)
    photo = painted.save(tmp_path / "p.png", noisy)

    assert cut_out(Example(photo, "red", (Box(10, 10, 110, 90),))) is None


def test_so_many_are_taken_in_all_or_of_each_class(tiny_model: Path, tmp_path: Path) -> None:
    card = Localizer(tiny_model).card
    for number in range(5):
        painted.save_cut_out(tmp_path / "red" / f"{number}.png", (230, 40, 40))
    painted.save_cut_out(tmp_path / "blue" / "0.png", (40, 40, 230))
    painted.save_cut_out(tmp_path / "background" / "0.png", (90, 90, 90))

    def labels(count: int, each_class: bool) -> list[str]:
        quiet, rng = Progress(quiet=True), np.random.default_rng(0)
        found = gather_cut_outs(
            str(tmp_path), card, count, rng, Request(""), quiet, each_class=each_class
        ).found
        return sorted(one.label for one in found)

    assert len(labels(4, each_class=False)) == 4
    assert labels(3, each_class=True) == ["blue", "red", "red", "red"]
    assert labels(9, each_class=False) == ["blue", *["red"] * 5]
