"""A Keras model in the place of the TFLite runtime, for the same path from image to box."""

import json
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from lightcam_edge.card import Background, CamSpec, InputSpec, ModelCard
from lightcam_edge.errors import InputError
from lightcam_edge.interpreter import Outputs
from lightcam_edge.localizer import Localizer, Options
from lightcam_edge.model_file import ModelFile
from lightcam_models.architectures import localization_head, multiply_accumulates, parameter_count
from lightcam_models.teacher import softmax

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]


class KerasNetwork:
    """Runs a Keras model as `lightcam_edge.interpreter.Interpreter` runs a model file.

    Args:
        model: ends in global average pooling and a dense layer.

    Raises:
        UsageError: if it ends otherwise.
    """

    def __init__(self, model: keras.Model) -> None:
        head = localization_head(model)
        self._features = keras.Model(model.inputs, head.features)
        self.gap_weights: Float32
        self.gap_bias: Float32
        self.gap_weights, self.gap_bias = (np.asarray(w, np.float32) for w in head.dense.get_weights())
        _, height, width, _ = model.input_shape
        self.input_hw: tuple[int, int] = (height, width)

    def invoke(self, image: UInt8) -> Outputs:
        """Run the network on one (H, W, 3) image of its input size."""
        batch = self._features.predict_on_batch(image[None].astype(np.float32))
        features = np.asarray(keras.ops.convert_to_numpy(batch), np.float32)
        scores = softmax(features.mean(axis=(1, 2)) @ self.gap_weights + self.gap_bias)
        return Outputs(scores[0], features[0])


def load_keras(path: Path, options: Options) -> Localizer:
    """Take a trained `model.keras` with its `training.json` as if it were a model file.

    Raises:
        InputError: if one of the two cannot be read.
        UsageError: if the model does not end in global average pooling and a dense layer.
    """
    note = path.with_name("training.json")
    try:
        known = json.loads(note.read_text())
        labels, name, cam = tuple(known["labels"]), known["background"], known.get("cam", {})
        spec = CamSpec(**{key: cam[key] for key in CamSpec.__dataclass_fields__ if key in cam})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"cannot read the classes of {path} from {note}: {error}") from error
    try:
        model = keras.models.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {str(error).splitlines()[0]}") from error
    network = KerasNetwork(model)
    card = ModelCard(
        name=f"{path.resolve().parent.name} (Keras)",
        architecture=str(known.get("architecture", model.name)),
        labels=labels,
        input=InputSpec(*network.input_hw),
        background=Background(labels.index(name), name) if name else None,
        cam=spec,
        parameters=parameter_count(model),
        macs=multiply_accumulates(model),
    )
    return Localizer(ModelFile(path, b"", card), options=options, network=network)
