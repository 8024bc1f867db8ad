"""EfficientNet-Lite0 and Lite2, whole or cut after any of their blocks.

Made for 8-bit CPUs: ReLU6, no squeeze-excitation (Tan and Le 2019; the Lite
variants are in github.com/tensorflow/tpu, models/official/efficientnet/lite).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

import keras
from keras import layers

from lightcam_edge.errors import UsageError
from lightcam_models.pretrained import Array, efficientnet_lite_weights

HEAD_MAPS = 1280
CUT_MAPS = 512
BATCH_NORM_EPSILON = 1e-3
MAP_STRIDE = 16
FINER_STRIDE = 8


@dataclass(frozen=True, slots=True)
class Block:
    """One inverted residual block: expand by 1x1, filter depthwise, project by 1x1."""

    expand: int
    filters: int
    kernel: int
    stride: int = 1
    dilation: int = 1


_STAGES = (
    (Block(1, 16, 3), 1),
    (Block(6, 24, 3, stride=2), 2),
    (Block(6, 40, 5, stride=2), 2),
    (Block(6, 80, 3, stride=2), 3),
    (Block(6, 112, 5), 3),
    (Block(6, 192, 5, stride=2), 4),
    (Block(6, 320, 3), 1),
)
# Width and depth of each variant, as multiples of Lite0's.
SCALES = {0: (1.0, 1.0), 2: (1.1, 1.2)}
IMAGENET_SIZES = {0: 224, 2: 260}


def blocks_of(variant: int) -> tuple[Block, ...]:
    """Every block of a variant; the first and the last stage keep their depth."""
    width, depth = SCALES[variant]
    return tuple(
        replace(block, filters=_eights(block.filters * width), stride=1 if repeat else block.stride)
        for number, (block, repeats) in enumerate(_STAGES)
        for repeat in range(repeats if number in (0, len(_STAGES) - 1) else ceil(repeats * depth))
    )


def _eights(filters: float) -> int:
    """The nearest multiple of 8 that takes off no more than a tenth."""
    nearest = max(8, int(filters + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * filters else nearest


BLOCKS = blocks_of(0)


def dilate(blocks: tuple[Block, ...]) -> Iterator[Block]:
    """Keep the map at a sixteenth of the image: later strides become dilation.

    The block that strode keeps its own kernel undilated and those after it
    dilate, so every second value of the larger map is exactly the original
    network's.
    """
    stride, dilation = 2, 1
    for block in blocks:
        if stride * block.stride > MAP_STRIDE:
            yield replace(block, stride=1, dilation=dilation)
            dilation *= block.stride
        else:
            stride *= block.stride
            yield replace(block, dilation=dilation)


def stage(
    image: keras.KerasTensor,
    *,
    blocks: int | None = None,
    maps: int | None = None,
    map_stride: int = MAP_STRIDE,
    dilated: bool = True,
    variant: int = 0,
) -> keras.KerasTensor:
    """The convolution stage: scaling, stem, blocks, and a 1x1 convolution to the maps that GAP averages.

    Args:
        image: (batch, H, W, 3), 0..255 RGB.
        blocks: how many of the blocks to keep, Lite0 having 16; all if None.
        maps: maps of the last convolution. None is the network's own 1,280
            after all its blocks, and 512 new ones after a cut or with finer cells.
        map_stride: side of a cell of the maps in pixels of the image, 8 or 16. With 8
            the last block's features are enlarged and the last ones of that size put
            beside them, as feature pyramids do (Lin et al. 2017).
        dilated: keep the map at 1/16 of the image instead of the original's 1/32.
        variant: a key of `SCALES`.

    Raises:
        UsageError: if `blocks`, `maps` or `map_stride` is out of range.
    """
    whole = blocks_of(variant)
    blocks = len(whole) if blocks is None else blocks
    if not 1 <= blocks <= len(whole):
        raise UsageError(f"blocks {blocks} is outside 1..{len(whole)}")
    if maps is not None and maps < 1:
        raise UsageError(f"maps {maps} is below 1")
    if map_stride not in (FINER_STRIDE, MAP_STRIDE):
        raise UsageError(f"map_stride {map_stride} is neither {FINER_STRIDE} nor {MAP_STRIDE}")
    x = layers.Rescaling(1 / 128, -127 / 128, name="scaling")(image)
    x = _convolution(x, 32, "stem", kernel=3, stride=2)
    kept = whole[:blocks]
    earlier, stride = x, 2
    for number, block in enumerate(dilate(kept) if dilated else kept):
        x = _block(x, block, f"block{number}")
        stride *= block.stride
        earlier = x if stride <= FINER_STRIDE else earlier
    if map_stride == FINER_STRIDE:
        x = _finer(x, earlier)
    elif maps is None and blocks == len(whole):
        return _convolution(x, HEAD_MAPS, "head")
    return _convolution(x, maps or CUT_MAPS, "maps")


def _finer(x: keras.KerasTensor, earlier: keras.KerasTensor) -> keras.KerasTensor:
    """Enlarge features to the size of an earlier block's, and merge the two."""
    if earlier is x:
        raise UsageError(
            f"so few blocks have maps of stride {FINER_STRIDE} or less by themselves: keep 6 or more"
        )
    times = ceil(earlier.shape[1] / x.shape[1])
    enlarged = layers.UpSampling2D(times, interpolation="bilinear", name="finer_upsampling")(x)
    x = layers.Concatenate(name="finer_beside")([enlarged, earlier])
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="finer_depthwise_conv")(x)
    return _relu6(_batch_norm(x, "finer_depthwise"), "finer_depthwise")


def _convolution(
    x: keras.KerasTensor, filters: int, name: str, kernel: int = 1, stride: int = 1
) -> keras.KerasTensor:
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    return _relu6(_batch_norm(x, name), name)


def _batch_norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn")(x)


def _relu6(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(max_value=6, name=f"{name}_relu")(x)


def _block(x: keras.KerasTensor, block: Block, name: str) -> keras.KerasTensor:
    inputs, channels = x, x.shape[-1]
    if block.expand > 1:
        x = _convolution(x, channels * block.expand, f"{name}_expand")
    x = layers.DepthwiseConv2D(
        block.kernel,
        block.stride,
        padding="same",
        dilation_rate=block.dilation,
        use_bias=False,
        name=f"{name}_depthwise_conv",
    )(x)
    x = _relu6(_batch_norm(x, f"{name}_depthwise"), f"{name}_depthwise")
    x = layers.Conv2D(block.filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = _batch_norm(x, f"{name}_project")
    if block.stride == 1 and channels == block.filters and name != "block0":
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x


def load_imagenet(model: keras.Model, variant: int = 0) -> None:
    """Fill every layer that the ImageNet network has too; others stay as they are.

    A dense layer is filled only if it has ImageNet's 1,000 classes and all 1,280 maps.

    Args:
        model: built by `stage`.
        variant: of the network.

    Raises:
        RuntimeMissingError: if the package with the weights is not installed.
        ModelFileError: if its file is not the published one.
    """
    weights = efficientnet_lite_weights(variant)
    for layer in model.layers:
        if layer.weights and (found := _layer_weights(layer, weights)):
            layer.set_weights(found)


def _layer_weights(layer: keras.Layer, weights: dict[str, Array]) -> list[Array] | None:
    """One layer's arrays in Keras's order and layouts, or None if the network has no such layer."""
    if layer.name == "scores":
        found = [weights["_fc.weight"].T, weights["_fc.bias"]]
        return found if layer.kernel.shape == found[0].shape else None
    prefix = _torch_name(layer.name)
    if prefix is None:
        return None
    if isinstance(layer, layers.BatchNormalization):
        return [weights[f"{prefix}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
    axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
    return [weights[f"{prefix}.weight"].transpose(axes)]


def freeze(model: keras.Model, blocks: int) -> None:
    """Leave the first blocks, and what is before them, as they are in training; other networks have none."""
    frozen = ("stem_", *(f"block{number}_" for number in range(blocks)))
    for layer in model.layers:
        if blocks and layer.name.startswith(frozen):
            layer.trainable = False


_TORCH_BATCH_NORMS = {"expand_bn": "_bn0", "depthwise_bn": "_bn1", "project_bn": "_bn2"}
_TORCH_ENDS = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "head_conv": "_conv_head", "head_bn": "_bn1"}


def _torch_name(name: str) -> str | None:
    """`block3_expand_conv` is `_blocks.3._expand_conv` there."""
    if not name.startswith("block"):
        return _TORCH_ENDS.get(name)
    number, part = name.removeprefix("block").split("_", 1)
    return f"_blocks.{number}.{_TORCH_BATCH_NORMS.get(part, f'_{part}')}"
