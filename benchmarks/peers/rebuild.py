"""Makes one network in every format that the peers read, with the weights of a bundled int8 file.

    python rebuild.py lite OUT

Runs in the environment `host`. The weights are dequantized, so all float files hold the same ones; batch
norm was folded into them before they were quantized, and is an identity here.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter as LiteRT
from ai_edge_litert.interpreter import OpResolverType
from keras import layers
from onnx_graph import onnx_from_tflite

from lightcam_edge.geometry import Fit, fit_pixels
from lightcam_edge.images import read_image
from lightcam_edge.interpreter import Interpreter
from lightcam_edge.model_file import read_model
from lightcam_models.architectures import build_model

SAMPLES = ("bird.jpg", "dog.jpg", "landscape.jpg")
CALIBRATION_IMAGES = 48
LIGHT_CAM_SCALING = 255  # x/255 is folded into the file's first kernel, and is a layer in Keras


def main(name: str, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    model = rebuilt(name)
    model.save(out / "model.keras")
    (out / "labels.txt").write_text("\n".join(read_model(name).card.labels) + "\n")
    (out / "int8.tflite").write_bytes(read_model(name).path.read_bytes())
    convert = [sys.executable, "-m", "lightcam_edge", "convert", out / "model.keras", "--quiet"]
    options = ["--quantize", "float32", "--labels", out / "labels.txt", "--background", "background"]
    subprocess.run([*convert, *options, "--out", out / "float32.tflite"], check=True)
    (out / "float32.onnx").write_bytes(onnx_from_tflite(read_model(out / "float32.tflite").flatbuffer))
    height, width = model.input_shape[1:3]
    images = np.stack(
        [crop for _, crop in zip(range(CALIBRATION_IMAGES), crops((height, width)), strict=False)]
    )
    np.save(out / "calibration.npy", images)
    np.save(out / "image.npy", images[0])
    if name == "light-cam":
        np.savez(out / "weights.npz", **torch_weights(model))


def rebuilt(name: str) -> keras.Model:
    """A Keras model of a bundled file, of its own kernels."""
    card = read_model(name).card
    options = card.source["training"].get("options", {})
    model = build_model(
        card.architecture, len(card.labels), input_size=card.input.height, weights=None, **options
    )
    flatbuffer = read_model(name).flatbuffer
    convolutions = (one for one in model.layers if isinstance(one, layers.Conv2D | layers.DepthwiseConv2D))
    norms = (one for one in model.layers if isinstance(one, layers.BatchNormalization))
    for layer, norm, (kernel, bias) in zip(convolutions, norms, dequantized(flatbuffer), strict=True):
        layer.set_weights([kernel, np.zeros_like(bias)] if layer.use_bias else [kernel])
        ones, zeros = np.ones_like(bias), np.zeros_like(bias)
        norm.set_weights([ones, bias, zeros, ones - norm.epsilon])
    if name == "light-cam":
        first = model.get_layer("conv1")
        kernel, *rest = first.get_weights()
        first.set_weights([kernel * LIGHT_CAM_SCALING, *rest])
    network = Interpreter(flatbuffer)
    model.get_layer("scores").set_weights([network.gap_weights, network.gap_bias])
    return model


def dequantized(flatbuffer: bytes) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Kernel in Keras's layout and bias of each convolution of an int8 file, in its order, see `rebuilt`."""
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = LiteRT(model_content=flatbuffer, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    for operator in interpreter._get_ops_details():
        if operator["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            (kernel, kernel_detail), (bias, bias_detail) = (
                (interpreter.get_tensor(int(i)), details[int(i)]) for i in operator["inputs"][1:3]
            )
            yield real(kernel, kernel_detail).transpose((1, 2, 3, 0)), real(bias, bias_detail)


def real(values: np.ndarray, detail: dict) -> np.ndarray:
    """Values of a quantized constant; its scales may differ along one axis, and its zero point is 0."""
    quantization = detail["quantization_parameters"]
    shape = [1] * values.ndim
    shape[quantization["quantized_dimension"]] = -1
    return (values * quantization["scales"].reshape(shape)).astype(np.float32)


def crops(input_hw: tuple[int, int]) -> Iterator[np.ndarray]:
    """The sample photographs, then parts of them, at the network's size: (H, W, 3) uint8 RGB."""
    import lightcam_edge

    folder = Path(lightcam_edge.__file__).parent / "samples"
    photos = [read_image(folder / name).pixels for name in SAMPLES]
    for photo in photos:
        yield fit_pixels(photo, Fit(photo.shape[:2], input_hw, "squash"))
    rng = np.random.default_rng(0)
    while True:
        photo = photos[rng.integers(len(photos))]
        height, width = (rng.integers(side // 2, side) for side in photo.shape[:2])
        y, x = rng.integers(photo.shape[0] - height), rng.integers(photo.shape[1] - width)
        yield cv2.resize(photo[y : y + height, x : x + width], input_hw[::-1], interpolation=cv2.INTER_AREA)


def torch_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Light-CAM's weights in PyTorch's layouts, batch norm folded, scaling left to the caller."""
    weights = {}
    for number in range(1, 6):
        kernel = model.get_layer(f"conv{number}").get_weights()[0]
        weights[f"conv{number}.weight"] = kernel.transpose((3, 2, 0, 1))
        weights[f"conv{number}.bias"] = model.get_layer(f"bn{number}").get_weights()[1]
    kernel, bias = model.get_layer("scores").get_weights()
    return weights | {"fc.weight": kernel.T, "fc.bias": bias}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
