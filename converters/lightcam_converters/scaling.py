"""What becomes of the input scaling inside a Keras model: folded, made the input's quantization, or kept."""

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from lightcam_models.keras_network import KerasNetwork, load_network

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class InputScaling:
    """What the exported graph is fed: image * scale + offset, the image being 0..255.

    In an int8 file this is the quantization of its input, so that the device
    feeds the image's bytes as they are.
    """

    scale: float = 1.0
    offset: float = 0.0

    @property
    def zero_point(self) -> int:
        """The byte that stands for 0."""
        return round(-self.offset / self.scale)


def settle_scaling(network: KerasNetwork, quantized_input: bool) -> tuple[KerasNetwork, InputScaling]:
    """Take a leading Rescaling layer out of the graph where that is exact.

    One without an offset goes into the kernel of the convolution behind it:
    zero padding stays zero. One with an offset would change the borders there,
    but is exact as the quantization of the input, if 0 falls on a byte.
    Otherwise it stays an operator.

    Args:
        network: the network as it was trained.
        quantized_input: whether the file's input will be 8-bit.

    Returns:
        The network to export and what it is to be fed.
    """
    layer = _leading_rescaling(network.model)
    if layer is None:
        return network, InputScaling()
    scale, offset = (np.asarray(value, np.float64).reshape(-1) for value in (layer.scale, layer.offset))
    convolution = _convolution_behind(layer)
    if convolution is not None and not offset.any():
        return _without(network, layer, convolution, scale), InputScaling()
    if quantized_input and len(scale) == len(offset) == 1 and _falls_on_a_byte(scale[0], offset[0]):
        return _without(network, layer), InputScaling(float(scale[0]), float(offset[0]))
    return network, InputScaling()


def _leading_rescaling(model: keras.Model) -> layers.Rescaling | None:
    layer = _only_consumer(model.inputs[0]._keras_history.operation)
    return layer if isinstance(layer, layers.Rescaling) else None


def _only_consumer(layer: layers.Layer) -> layers.Layer | None:
    nodes = layer._outbound_nodes
    return nodes[0].operation if len(nodes) == 1 else None


def _convolution_behind(layer: layers.Layer) -> layers.Layer | None:
    following = _only_consumer(layer)
    while isinstance(following, layers.ZeroPadding2D):
        following = _only_consumer(following)
    if not isinstance(following, layers.Conv2D | layers.DepthwiseConv2D):
        return None
    shared = len(following._inbound_nodes) != 1
    return None if shared or getattr(following, "groups", 1) != 1 else following


def _falls_on_a_byte(scale: float, offset: float) -> bool:
    zero = -offset / scale if scale > 0 else -1.0
    return -1e-3 < zero < 255 + 1e-3 and abs(zero - round(zero)) < 1e-3


def _without(
    network: KerasNetwork,
    rescaling: layers.Rescaling,
    convolution: layers.Layer | None = None,
    scale: Float64 | float = 1.0,
) -> KerasNetwork:
    """The network without its Rescaling layer, whose scale a convolution's kernel may take over."""

    def copy(layer: layers.Layer) -> layers.Layer:
        if layer is rescaling:
            return layers.Identity(name=layer.name)
        return type(layer).from_config(layer.get_config())

    model = keras.models.clone_model(network.model, clone_function=copy)
    model.set_weights(network.model.get_weights())
    if convolution is not None:
        kernel, *bias = convolution.get_weights()
        model.get_layer(convolution.name).set_weights([kernel * np.reshape(scale, (-1, 1)), *bias])
    return load_network(model)
