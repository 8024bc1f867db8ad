"""A model small enough to reckon by hand: it finds red and blue things."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightcam_edge.model_file import EMBEDDED_CARD_NAME, read_model, rewrite_card

INPUT_HW = (32, 48)
CELL = 4  # input pixels a map cell, so the map is 8x12


def _keras_model() -> Any:
    """Maps: a cell's red minus green, its blue minus green, a constant. BR-AvgCAM is 25 x (red + blue)."""
    import keras

    image = keras.Input((*INPUT_HW, 3), name="image")
    maps = keras.layers.Conv2D(3, CELL, CELL, activation="relu", name="maps")
    pooled = keras.layers.GlobalAveragePooling2D(name="gap")(maps(image))
    scores = keras.layers.Dense(3, activation="softmax", name="scores")
    model = keras.Model(image, scores(pooled))
    kernel = np.zeros((CELL, CELL, 3, 3), np.float32)
    kernel[..., 0, 0], kernel[..., 1, 0] = 1, -1
    kernel[..., 2, 1], kernel[..., 1, 1] = 1, -1
    maps.set_weights([kernel / (CELL * CELL * 255), np.array([0, 0, 1], np.float32)])
    weights = np.array([[40, -10, -10], [-10, 40, -10], [0, 0, 0]], np.float32)
    scores.set_weights([weights, np.array([0, 0, 2], np.float32)])
    return model


def write_tiny_model(path: Path) -> None:
    """Write the model: squash, BR-AvgCAM, half the peak, which is crossed exactly where a cell ends."""
    from lightcam_converters.conversion import convert

    labels = ("red", "blue", "background")
    convert(
        _keras_model(),
        path,
        quantize="float32",
        labels=labels,
        background="background",
        method="br-avgcam",
        threshold=0.5,
    )


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model file; where there is no Keras to make it, LIGHTCAM_TINY_MODEL names one made elsewhere."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.tflite"
    if made := os.environ.get("LIGHTCAM_TINY_MODEL"):
        shutil.copy(made, path)
    elif find_spec("keras") is None:
        pytest.skip("only the train extra brings Keras, see LIGHTCAM_TINY_MODEL")
    else:
        write_tiny_model(path)
    return path


@pytest.fixture(scope="session")
def make_tiny_model(tiny_model: Path) -> Callable[..., Path]:
    """Copies the model with other fields in its card, for instance `input=InputSpec(32, 48, "crop")`."""
    card = read_model(tiny_model).card
    assert card is not None

    def make(name: str, **fields: Any) -> Path:
        path = tiny_model.with_stem(name)
        shutil.copy(tiny_model, path)
        rewrite_card(path, replace(card, **fields))
        return path

    return make


@pytest.fixture(scope="session")
def bare_tiny_model(tiny_model: Path) -> Path:
    """The network alone, as another converter might have made it: no card, not even a trace of one."""
    path = tiny_model.with_stem("bare")
    name = EMBEDDED_CARD_NAME.encode()
    path.write_bytes(read_model(tiny_model).flatbuffer.replace(name, b"x" * len(name)))
    return path
