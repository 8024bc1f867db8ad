"""One network in one runtime: an image's pixels in, scores and features out.

    python network_way.py prepare WAY FOLDER
    python network_way.py measure WAY FOLDER THREADS SECONDS

Runs in the environment of its runtime, which is imported when it is asked for. FOLDER is what rebuild.py
made. Prints a line of JSON.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Network = Callable[[], tuple[Any, Any]]
"""Runs on the image that it was loaded with: (C,) scores and features, as arrays that stay."""
WARM_UP_S = 0.2
LEAST_RUNS = 5


class UnavailableError(Exception):
    """A runtime cannot do what is asked; says why."""


def ours(folder: Path, file: str, threads: int, image: np.ndarray) -> Network:
    from lightcam_edge.interpreter import Interpreter
    from lightcam_edge.model_file import read_model

    network = Interpreter(read_model(folder / file).flatbuffer, threads)

    def run() -> tuple[Any, Any]:
        outputs = network.invoke(image)
        return outputs.scores, outputs.features

    return run


def tflite(module: Any, folder: Path, file: str, threads: int, image: np.ndarray) -> Network:
    interpreter = module.Interpreter(str(folder / file), num_threads=threads)
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner("localize")
    given, outputs = runner.get_input_details()["image"], runner.get_output_details()
    index, scores, features = given["index"], outputs["scores"]["index"], outputs["features"]["index"]
    del runner
    pixels = image[None].astype(given["dtype"])

    def run() -> tuple[Any, Any]:
        interpreter.set_tensor(index, pixels)
        interpreter.invoke()
        return interpreter.get_tensor(scores)[0], interpreter.get_tensor(features)[0]

    return run


def litert(*given: Any) -> Network:
    from ai_edge_litert import interpreter

    return tflite(interpreter, *given)


def tflite_runtime(*given: Any) -> Network:
    from tflite_runtime import interpreter

    return tflite(interpreter, *given)


def channels_first(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image.transpose((2, 0, 1))[None], np.float32)


def onnxruntime(folder: Path, file: str, threads: int, image: np.ndarray) -> Network:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(folder / file), options, providers=["CPUExecutionProvider"])
    pixels = channels_first(image)

    def run() -> tuple[Any, Any]:
        scores, features = session.run(["scores", "features"], {"image": pixels})
        return scores[0], features[0]

    return run


def products_overflow() -> bool:
    """Whether sums of two products of 8 bits do not fit the 16 that x86-64 without VNNI has for them.

    ONNX Runtime's and NNCF's documents advise weights of 7 bits there.
    """
    cpu = Path("/proc/cpuinfo").read_text()
    return "avx2" in cpu and "vnni" not in cpu


def quantize_with_onnxruntime(folder: Path) -> None:
    from onnxruntime import quantization

    class Images(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.images = iter(np.load(folder / "calibration.npy"))

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self.images, None)
            return None if image is None else {"image": channels_first(image)}

    prepared = folder / "float32-prepared.onnx"
    quantization.shape_inference.quant_pre_process(
        str(folder / "float32.onnx"), str(prepared), skip_symbolic_shape=True
    )
    quantization.quantize_static(
        str(prepared),
        str(folder / "qdq.onnx"),
        Images(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        reduce_range=products_overflow(),
    )


def openvino(folder: Path, file: str, threads: int, image: np.ndarray, precision: str = "f32") -> Network:
    import openvino as ov

    compiled = ov.Core().compile_model(
        str(folder / file),
        "CPU",
        {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": precision,
        },
    )
    request = compiled.create_infer_request()
    names = {name: compiled.output(name) for name in ("scores", "features")}
    pixels = channels_first(image)

    def run() -> tuple[Any, Any]:
        results = request.infer({"image": pixels}, share_inputs=True)
        return results[names["scores"]][0], results[names["features"]][0]

    return run


def openvino_bf16(*given: Any) -> Network:
    return openvino(*given, precision="bf16")


def quantize_with_nncf(folder: Path) -> None:
    import nncf
    import openvino as ov

    images = nncf.Dataset(list(np.load(folder / "calibration.npy")), channels_first)
    fix = nncf.OverflowFix.ENABLE if products_overflow() else None
    quantized = nncf.quantize(
        ov.Core().read_model(folder / "float32.onnx"),
        images,
        advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=fix),
    )
    ov.save_model(quantized, folder / "nncf.xml")


def ncnn(folder: Path, file: str, threads: int, image: np.ndarray) -> Network:
    import ncnn as library

    network = library.Net()
    network.opt.num_threads = threads
    network.load_param(str(folder / file))
    network.load_model(str((folder / file).with_suffix(".bin")))
    array = channels_first(image)[0]  # a Mat holds no reference to it
    pixels = library.Mat(array).clone()

    def run() -> tuple[Any, Any]:
        with network.create_extractor() as extractor:  # what it gives is gone with it
            extractor.input("in0", pixels)
            scores, features = (extractor.extract(name)[1].numpy().copy() for name in ("out0", "out1"))
        return scores, features

    return run


def translate_for_ncnn(folder: Path) -> None:
    import importlib.util
    import subprocess

    found = importlib.util.find_spec("pnnx")  # to import it takes PyTorch, which its program needs not
    program = Path(found.origin).parent / "pnnx"
    size = np.load(folder / "image.npy").shape
    outputs = [f"ncnnparam={folder / 'ncnn.param'}", f"ncnnbin={folder / 'ncnn.bin'}"]
    command = [
        program,
        folder / "float32.onnx",
        f"inputshape=[1,3,{size[0]},{size[1]}]f32",
        "fp16=0",
        *outputs,
    ]
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def no_quantizer_for_ncnn(_: Path) -> None:
    raise UnavailableError("the wheels of ncnn and pnnx hold no quantizer (ncnn2table, ncnn2int8)")


def opencv(folder: Path, file: str, threads: int, image: np.ndarray) -> Network:
    import cv2

    cv2.setNumThreads(threads)
    network = cv2.dnn.readNetFromONNX(str(folder / file))
    pixels = channels_first(image)

    def run() -> tuple[Any, Any]:
        network.setInput(pixels, "image")
        scores, features = network.forward(["scores", "features"])
        return scores[0], features[0]

    return run


def nothing(_: Path) -> None:
    pass


# What is loaded, from which file, and what makes that file.
WAYS: dict[str, tuple[Callable[..., Network], str, Callable[[Path], None]]] = {
    "lightcam-edge int8": (ours, "int8.tflite", nothing),
    "lightcam-edge float32": (ours, "float32.tflite", nothing),
    "LiteRT int8": (litert, "int8.tflite", nothing),
    "LiteRT float32": (litert, "float32.tflite", nothing),
    "tflite-runtime int8": (tflite_runtime, "int8.tflite", nothing),
    "tflite-runtime float32": (tflite_runtime, "float32.tflite", nothing),
    "ONNX Runtime int8": (onnxruntime, "qdq.onnx", quantize_with_onnxruntime),
    "ONNX Runtime float32": (onnxruntime, "float32.onnx", nothing),
    "OpenVINO int8": (openvino, "nncf.xml", quantize_with_nncf),
    "OpenVINO bf16": (openvino_bf16, "float32.onnx", nothing),
    "OpenVINO float32": (openvino, "float32.onnx", nothing),
    "ncnn int8": (ncnn, "ncnn-int8.param", no_quantizer_for_ncnn),
    "ncnn float": (ncnn, "ncnn.param", translate_for_ncnn),
    "OpenCV DNN float32": (opencv, "float32.onnx", nothing),
}


def measure(way: str, folder: Path, threads: int, seconds: float) -> dict[str, Any]:
    load, file, _ = WAYS[way]
    run = load(folder, file, threads, np.load(folder / "image.npy"))
    scores, features = run()
    timed(run, WARM_UP_S)
    times = timed(run, seconds)
    return {
        "p50_ms": float(np.median(times)),
        "runs": len(times),
        "scores": np.ravel(scores).tolist(),
        "map": mean_map(np.asarray(features)).tolist(),
    }


def timed(run: Network, seconds: float) -> list[float]:
    """Milliseconds of each run, for so long and a few times at least."""
    times: list[float] = []
    while len(times) < LEAST_RUNS or sum(times) < 1000 * seconds:
        started = time.perf_counter_ns()
        run()
        times.append((time.perf_counter_ns() - started) / 1e6)
    return times


def mean_map(features: np.ndarray) -> np.ndarray:
    """Mean over the channels, which are more than rows or columns: (h * w,)."""
    features = features.reshape(features.shape[-3:])
    return features.mean(axis=int(np.argmax(features.shape))).ravel()


def main(action: str, way: str, folder: str, threads: str = "1", seconds: str = "1") -> None:
    answers = os.fdopen(os.dup(1), "w")  # a runtime may write to stdout as well
    os.dup2(2, 1)
    try:
        if action == "prepare":
            WAYS[way][2](Path(folder))
            said: dict[str, Any] = {}
        else:
            said = measure(way, Path(folder), int(threads), float(seconds))
    except UnavailableError as error:
        said = {"error": str(error)}
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    answers.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
