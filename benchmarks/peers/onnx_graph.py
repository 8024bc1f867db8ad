"""A float32 model file as ONNX: the same operators and weights, channels first.

Nothing in between (tf2onnx stopped at NumPy 1; an export from PyTorch pads in operators of their own), so
that every runtime that reads ONNX gets the graph it likes best.
"""

from types import SimpleNamespace

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
SIGNATURE = "localize"
NAMES = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
ACTIVATIONS = {value: name for name, value in vars(schema.ActivationFunctionType).items()}


class Graph:
    """Collects the nodes of one model."""

    def __init__(self, flatbuffer: bytes) -> None:
        self.model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
        (self.subgraph,) = self.model.subgraphs
        self.nodes, self.constants = [], []
        signature = next(s for s in self.model.signatureDefs if s.signatureKey.decode() == SIGNATURE)
        self.inputs = {one.name.decode(): one.tensorIndex for one in signature.inputs}
        self.outputs = {one.name.decode(): one.tensorIndex for one in signature.outputs}

    def shape(self, index: int) -> list[int]:
        return [int(size) for size in self.subgraph.tensors[index].shape]

    def value(self, index: int) -> np.ndarray | None:
        """A constant's value, or None."""
        data = self.model.buffers[self.subgraph.tensors[index].buffer].data
        if data is None or not len(data):
            return None
        kind = np.int32 if self.subgraph.tensors[index].type == schema.TensorType.INT32 else np.float32
        return np.frombuffer(bytes(bytearray(data)), kind).reshape(self.shape(index))

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def declared(self, index: int) -> onnx.ValueInfoProto:
        """An input or output of the model."""
        shape = self.shape(index)
        if len(shape) == 4:
            shape = [shape[0], shape[3], shape[1], shape[2]]
        return helper.make_tensor_value_info(f"t{index}", TensorProto.FLOAT, shape)

    def add(self, kind: str, inputs: list[str], output: str, **attributes: object) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))


def onnx_from_tflite(flatbuffer: bytes) -> bytes:
    """Translate; `image` is (1, 3, H, W) in 0..255, `features` (1, K, h, w), `scores` (1, C)."""
    graph = Graph(flatbuffer)
    for operator in graph.subgraph.operators:
        code = graph.model.operatorCodes[operator.opcodeIndex]
        kind = NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
        TRANSLATIONS[kind](graph, operator)
    names = {name: f"t{graph.outputs[name]}" for name in ("scores", "features")}
    values = [graph.declared(graph.outputs[key]) for key in names]
    image = graph.inputs["image"]
    given = graph.declared(image)
    made = helper.make_graph(graph.nodes, "lightcam", [given], values, graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    rename(model, {f"t{image}": "image"} | {name: key for key, name in names.items()})
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def rename(model: onnx.ModelProto, names: dict[str, str]) -> None:
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)


def convolution(graph: Graph, operator: SimpleNamespace) -> None:
    options, (image, kernel, bias) = operator.builtinOptions, operator.inputs
    weights = graph.value(kernel)
    depthwise = isinstance(options, schema.DepthwiseConv2DOptionsT)
    weights = weights.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
    strides = [options.strideH, options.strideW]
    pads = padding(options.padding, graph.shape(image)[1:3], weights.shape[2:], strides)
    name = f"t{operator.outputs[0]}"
    inputs = [
        f"t{image}",
        graph.constant(f"w{kernel}", weights),
        graph.constant(f"b{bias}", graph.value(bias)),
    ]
    group = weights.shape[0] if depthwise else 1
    with activated(graph, options, name) as output:
        graph.add(
            "Conv",
            inputs,
            output,
            strides=strides,
            pads=pads,
            group=group,
            kernel_shape=list(weights.shape[2:]),
        )


def padding(kind: int, image_hw: list[int], kernel_hw: tuple[int, ...], strides: list[int]) -> list[int]:
    """What goes before rows and columns, then after; TensorFlow's `same` puts the odd one after."""
    if kind == schema.Padding.VALID:
        return [0, 0, 0, 0]
    totals = [
        max(0, (-(-side // stride) - 1) * stride + kernel - side)
        for side, kernel, stride in zip(image_hw, kernel_hw, strides, strict=True)
    ]
    return [*(total // 2 for total in totals), *(total - total // 2 for total in totals)]


class activated:  # noqa: N801
    """Gives a node's output a name, and puts the activation that is fused into it behind it."""

    def __init__(self, graph: Graph, options: SimpleNamespace, name: str) -> None:
        self.graph, self.name = graph, name
        self.kind = ACTIVATIONS[options.fusedActivationFunction]

    def __enter__(self) -> str:
        self.raw = self.name if self.kind == "NONE" else f"{self.name}_raw"
        return self.raw

    def __exit__(self, *_: object) -> None:
        if self.kind == "RELU":
            self.graph.add("Relu", [self.raw], self.name)
        elif self.kind == "RELU6":
            bounds = [
                self.graph.constant(f"{self.name}_{edge}", np.array(edge, np.float32)) for edge in (0, 6)
            ]
            self.graph.add("Clip", [self.raw, *bounds], self.name)
        elif self.kind != "NONE":
            raise NotImplementedError(self.kind)


def elementwise(kind: str) -> object:
    def translate(graph: Graph, operator: SimpleNamespace) -> None:
        names = []
        for index in operator.inputs:
            value = graph.value(index)
            if value is None:
                names.append(f"t{index}")
            else:
                value = value.reshape((1, -1, 1, 1)) if value.ndim else value
                names.append(graph.constant(f"c{index}_{operator.outputs[0]}", value))
        with activated(graph, operator.builtinOptions, f"t{operator.outputs[0]}") as output:
            graph.add(kind, names, output)

    return translate


def max_pool(graph: Graph, operator: SimpleNamespace) -> None:
    options, image = operator.builtinOptions, operator.inputs[0]
    kernel, strides = [options.filterHeight, options.filterWidth], [options.strideH, options.strideW]
    pads = padding(options.padding, graph.shape(image)[1:3], tuple(kernel), strides)
    graph.add(
        "MaxPool", [f"t{image}"], f"t{operator.outputs[0]}", kernel_shape=kernel, strides=strides, pads=pads
    )


def mean(graph: Graph, operator: SimpleNamespace) -> None:
    output = f"t{operator.outputs[0]}"
    graph.add("GlobalAveragePool", [f"t{operator.inputs[0]}"], f"{output}_pooled")
    graph.add("Flatten", [f"{output}_pooled"], output)


def dense(graph: Graph, operator: SimpleNamespace) -> None:
    image, kernel, bias = operator.inputs
    weights = graph.constant(f"w{kernel}", graph.value(kernel).T)
    names = [f"t{image}", weights, graph.constant(f"b{bias}", graph.value(bias))]
    with activated(graph, operator.builtinOptions, f"t{operator.outputs[0]}") as output:
        graph.add("Gemm", names, output)


def softmax(graph: Graph, operator: SimpleNamespace) -> None:
    graph.add("Softmax", [f"t{operator.inputs[0]}"], f"t{operator.outputs[0]}", axis=-1)


TRANSLATIONS = {
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": convolution,
    "ADD": elementwise("Add"),
    "SUB": elementwise("Sub"),
    "MUL": elementwise("Mul"),
    "MAX_POOL_2D": max_pool,
    "MEAN": mean,
    "FULLY_CONNECTED": dense,
    "SOFTMAX": softmax,
}
