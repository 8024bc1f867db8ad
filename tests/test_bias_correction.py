"""What rounding adds to the channels' means is taken out of the biases."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_network import INPUT_HW, build, paint

from lightcam_converters.bias_correction import correct_biases
from lightcam_converters.graph import to_flatbuffer
from lightcam_edge.errors import LightcamError
from lightcam_edge.interpreter import Interpreter
from lightcam_models.keras_network import load_network


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([paint(number % 3, rng, INPUT_HW) for number in range(72)])


@pytest.fixture(scope="module")
def exact(small_keras: Path, images: np.ndarray) -> bytes:
    return to_flatbuffer(load_network(small_keras), "float32", "float32", images)[0]


def features(flatbuffer: bytes, images: np.ndarray) -> np.ndarray:
    """(N, h, w, C) maps."""
    network = Interpreter(flatbuffer)
    return np.stack([network.invoke(image).features for image in images])


@pytest.mark.parametrize("io", ["uint8", "int8", "float32"])
def test_the_mean_of_each_map_comes_near_that_without_rounding(
    small_keras: Path, images: np.ndarray, exact: bytes, io: Any
) -> None:
    seen, others = images[:36], images[36:]
    rounded, _ = to_flatbuffer(load_network(small_keras), "int8", io, seen)

    corrected = correct_biases(rounded, exact, seen)

    wanted, before, after = (
        features(one, others).mean(axis=(0, 1, 2)) for one in (exact, rounded, corrected)
    )
    assert np.abs(after - wanted).mean() < 0.5 * np.abs(before - wanted).mean()


def test_nothing_but_biases_changes(small_keras: Path, images: np.ndarray, exact: bytes) -> None:
    rounded, _ = to_flatbuffer(load_network(small_keras), "int8", "uint8", images)

    corrected = correct_biases(rounded, exact, images)

    differ = np.flatnonzero(np.frombuffer(corrected, np.uint8) != np.frombuffer(rounded, np.uint8))
    biases = 8 + 16 + 16 + 24  # of its convolutions
    assert 0 < len(differ) <= 4 * biases


def test_another_network_is_refused(images: np.ndarray, exact: bytes) -> None:
    rounded, _ = to_flatbuffer(load_network(build(filters=(8, 24))), "int8", "uint8", images)

    with pytest.raises(LightcamError, match="TensorFlow made other convolutions in int8 than in float32"):
        correct_biases(rounded, exact, images)


def test_the_same_network_with_other_weights_is_refused(images: np.ndarray, exact: bytes) -> None:
    rounded, _ = to_flatbuffer(load_network(build()), "int8", "uint8", images)

    with pytest.raises(LightcamError, match="other convolutions"):
        correct_biases(rounded, exact, images)


def test_shared_biases_are_left_alone(images: np.ndarray) -> None:
    network = load_network(build())  # untrained: biases that are all zero share a buffer where sizes agree
    rounded, _ = to_flatbuffer(network, "int8", "uint8", images)
    exact, _ = to_flatbuffer(network, "float32", "float32", images)

    corrected = correct_biases(rounded, exact, images)

    wanted, before, after = (
        features(one, images).mean(axis=(0, 1, 2)) for one in (exact, rounded, corrected)
    )
    assert np.abs(after - wanted).mean() <= np.abs(before - wanted).mean()
