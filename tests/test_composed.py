from dataclasses import replace
from itertools import combinations, cycle
from pathlib import Path

import numpy as np
import painted
import pytest

from lightcam_edge.box import Box
from lightcam_edge.card import CamSpec, ModelCard
from lightcam_edge.errors import UsageError
from lightcam_edge.localizer import Localizer
from lightcam_models.evaluation.canvas import Scenes
from lightcam_models.evaluation.composed import MOST_SHARED, arrange, choose, composed_set, shared_area
from lightcam_models.evaluation.cut_outs import CutOut
from lightcam_models.evaluation.detecting import PictureSet
from lightcam_models.evaluation.evaluating import Request
from lightcam_models.progress import Progress

QUIET = Progress(quiet=True)


@pytest.fixture
def cut_outs(tmp_path: Path) -> Path:
    return painted.write_cut_outs(tmp_path / "cut")


@pytest.fixture
def scenes(tmp_path: Path) -> Scenes:
    return Scenes.in_folder(painted.write_scenes(tmp_path / "scenes"))


@pytest.fixture
def card(tiny_model: Path) -> ModelCard:
    return Localizer(tiny_model).card


def solid(height: int, width: int, label: str = "red") -> CutOut:
    return CutOut(
        "solid", label, np.zeros((height, width, 3), np.uint8), np.full((height, width), 255, np.uint8)
    )


def test_boxes_share_the_area_of_their_intersection() -> None:
    assert shared_area(Box(0, 0, 10, 8), Box(7, 6, 20, 20)) == 6
    assert shared_area(Box(0, 0, 10, 8), Box(10, 0, 20, 8)) == 0
    assert shared_area(Box(0, 0, 2, 2), Box(5, 5, 9, 9)) == 0


def test_the_classes_are_mixed_and_the_shares_are_in_range(rng: np.random.Generator) -> None:
    stock = {label: cycle([solid(4, 4, label)]) for label in ("red", "blue", "green")}

    for _ in range(50):
        chosen = choose(stock, rng)
        assert 2 <= len(chosen) <= 5
        assert len({one.label for one, _ in chosen}) == min(3, len(chosen))
        assert all(0.15 <= share <= 0.5 for _, share in chosen)


def test_no_object_covers_much_of_another(rng: np.random.Generator) -> None:
    chosen = [(solid(30, 40), 0.5), (solid(50, 20), 0.4), (solid(9, 9), 0.3), (solid(20, 60), 0.15)]

    for _ in range(20):
        arranged = arrange(chosen, (224, 300), rng)
        assert [share for _, share in arranged] == [0.5, 0.4, 0.3, 0.15]
        for (a, _), (b, _) in combinations(arranged, 2):
            assert shared_area(a.frame, b.frame) <= MOST_SHARED * min(a.frame.area, b.frame.area)


def test_objects_without_room_are_left_out_but_two_remain(rng: np.random.Generator) -> None:
    arranged = arrange([(solid(50, 50), 0.5)] * 8, (100, 100), rng)

    assert 2 <= len(arranged) <= 5


def test_every_picture_holds_two_to_five_objects_where_it_says(
    card: ModelCard, tiny_model: Path, cut_outs: Path, scenes: Scenes
) -> None:
    localizer = Localizer(tiny_model)

    test = composed_set(str(cut_outs), scenes, card, Request("", limit=12, seed=3), QUIET)

    assert len(test.pictures) == 12
    for picture in test.pictures:
        assert 2 <= len(picture.truths) <= 5
        assert {truth.label for truth in picture.truths} == {"red", "blue"}
        pixels = picture.open(localizer).pixels.astype(int)
        for truth in picture.truths:
            box = truth.box
            taken = max((box.x1 - box.x0) / pixels.shape[1], (box.y1 - box.y0) / pixels.shape[0])
            low, high = truth.group.removesuffix("% of the side").split("-")
            assert int(low) - 1 <= 100 * taken <= int(high) + 1
            seen = pixels[int((box.y0 + box.y1) / 2), int((box.x0 + box.x1) / 2)]
            assert seen.tolist() == pytest.approx(painted.COLOURS[truth.label], abs=6)
    assert "2 cut-outs (cut), 2 to 5 together, on" in test.name


def test_the_same_seed_composes_alike(
    card: ModelCard, tiny_model: Path, cut_outs: Path, scenes: Scenes
) -> None:
    localizer = Localizer(tiny_model)

    def made(seed: int) -> tuple[PictureSet, list[list[int]]]:
        test = composed_set(str(cut_outs), scenes, card, Request("", limit=3, seed=seed), QUIET)
        return test, [picture.open(localizer).pixels.ravel().tolist() for picture in test.pictures]

    (one, pixels), (again, same), (other, _) = made(1), made(1), made(2)

    assert [p.truths for p in one.pictures] == [p.truths for p in again.pictures]
    assert [p.truths for p in one.pictures] != [p.truths for p in other.pictures]
    assert pixels == same
    assert one.digest == again.digest != other.digest


def test_a_class_without_cut_outs_is_named(card: ModelCard, tmp_path: Path, scenes: Scenes) -> None:
    painted.save_cut_out(tmp_path / "half" / "red" / "one.png", painted.COLOURS["red"])

    test = composed_set(str(tmp_path / "half"), scenes, card, Request("", limit=2), QUIET)

    assert test.skipped == ("class blue: no cut-outs",)


def test_a_model_without_a_background_takes_composed_scenes(
    card: ModelCard, cut_outs: Path, scenes: Scenes
) -> None:
    bare = replace(card, background=None, cam=CamSpec())

    assert len(composed_set(str(cut_outs), scenes, bare, Request("", limit=2), QUIET).pictures) == 2


def test_what_cannot_be_composed_is_said(
    card: ModelCard, cut_outs: Path, scenes: Scenes, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no data set nowhere"):
        composed_set("nowhere", scenes, card, Request(""), QUIET)
    opaque = painted.write_photographs(tmp_path / "opaque", count=2)
    for table in opaque.rglob("*.csv"):
        table.unlink()
    with pytest.raises(UsageError, match="gives no cut-outs of red, blue: it needs"):
        composed_set(str(opaque), scenes, card, Request(""), QUIET)
