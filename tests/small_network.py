"""A small Keras network, trained for seconds on painted photographs, and the model file made of it.

Photographs are grey noise with a red blob (`fruit`), a blue one (`water`) or none (`background`).
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

LABELS = ("fruit", "water", "background")
COLOURS = ((200, 40, 40), (40, 40, 200))
INPUT_HW = (48, 64)


def paint(class_index: int, rng: np.random.Generator, hw: tuple[int, int] = INPUT_HW) -> np.ndarray:
    """(h, w, 3) uint8 photograph of one class."""
    image = rng.normal(120, 20, (*hw, 3)).clip(0, 255).astype(np.uint8)
    if class_index < len(COLOURS):
        centre = int(rng.integers(hw[1] // 4, hw[1] * 3 // 4)), int(rng.integers(hw[0] // 4, hw[0] * 3 // 4))
        cv2.circle(image, centre, hw[0] // 4, COLOURS[class_index], cv2.FILLED)
    return image


def build(
    scale: float = 1 / 255, offset: float = 0.0, filters: tuple[int, ...] = (8, 16), **dense: Any
) -> Any:
    """An untrained network of every layer that matters here, over a non-square input."""
    import lightcam_converters  # noqa: F401 - chooses Keras's backend

    # isort: split
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    x = image = keras.Input((*INPUT_HW, 3), name="image")
    x = layers.Rescaling(scale, offset)(x)
    x = layers.ZeroPadding2D(1)(x)
    for count in filters:
        x = layers.Conv2D(count, 3, 2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Add()([x, layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x))])
    x = layers.Conv2D(24, 1, activation="relu", name="last")(x)
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(len(LABELS), **{"activation": "softmax"} | dense)(x), name="small")


@pytest.fixture(scope="session")
def small_keras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained network's `.keras` file, alone in its folder."""
    if find_spec("keras") is None:
        pytest.skip("only the train extra brings Keras")
    rng = np.random.default_rng(0)
    targets = np.arange(192) % len(LABELS)
    images = np.stack([paint(int(target), rng) for target in targets])
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.learning_rate = 0.01
    model.fit(images.astype(np.float32), targets, batch_size=32, epochs=12, verbose=0)
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def small_photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs the network has not seen, larger than its input and of another shape."""
    rng = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("photographs")
    for number in range(90):
        image = paint(number % len(LABELS), rng, (72, 80))
        place = folder / LABELS[number % len(LABELS)]
        place.mkdir(exist_ok=True)
        cv2.imwrite(str(place / f"{number:03}.png"), image[..., ::-1])
    return folder


@pytest.fixture(scope="session")
def small_report(small_keras: Path, small_photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The report of its int8 conversion; `path` is the model file."""
    from lightcam_converters.calibration import find_images
    from lightcam_converters.conversion import convert

    return convert(
        small_keras,
        tmp_path_factory.mktemp("converted") / "small.tflite",
        calibration=find_images(small_photographs),
        labels=LABELS,
        background="background",
    )


@pytest.fixture
def bare_model(small_report: Any, tmp_path: Path) -> Path:
    """The same network in a plain TFLite file, without any trace of a card."""
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder

    model = schema.ModelT.InitFromPackedBuf(small_report.path.read_bytes())
    for entry in model.metadata:
        model.buffers[entry.buffer].data = None
    model.metadata = None
    builder = Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "bare.tflite"
    path.write_bytes(builder.Output())
    return path
