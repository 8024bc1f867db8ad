"""How two models differ on the same photographs."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import painted
import pytest

from lightcam_edge.model_file import read_model
from lightcam_models.evaluation.comparing import difference
from lightcam_models.evaluation.running import run


def outcomes(gained: int, lost: int, both: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    one = [True] * gained + [False] * lost + [True] * both + [False] * neither
    other = [False] * gained + [True] * lost + [True] * both + [False] * neither
    return np.array(one, bool), np.array(other, bool)


def test_a_difference_is_counted_from_what_only_one_has_right() -> None:
    found = difference(*outcomes(30, 10, 600, 360))

    assert (found.points, found.gained, found.lost, found.images) == (2.0, 30, 10, 1000)
    spread = 1.96 * 100 * np.sqrt((0.04 - 0.02**2) / 1000)  # of the difference of two paired shares
    assert found.low == pytest.approx(2 - spread, abs=0.15)
    assert found.high == pytest.approx(2 + spread, abs=0.15)


def test_the_interval_of_pairs_is_narrower_than_that_of_two_samples() -> None:
    found = difference(*outcomes(10, 10, 490, 490))

    of_two_samples = 1.96 * 100 * np.sqrt(2 * 0.25 / 1000)
    assert found.points == 0
    assert found.high - found.low < of_two_samples


def test_models_that_are_right_alike_do_not_differ() -> None:
    found = difference(*outcomes(0, 0, 5, 5))
    assert (found.points, found.low, found.high) == (0, 0, 0)


def test_no_photograph_tells_no_difference() -> None:
    assert np.isnan(difference(*outcomes(0, 0, 0, 0)).points)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return painted.write_photographs(tmp_path_factory.mktemp("painted"), count=3)


@pytest.fixture
def keras_model(small_keras: Path, tmp_path: Path) -> Path:
    """A network that has learnt nothing, with the classes of the photographs."""
    (tmp_path / "keras").mkdir()
    classes = {"labels": list(painted.LABELS), "background": "background"}
    (tmp_path / "keras" / "training.json").write_text(json.dumps(classes))
    return Path(shutil.copy(small_keras, tmp_path / "keras" / "model.keras"))


@pytest.fixture
def narrow_model(make_tiny_model: Callable[..., Path], tiny_model: Path) -> Path:
    """The same network, whose boxes are too small."""
    return make_tiny_model("narrow", cam=replace(read_model(tiny_model).card.cam, threshold=0.9))


def test_differences_are_those_of_the_shares(tiny_model: Path, narrow_model: Path, photographs: Path) -> None:
    models = [str(tiny_model), str(narrow_model)]

    values = json.loads(run(models, str(photographs), background="background", as_json=True, quiet=True))

    first, second = (
        model["verdicts"][model["shipped"]]["overall"] for model in values["photographs"]["models"]
    )
    (compared,) = values["photographs"]["comparisons"]
    assert (compared["name"], compared["against"]) == (str(narrow_model), str(tiny_model))
    for name in ("top1", "top1_localization"):
        points = second[name]["percent"] - first[name]["percent"]
        assert compared[name]["points"] == pytest.approx(points, abs=1e-3)
        assert compared[name]["images"] == first[name]["images"]
    points = second["gt_known"]["0.5"]["percent"] - first["gt_known"]["0.5"]["percent"]
    assert compared["gt_known"]["points"] == pytest.approx(points, abs=1e-3)
    assert compared["gt_known"]["lost"] > compared["gt_known"]["gained"] == 0
    assert compared["top1"]["lost"] == 0


def test_the_table_tells_them(tiny_model: Path, narrow_model: Path, photographs: Path) -> None:
    text = run([str(tiny_model), str(narrow_model)], str(photographs), background="background", quiet=True)

    lines = text.splitlines()
    (at,) = (
        number for number, line in enumerate(lines) if line.startswith(f"against {tiny_model}, in points")
    )
    assert lines[at + 2].startswith(f"{narrow_model}  +0.0 (+0.0 to +0.0; 0 gained, 0 lost)")


def test_one_model_is_compared_with_none(tiny_model: Path, photographs: Path) -> None:
    assert "against" not in run([str(tiny_model)], str(photographs), background="background", quiet=True)


def test_the_card_keeps_what_it_gained_and_lost(
    keras_model: Path, tiny_model: Path, photographs: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copy(tiny_model, tmp_path / "model.tflite"))
    models = [str(keras_model), str(model)]

    run(models, str(photographs), background="background", write_card=True, quiet=True)

    kept = read_model(model).card
    assert kept is not None
    points = kept.metrics["photographs"]["points_gained"]
    assert points["against"].endswith("(Keras)")
    for name in ("top1", "top1_localization", "gt_known_0.5"):
        value, low, high = points[name]
        assert low <= value <= high
