from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from lightcam_edge.errors import InputError, UsageError
from lightcam_models.architectures import (
    ARCHITECTURES,
    build_model,
    copy_application,
    load_backbone,
    localization_head,
    multiply_accumulates,
    parameter_count,
)


@pytest.mark.parametrize(
    ("architecture", "parameters", "million_macs"),
    [
        ("light-cam", 1_574_083, 968),
        ("vgg16", 14_716_227, 15_347),
        ("mobilenet", 3_231_939, 568),
        ("resnet50", 23_593_859, 3_856),
        ("inceptionv3", 21_808_931, 2_836),
        ("lite", 777_859, 255),
        ("tiny", 431_555, 96),
        ("nano", 136_163, 68),
    ],
)
def test_every_network_has_its_published_size(architecture: str, parameters: int, million_macs: int) -> None:
    model = build_model(architecture, 3, weights=None)

    assert parameter_count(model) == parameters
    assert round(multiply_accumulates(model) / 1e6) == million_macs
    assert model.name == architecture
    assert (model.input.name, model.input.shape[1:]) == (
        "image",
        2 * (ARCHITECTURES[architecture].input_size,) + (3,),
    )
    assert model.output.shape == (None, 3)


def test_multiply_accumulates_follow_the_formula_of_each_layer() -> None:
    image = keras.Input((8, 6, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same")(image)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(x))
    model = keras.Model(image, layers.Dense(5)(x))

    assert multiply_accumulates(model) == 4 * 3 * (3 * 3 * 3 * 4) + 4 * 3 * (3 * 3 * 4) + 4 * 5


def test_multiply_accumulates_need_a_fixed_size() -> None:
    image = keras.Input((None, None, 3))
    model = keras.Model(image, layers.Conv2D(4, 3, name="first")(image))

    with pytest.raises(UsageError, match="layer first has no fixed size"):
        multiply_accumulates(model)


@pytest.mark.parametrize(
    ("architecture", "size", "options", "maps"),
    [
        ("light-cam", 224, {}, (7, 7, 512)),
        ("light-cam", 224, {"last_pooling": False}, (14, 14, 512)),
        ("light-cam", 128, {"width": 0.5}, (4, 4, 256)),
        ("light-cam", 64, {"filters": (8, 16)}, (16, 16, 16)),
        ("lite", 320, {}, (20, 20, 512)),
        ("lite", 224, {"blocks": 16}, (14, 14, 1280)),
        ("lite", 224, {"blocks": 16, "dilated": False}, (7, 7, 1280)),
        ("lite", 224, {"blocks": 16, "maps": 64}, (14, 14, 64)),
        ("nano", 96, {"maps": 32}, (6, 6, 32)),
        ("nano", 96, {"maps": 32, "map_stride": 8}, (12, 12, 32)),
        ("lite", 224, {"maps": 256, "map_stride": 8}, (28, 28, 256)),
    ],
)
def test_options_shape_the_map(
    architecture: str, size: int, options: dict[str, object], maps: tuple[int, ...]
) -> None:
    model = build_model(architecture, 2, input_size=size, weights=None, **options)

    assert localization_head(model).features.shape[1:] == maps


@pytest.mark.parametrize(
    ("architecture", "arguments", "message"),
    [
        ("alexnet", {}, "no architecture 'alexnet': choose from lite, tiny"),
        ("light-cam", {"blocks": 6}, "light-cam has no option blocks: it has filters, width, last_pooling"),
        ("light-cam", {"weights": "imagenet"}, "no ImageNet weights for light-cam"),
        ("light-cam", {"input_size": 8}, "light-cam cannot be built for 8x8 pixels"),
        ("light-cam", {"width": 0.01}, "leave a block without any"),
        ("lite", {"map_stride": 4}, "map_stride 4 is neither 8 nor 16"),
        ("lite", {"map_stride": 8, "blocks": 5}, "so few blocks have maps of stride 8 or less"),
        ("lite", {"map_stride": 8, "input_size": 100}, "lite cannot be built for 100x100 pixels"),
        ("inceptionv3", {"input_size": 32}, "inceptionv3 cannot be built for 32x32 pixels"),
    ],
)
def test_what_cannot_be_built_is_said(architecture: str, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_model(architecture, 3, **arguments)


def test_one_class_is_no_classifier() -> None:
    with pytest.raises(ValueError, match="classes 1 is below 2"):
        build_model("light-cam", 1)


@pytest.mark.parametrize("architecture", ["light-cam", "lite", "mobilenet"])
def test_scores_come_from_the_maps_mean(architecture: str) -> None:
    model = build_model(architecture, 4, input_size=64, weights=None, dropout=0.5)
    head = localization_head(model)
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)

    features, scores = keras.Model(model.input, [head.features, model.output]).predict(images, verbose=0)

    kernel, bias = head.dense.get_weights()
    logits = features.mean(axis=(1, 2)) @ kernel + bias
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert scores == pytest.approx(exponentials / exponentials.sum(axis=1, keepdims=True), abs=1e-5)


def _ending(*tail: layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="maps"), *tail], name="theirs")


@pytest.mark.parametrize(
    "tail",
    [
        [layers.Dense(2, activation="softmax", name="scores")],
        [layers.Dense(2, name="scores"), layers.Softmax()],
        [layers.Dense(2, name="scores"), layers.Activation("softmax")],
        [layers.Dropout(0.2), layers.Dense(2, activation="softmax", name="scores")],
    ],
)
def test_the_head_of_any_model_is_found(tail: list[layers.Layer]) -> None:
    model = _ending(layers.GlobalAveragePooling2D(name="mean"), *tail)

    head = localization_head(model)

    assert head.features is model.get_layer("maps").output
    assert (head.stage, head.gap.name, head.dense.name) == ("maps", "mean", "scores")


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        (
            [layers.Flatten(name="flat"), layers.Dense(2, activation="softmax")],
            r"layer maps \(Conv2D\) where GlobalAveragePooling2D is needed",
        ),
        (
            [layers.GlobalMaxPooling2D(name="peak"), layers.Dense(2, activation="softmax")],
            r"layer peak \(GlobalMaxPooling2D\) where GlobalAveragePooling2D is needed",
        ),
        (
            [layers.GlobalAveragePooling2D(name="mean")],
            r"layer mean \(GlobalAveragePooling2D\) where a Dense layer",
        ),
        (
            [layers.GlobalAveragePooling2D(), layers.Dense(2, activation="sigmoid", name="flags")],
            "layer flags of model theirs has no softmax",
        ),
    ],
)
def test_a_model_that_ends_otherwise_is_refused_by_its_layer(tail: list[layers.Layer], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        localization_head(_ending(*tail))


@pytest.mark.parametrize("ending", ["keras", "weights.h5"])
@pytest.mark.parametrize("architecture", ["light-cam", "inceptionv3"])
def test_a_backbone_fills_all_but_the_classifier(architecture: str, ending: str, tmp_path: Path) -> None:
    trained = build_model(architecture, 5, input_size=96, weights=None)
    path = tmp_path / f"trained.{ending}"
    trained.save(path) if ending == "keras" else trained.save_weights(path)
    model = build_model(architecture, 3, input_size=128, weights=None)

    filled = load_backbone(model, path)

    weighted = [layer for layer in model.layers if layer.weights]
    assert filled == len(weighted) - 1
    for layer in weighted[:-1]:
        for ours, theirs in zip(
            layer.get_weights(), trained.get_layer(layer.name).get_weights(), strict=True
        ):
            assert np.array_equal(ours, theirs)


def test_a_backbone_can_be_named_when_building(tmp_path: Path) -> None:
    trained = build_model("light-cam", 3, filters=(4, 8), input_size=16)
    trained.save(tmp_path / "trained.keras")

    model = build_model("light-cam", 3, filters=(4, 8), input_size=16, weights=tmp_path / "trained.keras")

    image = np.full((1, 16, 16, 3), 100, np.float32)
    assert np.array_equal(model.predict(image, verbose=0), trained.predict(image, verbose=0))


def test_a_backbone_of_another_kind_is_refused(tmp_path: Path) -> None:
    build_model("nano", 3, weights=None).save(tmp_path / "nano.keras")

    with pytest.raises(UsageError, match=r"no layer of .*nano\.keras"):
        load_backbone(build_model("light-cam", 2), tmp_path / "nano.keras")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut short", b"text"])
def test_a_file_that_is_no_backbone_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "broken.keras"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(InputError, match=r"cannot read weights from .*broken.keras"):
        load_backbone(build_model("light-cam", 3, filters=(4,), input_size=8), path)


@pytest.mark.parametrize(
    ("architecture", "application", "bgr_layer"),
    [("vgg16", keras.applications.vgg16, "block1_conv1"), ("mobilenet", keras.applications.mobilenet, None)],
)
def test_copied_weights_see_what_keras_preprocessing_shows_them(
    architecture: str, application: object, bgr_layer: str | None
) -> None:
    build = application.VGG16 if architecture == "vgg16" else application.MobileNet
    donor = build(include_top=False, weights=None, input_shape=(32, 32, 3))
    model = build_model(architecture, 3, input_size=32, weights=None)
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)

    copy_application(model, donor, bgr_layer)

    ours = keras.Model(model.input, localization_head(model).features).predict(images, verbose=0)
    theirs = donor.predict(application.preprocess_input(images.copy()), verbose=0)
    assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-5)
    assert theirs.std() > 0


def test_a_failed_download_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))

    with pytest.raises(InputError, match="cannot get the ImageNet weights of mobilenet") as caught:
        build_model("mobilenet", 3, input_size=32, weights="imagenet")
    assert "\n" not in str(caught.value)
