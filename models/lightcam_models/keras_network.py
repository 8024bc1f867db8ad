"""A Keras model as the runtime sees a network: an image in, scores and features out."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from lightcam_edge.errors import InputError, UsageError
from lightcam_edge.interpreter import Outputs
from lightcam_models.architectures import localization_head

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]


@dataclass(slots=True)
class KerasNetwork:
    """A Keras model that can localize.

    Args:
        model: takes (batch, H, W, 3) float32 RGB in 0..255.
        trunk: the same layers from the image to features and class scores.
        input_hw: height and width of its input, in pixels.
        gap_weights: (K, C) kernel of the dense layer after global average pooling.
        gap_bias: (C,) its bias, zeros where it has none.
        stage: name of the layer whose output is averaged.
        ends_in_logits: whether the model leaves the softmax out.
    """

    model: keras.Model
    trunk: keras.Model
    input_hw: tuple[int, int]
    gap_weights: Float32
    gap_bias: Float32
    stage: str
    ends_in_logits: bool

    def invoke(self, image: UInt8) -> Outputs:
        """Run the model on one (H, W, 3) uint8 RGB image of its input size."""
        features, scores = self.trunk.predict_on_batch(image[None].astype(np.float32))
        if self.ends_in_logits:
            scores = keras.ops.softmax(scores)
        return Outputs(
            *(np.asarray(keras.ops.convert_to_numpy(v)[0], np.float32) for v in (scores, features))
        )


def load_network(source: "keras.Model | Path") -> KerasNetwork:
    """Read a Keras model and find what localization needs in it.

    Args:
        source: a built model, or the path of a `.keras` file.

    Raises:
        InputError: if the file cannot be read.
        UsageError: if the model's input is not one RGB image of fixed size, or
            it does not end in global average pooling and a dense layer.
    """
    model = _load(source) if isinstance(source, Path) else source
    head = localization_head(model)
    if head.gap.data_format != "channels_last":
        raise UsageError(f"layer {head.gap.name} pools {head.gap.data_format} maps: build it channels_last")
    kernel, *bias = head.dense.get_weights()
    return KerasNetwork(
        model,
        keras.Model(model.inputs[0], [head.features, model.outputs[0]]),
        _input_hw(model),
        np.asarray(kernel, np.float32),
        np.asarray(bias[0] if bias else np.zeros(kernel.shape[1]), np.float32),
        head.stage,
        head.dense.activation is keras.activations.linear and model.outputs[0] is head.dense.output,
    )


def _load(path: Path) -> keras.Model:
    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"cannot read Keras model {path}: {reason}") from error


def _input_hw(model: keras.Model) -> tuple[int, int]:
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] != 3 or None in shapes[0][1:]:
        raise UsageError(
            f"model {model.name} takes {shapes}, not one RGB image (batch, H, W, 3): "
            "build it with a fixed input size"
        )
    return shapes[0][1], shapes[0][2]
