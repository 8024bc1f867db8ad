"""A model small enough to reckon by hand: it finds red and blue things."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightcam_edge.card import Background, CamSpec, InputSpec, ModelCard
from lightcam_edge.model_file import seal

INPUT_HW = (32, 48)
CELL = 4  # input pixels a map cell, so the map is 8x12
CARD = ModelCard(
    "tiny",
    "by hand",
    ("red", "blue", "background"),
    InputSpec(*INPUT_HW),
    Background(2, "background"),
    # Half the peak is crossed exactly where a cell ends.
    CamSpec("br-avgcam", threshold=0.5),
)


def _flatbuffer(folder: Path) -> bytes:
    """Maps: a cell's red minus green, its blue minus green, a constant. BR-AvgCAM is 25 x (red + blue)."""
    import tensorflow as tf

    kernel = np.zeros((CELL, CELL, 3, 3), np.float32)
    kernel[..., 0, 0], kernel[..., 1, 0] = 1, -1
    kernel[..., 2, 1], kernel[..., 1, 1] = 1, -1
    kernel /= CELL * CELL * 255
    weights = np.array([[40, -10, -10], [-10, 40, -10], [0, 0, 0]], np.float32)
    bias = np.array([0, 0, 2], np.float32)

    class Tiny(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec((1, *INPUT_HW, 3), tf.float32)])  # type: ignore[untyped-decorator]
        def localize(self, image: Any) -> dict[str, Any]:
            features = tf.nn.relu(
                tf.nn.conv2d(image, tf.constant(kernel), CELL, "VALID") + tf.constant([0.0, 0.0, 1.0])
            )
            logits = tf.reduce_mean(features, (1, 2)) @ tf.constant(weights) + tf.constant(bias)
            return {
                "scores": tf.nn.softmax(logits),
                "features": features,
                "gap_weights": tf.constant(weights),
                "gap_bias": tf.constant(bias),
            }

    model = Tiny()
    tf.saved_model.save(model, str(folder), signatures={"localize": model.localize})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=["localize"])
    return bytes(converter.convert())


@pytest.fixture(scope="session")
def make_tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes the model with other fields in its card, for instance `input=InputSpec(32, 48, "letterbox")`."""
    folder = tmp_path_factory.mktemp("tiny")
    flatbuffer = _flatbuffer(folder / "saved")

    def make(name: str = "tiny", **fields: Any) -> Path:
        path = folder / f"{name}.tflite"
        path.write_bytes(seal(flatbuffer, replace(CARD, **fields)))
        return path

    return make


@pytest.fixture(scope="session")
def tiny_model(make_tiny_model: Callable[..., Path]) -> Path:
    """The model with its own card: squash, BR-AvgCAM, half the peak."""
    return make_tiny_model()
