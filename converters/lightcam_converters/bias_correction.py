"""Takes out of the biases of an int8 network what rounding adds to the mean of each channel."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from lightcam_converters.packing import packed
from lightcam_edge.errors import LightcamError
from lightcam_edge.interpreter import encode

Float64 = npt.NDArray[np.float64]
UInt8 = npt.NDArray[np.uint8]

CONVOLUTIONS = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D)
KERNEL, BIAS = 1, 2  # among a convolution's inputs
IMAGES = 32
INT8, INT32 = np.iinfo(np.int8), np.iinfo(np.int32)
LEAST_ACTIVE = 0.1  # of a channel's values; a step for those that are cut off nearly everywhere stays small


def correct_biases(quantized: bytes, exact: bytes, images: UInt8) -> bytes:
    """Give every channel of every convolution the mean that it has without rounding.

    Rounded weights shift the mean of a channel, and shifts add up from layer to
    layer: the maps of `nano` came out 5% too low at their peaks. Each
    convolution's bias is corrected under those before it that already are, by
    the difference of the means over photographs (Nagel et al. 2019,
    arXiv:1906.04721, section 4.2, with images). Nothing but biases changes.
    A bias that several operators share is left as it is, and so is one that is
    not quantized.

    Args:
        quantized: int8 TFLite model.
        exact: the same network in float32.
        images: (N, H, W, 3) as the device feeds them, of which `IMAGES` are used.

    Raises:
        LightcamError: if the convolutions of the two do not correspond.
    """
    images = images[:: max(1, len(images) // IMAGES)][:IMAGES]
    content, model = bytearray(quantized), _without_signature(quantized)
    graph, operators = model.subgraphs[0], list(model.subgraphs[0].operators)
    places, exact_model = _convolutions(model), _without_signature(exact)
    exact_operators = [exact_model.subgraphs[0].operators[place] for place in _convolutions(exact_model)]
    if not _have_same_kernels(model, [operators[place] for place in places], exact_model, exact_operators):
        raise LightcamError(
            "TensorFlow made other convolutions in int8 than in float32, so what rounding does cannot be "
            "told: try --quantize float16"
        )
    wanted = _channels(exact_model, exact_operators, images)
    uses = Counter(int(operator.inputs[BIAS]) for operator in operators if len(operator.inputs) > BIAS)
    holders = Counter(tensor.buffer for tensor in graph.tensors)
    for place, exactly in zip(places, wanted, strict=True):
        bias = int(operators[place].inputs[BIAS])
        tensor = graph.tensors[bias]
        if tensor.type != schema.TensorType.INT32 or uses[bias] > 1 or holders[tensor.buffer] > 1:
            continue
        graph.operators = operators[: place + 1]
        (found,) = _channels(model, [operators[place]], images)
        shift = (exactly.mean - found.mean) / np.maximum(found.active, LEAST_ACTIVE)
        buffer = model.buffers[tensor.buffer]
        old = np.frombuffer(bytes(bytearray(buffer.data)), np.int32)
        new = np.clip(old + np.rint(shift / tensor.quantization.scale), INT32.min, INT32.max)
        buffer.data = new.astype(np.int32).view(np.uint8)
        schema.Model.GetRootAs(content).Buffers(tensor.buffer).DataAsNumpy()[:] = buffer.data
    return bytes(content)


@dataclass(frozen=True, slots=True)
class Channels:
    """What an operator gives over photographs, (C,) each.

    Args:
        mean: of each channel.
        active: share of its values that no activation cut off, of an int8 operator.
    """

    mean: Float64
    active: Float64


def _without_signature(flatbuffer: bytes) -> Any:
    """A model taken apart whose operators and outputs may be taken away."""
    model = schema.ModelT.InitFromPackedBuf(flatbuffer)
    model.signatureDefs = model.metadata = None
    return model


def _convolutions(model: Any) -> list[int]:
    """Where the convolutions with a bias are among the operators."""
    return [
        place
        for place, operator in enumerate(model.subgraphs[0].operators)
        if model.operatorCodes[operator.opcodeIndex].builtinCode in CONVOLUTIONS
        and len(operator.inputs) > BIAS
        and operator.inputs[BIAS] >= 0
    ]


def _have_same_kernels(
    model: Any, operators: Sequence[Any], exact_model: Any, exact_operators: Sequence[Any]
) -> bool:
    """Whether each convolution's kernel is the other model's, rounded."""
    if len(operators) != len(exact_operators):
        return False
    for operator, exact_operator in zip(operators, exact_operators, strict=True):
        (rounded, scale), (kernel, _) = _kernel(model, operator), _kernel(exact_model, exact_operator)
        if rounded.shape != kernel.shape or (np.abs(rounded - kernel) > 0.501 * scale + 1e-9).any():
            return False
    return True


def _kernel(model: Any, operator: Any) -> tuple[Float64, Float64]:
    """A convolution's kernel, and the steps that it is rounded to; 0 where it is not."""
    tensor = model.subgraphs[0].tensors[operator.inputs[KERNEL]]
    dtype = np.int8 if tensor.type == schema.TensorType.INT8 else np.float32
    values = np.frombuffer(bytes(bytearray(model.buffers[tensor.buffer].data)), dtype).reshape(tensor.shape)
    if dtype != np.int8:
        return values.astype(np.float64), np.zeros(())
    steps = np.ones(values.ndim, np.int64)
    steps[tensor.quantization.quantizedDimension] = -1
    scale = np.asarray(tensor.quantization.scale, np.float64).reshape(steps)
    return values * scale, scale


def _channels(model: Any, operators: Sequence[Any], images: UInt8) -> list[Channels]:
    """What operators of a model give; the model's outputs become theirs."""
    model.subgraphs[0].outputs = np.array([operator.outputs[0] for operator in operators], np.int32)
    interpreter = Interpreter(model_content=packed(model))
    interpreter.allocate_tensors()
    (taken,), given = interpreter.get_input_details(), interpreter.get_output_details()
    sums = [np.zeros((2, one["shape"][-1])) for one in given]
    for image in images:
        interpreter.set_tensor(taken["index"], encode(image, taken["dtype"])[None])
        interpreter.invoke()
        for one, total in zip(given, sums, strict=True):
            values = interpreter.get_tensor(one["index"])
            scale, zero = one["quantization"]
            real = (values.astype(np.float64) - zero) * (scale or 1.0)
            between = (values > INT8.min) & (values < INT8.max)
            total += real.mean(axis=(0, 1, 2)), between.mean(axis=(0, 1, 2))
    return [Channels(*total / len(images)) for total in sums]
