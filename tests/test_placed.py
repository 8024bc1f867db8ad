from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import painted
import pytest

from lightcam_edge.card import CamSpec
from lightcam_edge.errors import UsageError
from lightcam_edge.localizer import Localizer
from lightcam_models.evaluation.canvas import Scenes
from lightcam_models.evaluation.evaluating import Request, hold_trial
from lightcam_models.evaluation.observing import Shot
from lightcam_models.evaluation.placed import placed_set
from lightcam_models.progress import Progress

QUIET = Progress(quiet=True)


@pytest.fixture
def cut_outs(tmp_path: Path) -> Path:
    return painted.write_cut_outs(tmp_path / "cut")


@pytest.fixture
def scenes(tmp_path: Path) -> Scenes:
    return Scenes.in_folder(painted.write_scenes(tmp_path / "scenes"))


def test_the_set_places_every_cut_out_and_adds_the_scenes(
    tiny_model: Path, cut_outs: Path, scenes: Scenes
) -> None:
    localizer = Localizer(tiny_model)

    test = placed_set(str(cut_outs), scenes, localizer.card, Request("", limit=6, seed=3), QUIET)

    labels = [shot.label for shot in test.shots]
    assert sorted(labels[:6]) == ["blue"] * 3 + ["red"] * 3
    assert labels[6:] == ["background"] * 4
    assert {shot.group for shot in test.shots[:6]} <= {
        f"{span}% of the side" for span in ("25-40", "40-55", "55-70")
    }
    assert "6 placements of 2 cut-outs" in test.name


def test_the_same_seed_places_alike(tiny_model: Path, cut_outs: Path, scenes: Scenes) -> None:
    localizer = Localizer(tiny_model)

    def first(seed: int) -> tuple[Shot, np.ndarray, str]:
        test = placed_set(str(cut_outs), scenes, localizer.card, Request("", limit=2, seed=seed), QUIET)
        return test.shots[0], np.asarray(test.shots[0].open(localizer).pixels), test.digest

    one, again, other = first(1), first(1), first(2)

    assert one[0].truths == again[0].truths != other[0].truths
    assert np.array_equal(one[1], again[1])
    assert one[2] == again[2] != other[2]


def test_a_model_that_sees_everything_finds_what_was_placed(
    make_tiny_model: Callable[..., Path], cut_outs: Path, scenes: Scenes
) -> None:
    localizer = Localizer(make_tiny_model("placed", cam=CamSpec(method="br-avgcam", threshold=0.5)))
    test = placed_set(str(cut_outs), scenes, localizer.card, Request("", limit=20), QUIET)

    trial = hold_trial([localizer], test, (), Request(""), QUIET)

    verdict = trial.models[0].verdicts["br-avgcam"]
    assert verdict.overall.gt_known["0.5"].percent == 100
    assert verdict.by_class["background"].called_background.percent == 100
    assert sum(measures.images for measures in verdict.by_group.values()) == 20
    assert trial.baselines[0].overall.percent < 20  # a constant box fails here


def test_what_cannot_be_placed_is_said(
    tiny_model: Path, cut_outs: Path, scenes: Scenes, tmp_path: Path
) -> None:
    card = Localizer(tiny_model).card

    with pytest.raises(UsageError, match="holds no images"):
        Scenes.in_folder(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="has no background class"):
        placed_set(str(cut_outs), scenes, replace(card, background=None, cam=CamSpec()), Request(""), QUIET)
    opaque = painted.write_photographs(tmp_path / "opaque", count=2)
    for table in opaque.rglob("*.csv"):
        table.unlink()
    with pytest.raises(UsageError, match="gives no cut-outs of red, blue: it needs"):
        placed_set(str(opaque), scenes, card, Request(""), QUIET)


def test_pets_are_cut_out_by_their_masks(shared_data: Path, tiny_model: Path) -> None:
    card = replace(Localizer(tiny_model).card, labels=("cat", "dog", "background"))

    test = placed_set(
        str(shared_data / "oxford_pets"),
        Scenes.in_folder(shared_data / "landscape" / "test"),
        card,
        Request("", limit=5),
        QUIET,
    )

    assert "by mask" in test.name
    assert all(len(shot.truths) == 1 for shot in test.shots[:5])
