"""From a Keras network to a bare TFLite flatbuffer with the signature the device wants."""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any, Literal, get_args

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from lightcam_converters.scaling import InputScaling, settle_scaling
from lightcam_edge.errors import LightcamError
from lightcam_edge.interpreter import SIGNATURE
from lightcam_models.keras_network import KerasNetwork

UInt8 = npt.NDArray[np.uint8]
Quantization = Literal["int8", "float16", "float32", "dynamic"]
QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)
InputOutput = Literal["uint8", "int8", "float32"]
INPUT_OUTPUTS: tuple[InputOutput, ...] = get_args(InputOutput)


def to_flatbuffer(
    network: KerasNetwork, quantization: Quantization, io: InputOutput, calibration: UInt8
) -> tuple[bytes, InputScaling]:
    """Convert a network.

    Args:
        network: as it was trained.
        quantization: of weights and, with `int8`, of everything between input and output.
        io: what the file takes; with `int8` it gives int8 scores and features as well, else float32.
        calibration: (N, H, W, 3) images as the device feeds them; used by `int8` only.

    Returns:
        The flatbuffer, and what its input's real values are.

    Raises:
        LightcamError: if TensorFlow cannot convert it.
    """
    exported, scaling = settle_scaling(network, quantized_input=quantization == "int8" and io != "float32")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow announces the end of tf.lite.Interpreter, unused here
        _export(exported, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        _configure(converter, quantization, io)
        if quantization == "int8":
            converter.representative_dataset = lambda: _fed(calibration, scaling)
        try:
            return bytes(converter.convert()), scaling
        except Exception as error:  # ConverterError, RuntimeError, ValueError: TensorFlow says anything
            reason = str(error).strip().splitlines()[0]
            raise LightcamError(f"TensorFlow {tf.__version__} cannot convert the model: {reason}") from error


def _export(network: KerasNetwork, folder: str) -> None:
    """Write a SavedModel; of Keras 3's ways to TFLite this is the one that keeps weights and signature."""
    weights, bias = tf.constant(network.gap_weights), tf.constant(network.gap_bias)

    def localize(image: Any) -> dict[str, Any]:
        features, scores = network.trunk(image, training=False)
        if network.ends_in_logits:
            scores = tf.nn.softmax(scores)
        return {"scores": scores, "features": features, "gap_weights": weights, "gap_bias": bias}

    archive = keras.export.ExportArchive()
    archive.track(network.trunk)
    image = tf.TensorSpec((1, *network.input_hw, 3), tf.float32, name="image")
    archive.add_endpoint(SIGNATURE, localize, input_signature=[image])
    archive.write_out(folder, verbose=False)


def _configure(converter: Any, quantization: Quantization, io: InputOutput) -> None:
    if quantization != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.dtypes.as_dtype(io)
        converter.inference_output_type = tf.int8 if io == "int8" else tf.float32


def _fed(images: UInt8, scaling: InputScaling) -> Iterator[dict[str, Any]]:
    """The calibration images as the graph takes them.

    The first one's corner holds black and white, so that the input's
    quantization spans 0..255 exactly, whatever the photographs hold.
    """
    for number, image in enumerate(images):
        pixels = image.astype(np.float64)
        if number == 0:
            pixels[0, :2, 0] = 0, 255
        yield {"image": (pixels * scaling.scale + scaling.offset).astype(np.float32)[None]}
