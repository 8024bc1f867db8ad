from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import painted
import pytest
from PIL import Image

from lightcam_edge.box import Box
from lightcam_edge.card import CamSpec
from lightcam_edge.errors import InputError, UsageError
from lightcam_edge.localizer import Localizer
from lightcam_models.datasets import Example
from lightcam_models.evaluation.evaluating import Request, hold_trial
from lightcam_models.evaluation.observing import Shot
from lightcam_models.evaluation.placed import (
    CutOut,
    Placement,
    compose,
    cut_by_alpha,
    cut_out,
    place,
    placed_set,
    solid_extent,
)
from lightcam_models.progress import Progress

QUIET = Progress(quiet=True)


def save_cut_out(path: Path, colour: tuple[int, int, int]) -> Path:
    """A disc in a transparent picture."""
    pixels = np.zeros((60, 80, 4), np.uint8)
    cv2.circle(pixels, (40, 30), 20, (*colour, 255), cv2.FILLED)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def cut_outs(tmp_path: Path) -> Path:
    for label, colour in painted.COLOURS.items():
        save_cut_out(tmp_path / "cut" / label / "one.png", colour)
    return tmp_path / "cut"


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    for number in range(4):
        painted.save(tmp_path / "scenes" / f"{number}.png", np.full((60, 90, 3), 90 + 10 * number, np.uint8))
    return tmp_path / "scenes"


def solid(height: int, width: int, colour: tuple[int, int, int] = (230, 40, 40)) -> CutOut:
    return CutOut(
        "solid", "red", np.full((height, width, 3), colour, np.uint8), np.full((height, width), 255, np.uint8)
    )


def test_a_cut_out_by_alpha_is_cropped_to_what_is_solid(tmp_path: Path) -> None:
    cut = cut_by_alpha(save_cut_out(tmp_path / "a.png", (230, 40, 40)), "red")

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


def test_the_true_box_is_the_solid_part_of_what_was_drawn(cut_outs: Path, rng: np.random.Generator) -> None:
    cut = cut_by_alpha(cut_outs / "red" / "one.png", "red")
    placement = place(cut, (100, 100), 0.5, rng)

    drawn = compose(np.zeros((100, 100, 3), np.uint8), [placement])

    assert solid_extent((drawn[..., 0] >= 115).astype(np.uint8) * 255) == placement.box


def test_the_set_places_every_cut_out_and_adds_the_scenes(
    tiny_model: Path, cut_outs: Path, scenes: Path
) -> None:
    localizer = Localizer(tiny_model)

    test = placed_set(str(cut_outs), scenes, localizer.card, QUIET, limit=6, seed=3)

    labels = [shot.label for shot in test.shots]
    assert sorted(labels[:6]) == ["blue"] * 3 + ["red"] * 3
    assert labels[6:] == ["background"] * 4
    assert {shot.group for shot in test.shots[:6]} <= {
        f"{span}% of the side" for span in ("25-40", "40-55", "55-70")
    }
    assert "6 placements of 2 cut-outs" in test.name


def test_the_same_seed_places_alike(tiny_model: Path, cut_outs: Path, scenes: Path) -> None:
    localizer = Localizer(tiny_model)

    def first(seed: int) -> tuple[Shot, np.ndarray, str]:
        test = placed_set(str(cut_outs), scenes, localizer.card, QUIET, limit=2, seed=seed)
        return test.shots[0], np.asarray(test.shots[0].open(localizer).pixels), test.digest

    one, again, other = first(1), first(1), first(2)

    assert one[0].truths == again[0].truths != other[0].truths
    assert np.array_equal(one[1], again[1])
    assert one[2] == again[2] != other[2]


def test_a_model_that_sees_everything_finds_what_was_placed(
    make_tiny_model: Callable[..., Path], cut_outs: Path, scenes: Path
) -> None:
    localizer = Localizer(make_tiny_model("placed", cam=CamSpec(method="br-avgcam", threshold=0.5)))
    test = placed_set(str(cut_outs), scenes, localizer.card, QUIET, limit=20)

    trial = hold_trial([localizer], test, (), Request(""), QUIET)

    verdict = trial.models[0].verdicts["br-avgcam"]
    assert verdict.overall.gt_known["0.5"].percent == 100
    assert verdict.by_class["background"].called_background.percent == 100
    assert sum(measures.images for measures in verdict.by_group.values()) == 20
    assert trial.baselines[0].overall.percent < 20  # a constant box fails here


def test_what_cannot_be_placed_is_said(
    tiny_model: Path, cut_outs: Path, scenes: Path, tmp_path: Path
) -> None:
    card = Localizer(tiny_model).card

    with pytest.raises(UsageError, match="holds no images"):
        placed_set(str(cut_outs), tmp_path / "nowhere", card, QUIET)
    with pytest.raises(UsageError, match="has no background class"):
        placed_set(str(cut_outs), scenes, replace(card, background=None, cam=CamSpec()), QUIET)
    opaque = painted.write_photographs(tmp_path / "opaque", count=2)
    for table in opaque.rglob("*.csv"):
        table.unlink()
    with pytest.raises(UsageError, match="gives no cut-outs of red, blue, background"):
        placed_set(str(opaque), scenes, card, QUIET)


def test_pets_are_cut_out_by_their_masks(shared_data: Path, tiny_model: Path) -> None:
    card = replace(Localizer(tiny_model).card, labels=("cat", "dog", "background"))

    test = placed_set(
        str(shared_data / "oxford_pets"), shared_data / "landscape" / "test", card, QUIET, limit=5
    )

    assert "by mask" in test.name
    assert all(len(shot.truths) == 1 for shot in test.shots[:5])
