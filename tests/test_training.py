"""Training end to end on generated photographs: cheap networks, the real loop."""

import csv
import json
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from PIL import Image

from lightcam_edge.errors import InputError, UsageError
from lightcam_models import training
from lightcam_models.datasets import split_validation
from lightcam_models.ordering import place
from lightcam_models.progress import Progress, clock
from lightcam_models.recipes import RECIPES
from lightcam_models.training import Order

SMALL = ("filters=[8,8]",)


def draw(rng: np.random.Generator, colour: tuple[int, int, int] | None) -> np.ndarray:
    """A noisy scene, with a disc of a colour somewhere in it or without."""
    image = rng.integers(90, 130, (72, 96, 3), dtype=np.uint8)
    if colour:
        centre = int(rng.integers(24, 72)), int(rng.integers(24, 48))
        cv2.circle(image, centre, 18, colour, -1)
    return image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve photographs each of two classes and of empty scenes."""
    rng = np.random.default_rng(3)
    for label, colour in (("red", (230, 20, 20)), ("blue", (20, 20, 230)), ("scene", None)):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(12):
            Image.fromarray(draw(rng, colour)).save(tmp_path / "data" / label / f"{number}.png")
    return tmp_path / "data"


def plain_order(folder: Path, out: Path, **changes: object) -> Order:
    settings = {"architecture": "light-cam", "background": "scene", "input_size": 64, "training_size": 64}
    settings |= {"options": SMALL, "batch_size": 8, "epochs": 2, "precision": "float32", **changes}
    return place(str(folder), out, "plain", progress=Progress(quiet=True), **settings)


def weights_of(path: Path) -> list[np.ndarray]:
    return keras.models.load_model(path, compile=False).get_weights()


def test_a_training_leaves_a_model_and_all_that_belongs_to_it(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = training.train(plain_order(folder, out), progress=Progress(quiet=True))

    model = keras.models.load_model(path, compile=False)
    assert model.input_shape == (None, 64, 64, 3)
    assert model.output_shape == (None, 3)
    described = json.loads((out / "training.json").read_text())
    assert described["labels"] == ["blue", "red", "scene"]
    assert described["background"] == "scene"
    assert described["cam"]["method"] == "br-avgcam"
    assert described["data"]["images"] == 36
    assert described["versions"]["keras"] == keras.version()
    rows = list(csv.DictReader((out / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert cv2.imread(str(out / "curve.png")).shape[1] > 400
    assert sorted(path.name for path in out.iterdir()) == [
        "curve.png",
        "history.csv",
        "images.txt",
        "model.keras",
        "training.json",
    ]


def test_the_same_seed_gives_the_same_weights(folder: Path, tmp_path: Path) -> None:
    paths = [
        training.train(plain_order(folder, tmp_path / name), progress=Progress(quiet=True))
        for name in ("a", "b")
    ]
    for one, other in zip(*(weights_of(path) for path in paths), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


class CutOffError(Exception):
    """Stands for a power cut."""


class Cutting(Progress):
    """Cuts the training off after its first epoch."""

    def __init__(self) -> None:
        super().__init__(quiet=True)

    def line(self, text: str, lasting: bool = True) -> None:
        if text.startswith("epoch 1/"):
            raise CutOffError


def test_a_training_that_was_cut_off_goes_on_and_ends_the_same(folder: Path, tmp_path: Path) -> None:
    whole = training.train(plain_order(folder, tmp_path / "whole"), progress=Progress(quiet=True))
    order = plain_order(folder, tmp_path / "cut")
    with pytest.raises(CutOffError):
        training.train(order, progress=Cutting())

    with pytest.raises(UsageError, match="add --resume"):
        training.train(order, progress=Progress(quiet=True))
    with pytest.raises(UsageError, match="another recipe"):
        training.train(
            plain_order(folder, tmp_path / "cut", epochs=3), resume=True, progress=Progress(quiet=True)
        )
    resumed = training.train(order, resume=True, progress=Progress(quiet=True))

    for one, other in zip(weights_of(whole), weights_of(resumed), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    with pytest.raises(UsageError, match="finished training"):
        training.train(order, resume=True, progress=Progress(quiet=True))


def test_a_network_teaches_another_where_the_objects_are(folder: Path, tmp_path: Path) -> None:
    first = training.train(plain_order(folder, tmp_path / "first"), progress=Progress(quiet=True))
    order = plain_order(folder, tmp_path / "second", teachers=(str(first),), backbone=first, empty_share=0.9)
    order = Order(
        **{
            **{name: getattr(order, name) for name in order.__slots__},
            "recipe": RECIPES["masks"].resolved(32, epochs=1, batch_size=8, training_size=64),
        }
    )

    training.train(order, progress=Progress(quiet=True))

    described = json.loads((tmp_path / "second" / "training.json").read_text())
    assert "no box used" in described["cam"]["threshold_source"]
    assert 0 < described["cam"]["threshold"] < 1
    assert described["cam"]["score"] == "region"
    assert described["cam"]["presence"] >= 0
    assert described["cam"]["presence_source"].startswith("above the maps of 90% of ")
    assert (tmp_path / "second" / "lesson.npz").exists()
    assert cv2.imread(str(tmp_path / "second" / "masks.png")).shape[1] == 1280


def test_a_teacher_without_its_description_is_refused(folder: Path, tmp_path: Path) -> None:
    lone = tmp_path / "model.keras"
    training.train(plain_order(folder, tmp_path / "first"), progress=Progress(quiet=True)).rename(lone)
    order = plain_order(folder, tmp_path / "second", teachers=(str(lone),))
    object.__setattr__(order, "recipe", RECIPES["masks"].resolved(32, epochs=1))
    with pytest.raises(InputError, match=r"training\.json"):
        training.train(order, progress=Progress(quiet=True))


def test_unknown_recipes_and_options_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose from masks, plain, paper"):
        place(str(folder), tmp_path / "out", "magic")
    with pytest.raises(UsageError, match="no teacher imagnet: name imagenet, or a file that is there"):
        plain_order(folder, tmp_path / "out", teachers=("imagenet", "imagnet"))
    with pytest.raises(UsageError, match=r"no teacher missing\.keras"):
        plain_order(folder, tmp_path / "out", teachers=("missing.keras",))
    with pytest.raises(UsageError, match="NAME=VALUE"):
        plain_order(folder, tmp_path / "out", options=("blocks",))


def test_few_photographs_are_shown_more_often() -> None:
    assert RECIPES["masks"].resolved(100).epochs == 60
    assert RECIPES["masks"].resolved(1000).epochs == 10
    assert RECIPES["masks"].resolved(100_000).epochs == 4
    assert RECIPES["masks"].resolved(100, epochs=7).epochs == 7


def test_the_clock_reads_as_people_write_it() -> None:
    assert [clock(5), clock(75), clock(3725)] == ["0:05", "1:15", "1:02:05"]


def test_averaged_weights_are_the_mean_of_those_after_the_steps(folder: Path, tmp_path: Path) -> None:
    order = plain_order(folder, tmp_path / "mean", averaging=0.5)
    steps = 2 * (len(split_validation(order.dataset, 0.1, 0)[0].examples) // 8)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    optimizer = training._optimizer(order.recipe, steps // 2)
    optimizer.build(model.trainable_variables)
    momentum, mean = 1 - 1 / (0.5 * steps), np.zeros((1, 1))
    for step in range(steps):
        optimizer.apply([np.ones((1, 1), np.float32)], model.trainable_variables)
        now = np.asarray(model.trainable_variables[0])
        mean = momentum * mean + (1 - momentum) * now if step else now
    optimizer.finalize_variable_values(model.trainable_variables)
    np.testing.assert_allclose(np.asarray(model.trainable_variables[0]), mean, rtol=1e-5)
    assert abs(mean - now).max() > 1e-5


def test_a_training_ends_with_averaged_weights_and_their_statistics(folder: Path, tmp_path: Path) -> None:
    last = weights_of(training.train(plain_order(folder, tmp_path / "last"), progress=Progress(quiet=True)))
    order = plain_order(folder, tmp_path / "mean", averaging=0.5)
    mean = weights_of(training.train(order, progress=Progress(quiet=True)))

    assert all(np.abs(one - other).max() > 1e-7 for one, other in zip(last, mean, strict=True))
    assert json.loads((tmp_path / "mean" / "training.json").read_text())["recipe"]["averaging"] == 0.5
