"""Every network that can be trained: a convolution stage, global average pooling, a dense layer."""

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from math import prod
from pathlib import Path
from typing import Any, Literal

import h5py
import keras
from keras import layers

from lightcam_edge.errors import InputError, UsageError
from lightcam_models import efficientnet_lite
from lightcam_models.pretrained import Array

LIGHT_CAM_FILTERS = (32, 64, 128, 256, 512)
IMAGENET_MEAN_RGB = (123.68, 116.779, 103.939)

_NOT_OPTIONS = ("image", "application", "scaling", "variant")

Weights = Literal["default", "imagenet"] | Path | None


@dataclass(frozen=True, slots=True)
class Architecture:
    """How one kind of network is built.

    Args:
        stage: takes the image tensor, and its options as keywords, to the maps that GAP averages.
        load_imagenet: fills a model with ImageNet weights; None if there are none.
        from_imagenet: whether it starts from them unless said otherwise.
        input_size: height and width unless said otherwise, in pixels.
    """

    stage: Callable[..., keras.KerasTensor]
    load_imagenet: Callable[[keras.Model], None] | None = None
    from_imagenet: bool = False
    input_size: int = 224

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options that `build_model` takes for it."""
        return tuple(name for name in signature(self.stage).parameters if name not in _NOT_OPTIONS)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a network that can localize: scores = softmax(mean of features @ kernel + bias).

    Args:
        features: (batch, h, w, K) symbolic output of the layer that GAP averages.
        gap: the global average pooling layer.
        dense: the classifier.
    """

    features: keras.KerasTensor
    gap: layers.GlobalAveragePooling2D
    dense: layers.Dense

    @property
    def stage(self) -> str:
        """Name of the layer whose output GAP averages."""
        return str(_producer(self.features)[0].name)


def build_model(
    architecture: str,
    classes: int,
    *,
    input_size: int | None = None,
    weights: Weights = "default",
    dropout: float = 0.0,
    **options: Any,
) -> keras.Model:
    """Build a network that takes photographs as they are and ends in GAP and a dense softmax.

    Args:
        architecture: one of `ARCHITECTURES`.
        classes: number of classes, background included.
        input_size: height and width in pixels; the architecture's own if None.
        weights: `imagenet`, a file for `load_backbone`, None for random ones, or
            `default`: ImageNet's for EfficientNet-Lite, random ones for the others.
        dropout: share of the pooled features dropped in training.
        options: of the architecture: `filters`, `width`, `last_pooling` (Light-CAM);
            `blocks`, `maps`, `map_stride`, `dilated` (lite, tiny, nano).

    Returns:
        Model from `image` (batch, H, W, 3), float32 RGB in 0..255, to `scores` (batch, classes).

    Raises:
        UsageError: if there is no such architecture, option or size.
        RuntimeMissingError: if the package with the weights is not installed.
        InputError: if weights cannot be downloaded or read.
    """
    if classes < 2:
        raise ValueError(f"classes {classes} is below 2")
    kind = _find(architecture)
    if unknown := sorted(options.keys() - set(kind.options)):
        known = ", ".join(kind.options) or "no options"
        raise UsageError(f"{architecture} has no option {unknown[0]}: it has {known}")
    size = kind.input_size if input_size is None else input_size
    try:
        image = keras.Input((size, size, 3), name="image")
        features = kind.stage(image, **options)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{architecture} cannot be built for {size}x{size} pixels: {reason}") from error
    model = keras.Model(image, _scores(features, classes, dropout), name=architecture)
    _start(model, kind, weights)
    return model


def _find(architecture: str) -> Architecture:
    try:
        return ARCHITECTURES[architecture]
    except KeyError:
        known = ", ".join(ARCHITECTURES)
        raise UsageError(f"no architecture {architecture!r}: choose from {known}") from None


def _scores(features: keras.KerasTensor, classes: int, dropout: float) -> keras.KerasTensor:
    """Pool and classify in float32, whatever the precision of the convolutions."""
    pooled = layers.GlobalAveragePooling2D(name="gap", dtype="float32")(features)
    if dropout:
        pooled = layers.Dropout(dropout, name="dropout")(pooled)
    return layers.Dense(classes, activation="softmax", name="scores", dtype="float32")(pooled)


def _start(model: keras.Model, kind: Architecture, weights: Weights) -> None:
    if isinstance(weights, Path):
        load_backbone(model, weights)
    elif weights not in ("default", "imagenet", None):
        raise ValueError(f"weights {weights!r} is neither `default`, `imagenet`, None nor a Path")
    elif weights == "imagenet" and kind.load_imagenet is None:
        raise UsageError(
            f"there are no ImageNet weights for {model.name}: leave them out, or give a backbone file"
        )
    elif kind.load_imagenet and (weights == "imagenet" or (weights == "default" and kind.from_imagenet)):
        kind.load_imagenet(model)


def light_cam_stage(
    image: keras.KerasTensor,
    *,
    filters: Sequence[int] = LIGHT_CAM_FILTERS,
    width: float = 1.0,
    last_pooling: bool = True,
) -> keras.KerasTensor:
    """Light-CAM's blocks of convolution, batch norm, ReLU and pooling (J. KICS 2022).

    Args:
        image: (batch, H, W, 3), 0..255 RGB.
        filters: one number a block.
        width: multiplies every number of filters.
        last_pooling: pool after the last block too, as the paper does; without
            it the map has twice the height and width.

    Raises:
        UsageError: if there are no filters.
    """
    if not filters or min(filters) * width < 1:
        raise UsageError(f"filters {tuple(filters)} times width {width} leave a block without any")
    x = layers.Rescaling(1 / 255, name="scaling")(image)
    for number, count in enumerate(filters, start=1):
        x = layers.Conv2D(round(count * width), 3, padding="same", name=f"conv{number}")(x)
        x = layers.BatchNormalization(name=f"bn{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
        if last_pooling or number < len(filters):
            x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    return x


def _application_stage(
    image: keras.KerasTensor, application: Callable[..., keras.Model], scaling: Callable[[], layers.Layer]
) -> keras.KerasTensor:
    base = application(include_top=False, weights=None, input_tensor=scaling()(image))
    _name_by_place(layer for layer in base.layers if layer.weights)
    return base.output


def _name_by_place(weighted: Iterable[layers.Layer]) -> None:
    """Replace names that Keras counts up per process, so that saved weights are found again by name."""
    for number, layer in enumerate(weighted):
        if match := re.fullmatch(r"(conv2d|batch_normalization)(_\d+)?", layer.name):
            layer.name = f"{match[1]}_at{number}"


def _tensorflow_scaling() -> layers.Layer:
    return layers.Rescaling(1 / 127.5, -1, name="scaling")


def _caffe_scaling() -> layers.Layer:
    """Mean colour off, in RGB: Keras's own preprocessing does it in BGR."""
    return layers.Rescaling(1, [-mean for mean in IMAGENET_MEAN_RGB], name="scaling")


def _load_application(
    model: keras.Model, application: Callable[..., keras.Model], bgr_layer: str | None = None
) -> None:
    """Copy Keras's ImageNet weights.

    Args:
        model: built from the same application.
        application: where they come from.
        bgr_layer: the first convolution, if the weights want blue first.

    Raises:
        InputError: if they are neither in Keras's cache nor to be downloaded.
    """
    try:
        donor = application(include_top=False, weights="imagenet", input_shape=(224, 224, 3))
    except Exception as error:  # keras.utils.get_file raises bare Exception for a failed download
        raise InputError(
            f"cannot get the ImageNet weights of {model.name} ({error}): "
            "start from random weights or a backbone file"
        ) from error
    copy_application(model, donor, bgr_layer)


def copy_application(model: keras.Model, donor: keras.Model, bgr_layer: str | None = None) -> None:
    """Copy the weights of a `keras.applications` network without its top, see `_load_application`."""
    targets = [layer for layer in model.layers if layer.weights and layer.name != "scores"]
    sources = [layer for layer in donor.layers if layer.weights]
    for target, source in zip(targets, sources, strict=True):
        target.set_weights(source.get_weights())
    if bgr_layer:
        kernel, *rest = model.get_layer(bgr_layer).get_weights()
        model.get_layer(bgr_layer).set_weights([kernel[:, :, ::-1], *rest])


def _application(name: str, bgr_layer: str | None = None) -> Architecture:
    application = getattr(keras.applications, name)
    return Architecture(
        partial(
            _application_stage,
            application=application,
            scaling=_caffe_scaling if bgr_layer else _tensorflow_scaling,
        ),
        partial(_load_application, application=application, bgr_layer=bgr_layer),
    )


def _lite(blocks: int, input_size: int) -> Architecture:
    return Architecture(
        partial(efficientnet_lite.stage, blocks=blocks),
        efficientnet_lite.load_imagenet,
        from_imagenet=True,
        input_size=input_size,
    )


ARCHITECTURES = {
    "lite": _lite(blocks=11, input_size=224),
    "tiny": _lite(blocks=9, input_size=160),
    "nano": _lite(blocks=6, input_size=160),
    "light-cam": Architecture(light_cam_stage),
    "vgg16": _application("VGG16", bgr_layer="block1_conv1"),
    "mobilenet": _application("MobileNet"),
    "resnet50": _application("ResNet50", bgr_layer="conv1_conv"),
    "inceptionv3": _application("InceptionV3"),
}


def imagenet_classifier(
    variant: int = 0, input_size: int | None = None, *, dilated: bool = True
) -> keras.Model:
    """A full EfficientNet-Lite with its 1,000 ImageNet classes, ending in GAP and dense as all do here.

    Args:
        variant: 0 or 2.
        input_size: height and width in pixels; the variant's own if None.
        dilated: a map of 1/16 of the image, or the original's of 1/32.

    Raises:
        RuntimeMissingError: if the package with the weights is not installed.
    """
    size = input_size or efficientnet_lite.IMAGENET_SIZES[variant]
    image = keras.Input((size, size, 3), name="image")
    features = efficientnet_lite.stage(image, dilated=dilated, variant=variant)
    model = keras.Model(image, _scores(features, 1000, 0.0), name=f"efficientnet-lite{variant}")
    efficientnet_lite.load_imagenet(model, variant)
    return model


def parameter_count(model: keras.Model) -> int:
    """Number of weights, moving averages of batch norm included."""
    return int(model.count_params())


def multiply_accumulates(model: keras.Model) -> int:
    """Multiplications of convolutions and dense layers for one image of the model's input size.

    Raises:
        UsageError: if the input size is not fixed.
    """
    return sum(_layer_macs(layer) for layer in model.layers)


def _layer_macs(layer: layers.Layer) -> int:
    if isinstance(layer, keras.Model):
        return multiply_accumulates(layer)
    if not isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.SeparableConv2D | layers.Dense):
        return 0
    positions = layer.output.shape[1:-1]
    if None in positions:
        raise UsageError(f"layer {layer.name} has no fixed size: build the model with a fixed input size")
    kernels = (weight.shape for weight in layer.weights if len(weight.shape) > 1)
    return int(prod(positions) * sum(prod(shape) for shape in kernels))


def localization_head(model: keras.Model) -> Head:
    """Find the pooling and the dense layer that class activation maps need.

    Dropout and flattening between the two, and a softmax layer after them, are accepted.

    Raises:
        UsageError: if the model ends otherwise; it names the layer found instead.
    """
    outputs = getattr(model, "outputs", None) or []
    if len(outputs) != 1:
        raise UsageError(f"model {model.name} has {len(outputs)} known outputs, not one of class scores")
    layer, tensor = _producer(outputs[0])
    if _is_softmax(layer):
        layer, tensor = _producer(tensor)
    if not isinstance(layer, layers.Dense):
        raise _wrong_end(model, layer, "a Dense layer of classes")
    dense = layer
    if dense.activation not in (keras.activations.softmax, keras.activations.linear):
        raise UsageError(f"layer {dense.name} of model {model.name} has no softmax: train it with one")
    layer, tensor = _producer(tensor)
    while isinstance(layer, layers.Dropout | layers.Flatten):
        layer, tensor = _producer(tensor)
    if not isinstance(layer, layers.GlobalAveragePooling2D):
        raise _wrong_end(model, layer, "GlobalAveragePooling2D")
    return Head(tensor, layer, dense)


def _producer(tensor: keras.KerasTensor) -> tuple[layers.Layer, keras.KerasTensor]:
    """The layer a tensor comes from, and what went into it there; a layer may be used in several places."""
    layer, node_index, _ = tensor._keras_history
    inputs = layer._inbound_nodes[node_index].input_tensors
    return layer, inputs[0] if inputs else tensor


def _is_softmax(layer: layers.Layer) -> bool:
    activation = getattr(layer, "activation", None) if isinstance(layer, layers.Activation) else None
    return isinstance(layer, layers.Softmax) or activation is keras.activations.softmax


def _wrong_end(model: keras.Model, layer: layers.Layer, wanted: str) -> UsageError:
    return UsageError(
        f"model {model.name} has layer {layer.name} ({type(layer).__name__}) where {wanted} is needed: "
        "end it in GlobalAveragePooling2D and Dense"
    )


def load_backbone(model: keras.Model, path: Path) -> int:
    """Copy the weights of every layer that a saved model has under the same name with the same shapes.

    A classifier for other classes is thus left as it is. The saved model is
    not rebuilt and none of its code runs.

    Args:
        model: what is filled.
        path: `.keras` or `.weights.h5` file.

    Returns:
        How many layers were filled.

    Raises:
        InputError: if the file cannot be read.
        UsageError: if no layer matches.
    """
    saved = _read_weights(path)
    filled = 0
    for layer in model.layers:
        found = saved.get(layer.name)
        if found and [array.shape for array in found] == [tuple(weight.shape) for weight in layer.weights]:
            layer.set_weights(found)
            filled += 1
    if not filled:
        raise UsageError(
            f"no layer of {path} has the name and shape of one of {model.name}: give its own kind"
        )
    return filled


def _read_weights(path: Path) -> dict[str, list[Array]]:
    """Weights of a Keras 3 file by layer name, in the order of `layer.weights`."""
    try:
        content = path.read_bytes()
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read("model.weights.h5")
        with h5py.File(io.BytesIO(content)) as file:
            return _named_arrays(file)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"cannot read weights from {path} ({error}): give a .keras or .weights.h5 file"
        ) from error


def _named_arrays(file: h5py.File) -> dict[str, list[Array]]:
    found: dict[str, list[Array]] = {}

    def take(_: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Group) and "name" in node.attrs and len(node):
            found[str(node.attrs["name"])] = [node[str(number)][()] for number in range(len(node))]

    file.visititems(take)
    return found
