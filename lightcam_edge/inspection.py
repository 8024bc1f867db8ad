"""What a model file holds: tensors, operators, costs, and whether its parts belong together."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, prod
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.card import ModelCard
from lightcam_edge.digest import sha256
from lightcam_edge.interpreter import SIGNATURE, Interpreter, load_backend
from lightcam_edge.localizer import Network
from lightcam_edge.model_file import probe, read_model
from lightcam_edge.native_log import native_log_hushed

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
WEIGHTED = (*CONVOLUTIONS, "FULLY_CONNECTED")
FLOAT_TOLERANCE = 5e-3  # float16 weights
INT8_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output of the signature.

    Args:
        name: in the signature.
        role: `input` or `output`.
        shape: batch first.
        dtype: name of its type.
        scale: of its quantization, real = (value - zero_point) * scale; 0 if it has none.
        zero_point: of its quantization.
    """

    name: str
    role: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of the graph.

    Args:
        name: its kind, as TFLite has it.
        macs: multiply-accumulates for one image.
        parameters: weights and biases.
        is_int8: whether it computes without any floating point tensor.
        has_int8_weights: whether its weights are int8, whatever it computes in.
    """

    name: str
    macs: int = 0
    parameters: int = 0
    is_int8: bool = False
    has_int8_weights: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """The network inside a model file.

    Args:
        tensors: inputs and outputs of the signature.
        operators: in the order of the file.
        logit_range: lowest and highest value that softmax can be given; bounded in int8 files.
    """

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    logit_range: tuple[float, float] = (-inf, inf)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and dense layers for one image."""
        return sum(operator.macs for operator in self.operators)

    @property
    def parameters(self) -> int:
        """Weights and biases, batch norm folded in."""
        return sum(operator.parameters for operator in self.operators)

    @property
    def counts(self) -> dict[str, int]:
        """Number of operators by kind, the most frequent first."""
        return dict(Counter(operator.name for operator in self.operators).most_common())

    @property
    def int8_operators(self) -> float:
        """Share of the operators that compute in int8, in [0, 1]."""
        return sum(operator.is_int8 for operator in self.operators) / len(self.operators)

    @property
    def int8_macs(self) -> float:
        """Share of the multiply-accumulates done in int8, in [0, 1]."""
        return sum(operator.macs for operator in self.operators if operator.is_int8) / max(1, self.macs)


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """Whether softmax(mean(features) @ gap_weights + gap_bias) is scores.

    It is not when weights, features or the order of the classes disagree.

    Args:
        max_error: largest difference of a score.
        tolerance: what quantization explains.
    """

    max_error: float
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether they agree."""
        return self.max_error <= self.tolerance


@dataclass(frozen=True, slots=True)
class Inspection:
    """A model file, seen from all sides.

    Args:
        path: of the file.
        size: of the whole file, in bytes.
        sha256: digest of the flatbuffer part, as on the model card.
        file_sha256: digest of the whole file.
        card: the model card, or None.
        graph: the network.
        self_check: see `SelfCheck`.
    """

    path: Path
    size: int
    sha256: str
    file_sha256: str
    card: ModelCard | None
    graph: Graph
    self_check: SelfCheck


def inspect_model(name: str | Path) -> Inspection:
    """Look into a model file.

    Args:
        name: path, or name of a bundled model.

    Raises:
        ModelFileError: if it is damaged, or no runtime takes it.
        RuntimeMissingError: if no TFLite runtime is installed.
    """
    model = read_model(name)
    if model.card is None:
        probe(model.path)
    content = model.path.read_bytes()
    interpreter = Interpreter(model.flatbuffer)
    graph = read_graph(model.flatbuffer)
    return Inspection(
        model.path,
        len(content),
        sha256(model.flatbuffer),
        sha256(content),
        model.card,
        graph,
        check_self(interpreter, generated_images(interpreter.input_hw), graph),
    )


def read_graph(flatbuffer: bytes) -> Graph:
    """List the signature's tensors and the operators as they are in the file.

    Args:
        flatbuffer: a TFLite model with the signature `localize`, known to be undamaged.
    """
    _, module = load_backend()
    with native_log_hushed():
        interpreter = module.Interpreter(
            model_content=flatbuffer,
            experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    operators = interpreter._get_ops_details()
    runner = interpreter.get_signature_runner(SIGNATURE)
    return Graph(
        (
            *_tensors(runner.get_input_details(), "input"),
            *_tensors(runner.get_output_details(), "output"),
        ),
        tuple(_operator(operator, details) for operator in operators),
        _logit_range(operators, details),
    )


def _logit_range(operators: Iterable[Mapping[str, Any]], details: Mapping[int, Any]) -> tuple[float, float]:
    inputs = [int(operator["inputs"][0]) for operator in operators if operator["op_name"] == "SOFTMAX"]
    logits = details[inputs[-1]] if inputs else None
    if logits is None or logits["dtype"] != np.int8:
        return -inf, inf
    scale, zero_point = logits["quantization"]
    return (-128 - zero_point) * scale, (127 - zero_point) * scale


def _tensors(details: Mapping[str, Any], role: str) -> Iterable[Tensor]:
    for name, detail in details.items():
        scale, zero_point = detail["quantization"]
        shape = tuple(int(size) for size in detail["shape"])
        yield Tensor(name, role, shape, np.dtype(detail["dtype"]).name, float(scale), int(zero_point))


def _operator(operator: Mapping[str, Any], details: Mapping[int, Any]) -> Operator:
    name: str = operator["op_name"]
    tensors = [details.get(int(index)) for index in (*operator["inputs"], *operator["outputs"])]
    is_int8 = not any(np.issubdtype(tensor["dtype"], np.floating) for tensor in tensors if tensor)
    if name not in WEIGHTED:
        return Operator(name, is_int8=is_int8)
    weights, output = (
        [int(n) for n in details[int(index)]["shape"]]
        for index in (operator["inputs"][1], operator["outputs"][0])
    )
    bias = details.get(int(operator["inputs"][2])) if len(operator["inputs"]) > 2 else None
    positions = prod(output[1:3]) if name in CONVOLUTIONS else prod(output[:-1])
    parameters = prod(weights) + (prod(int(n) for n in bias["shape"]) if bias else 0)
    has_int8_weights = details[int(operator["inputs"][1])]["dtype"] == np.int8
    return Operator(name, positions * prod(weights), parameters, is_int8, has_int8_weights)


def generated_images(input_hw: tuple[int, int], count: int = 8) -> UInt8:
    """Coarse coloured noise: activations differ over image and maps as they do on photographs.

    Args:
        input_hw: height and width, in pixels.
        count: how many.

    Returns:
        (count, H, W, 3) images, the same on every call.
    """
    noise = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return np.stack([cv2.resize(image, input_hw[::-1]) for image in noise])


def check_self(network: Network, images: UInt8 | Sequence[UInt8], graph: Graph) -> SelfCheck:
    """Compute the scores from features and GAP weights, and compare them with the network's own.

    Args:
        network: the file in a runtime.
        images: (N, H, W, 3) images of the network's input size.
        graph: tells how it is quantized.
    """
    errors = [_self_error(network, image, graph.logit_range) for image in images]
    quantized = any(operator.has_int8_weights for operator in graph.operators)
    return SelfCheck(max(errors), INT8_TOLERANCE if quantized else FLOAT_TOLERANCE)


def _self_error(network: Network, image: UInt8, logit_range: tuple[float, float]) -> float:
    outputs = network.invoke(image)
    logits = outputs.features.mean(axis=(0, 1)) @ network.gap_weights + network.gap_bias
    logits = logits.clip(*logit_range)
    exponents = np.exp(logits - logits.max())
    return float(np.abs(exponents / exponents.sum() - outputs.scores).max())
