import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_network import INPUT_HW, LABELS, build, paint

from lightcam_converters.calibration import Sample, draw_samples, find_images
from lightcam_converters.conversion import Demands, _checked_graph, _foreign_operators, convert
from lightcam_converters.draft import Wishes, draft_card
from lightcam_converters.graph import to_flatbuffer
from lightcam_converters.parity import compare, summarize
from lightcam_converters.scaling import InputScaling
from lightcam_edge.box import Box
from lightcam_edge.card import InputSpec
from lightcam_edge.catalogue import bundled_models
from lightcam_edge.errors import InputError, LightcamError, UsageError
from lightcam_edge.inspection import read_graph
from lightcam_edge.localizer import Localizer
from lightcam_edge.model_file import read_model
from lightcam_models.keras_network import load_network

TRAINED = Path(__file__).resolve().parents[1] / "models" / "trained"
WISHES: dict[str, Any] = {"labels": LABELS, "background": "background"}


@pytest.fixture(scope="module")
def photographs(small_photographs: Path) -> list[Path]:
    return find_images(small_photographs)


@pytest.mark.parametrize(
    ("quantize", "score_error", "correlation"),
    [("float32", 1e-4, 0.9999), ("float16", 0.02, 0.999), ("dynamic", 0.05, 0.99)],
)
def test_every_floating_point_file_says_what_keras_says(
    small_keras: Path,
    photographs: list[Path],
    tmp_path: Path,
    quantize: Any,
    score_error: float,
    correlation: float,
) -> None:
    report = convert(small_keras, tmp_path / "m.tflite", quantize=quantize, calibration=photographs, **WISHES)

    assert report.parity.top1_agreement == 1
    assert report.parity.max_score_error < score_error
    assert report.parity.min_cam_correlation > correlation
    assert report.graph.int8_macs == 0


def test_int8_file_says_nearly_what_keras_says_in_int8_alone(small_report: Any) -> None:
    parity = small_report.parity

    assert parity.images == 45
    assert parity.top1_agreement >= 0.95
    assert parity.cam_correlation > 0.98
    assert parity.box_iou > 0.8
    assert small_report.graph.int8_macs == 1
    assert small_report.graph.int8_operators > 0.7


def test_int8_file_finds_the_blob_in_a_photograph_that_is_not_square(
    small_report: Any, rng: np.random.Generator
) -> None:
    image = paint(2, rng, (96, 160))
    image[10:60, 20:80] = (200, 40, 40)

    found = Localizer(small_report.path)(image, channels="rgb")

    assert found.label == "fruit"
    assert found.detections[0].box.iou(Box(20, 10, 80, 60)) > 0.5


def test_file_holds_the_card_it_reports(small_report: Any) -> None:
    card = read_model(small_report.path).card

    assert card is not None
    assert card == small_report.card
    assert card.labels == LABELS
    assert (card.background.index, card.background.label) == (2, "background")  # type: ignore[union-attr]
    assert (card.cam.method, card.cam.stage) == ("br-avgcam", "last")
    assert card.input == InputSpec(*INPUT_HW)
    assert card.parity["images"] == 45
    assert card.quantization["calibration"]["images"] == 45
    assert len(card.quantization["calibration"]["sha256"]) == 64
    assert card.source["file"] == "model.keras"


@pytest.mark.parametrize("name", bundled_models())
def test_the_keras_model_of_a_bundled_file_is_the_one_it_was_made_from(name: str) -> None:
    kept = (TRAINED / name / "model.keras").read_bytes()

    card = read_model(name).card

    assert card is not None
    assert card.source["sha256"] == hashlib.sha256(kept).hexdigest()


def test_signature_is_that_of_the_contract(small_report: Any) -> None:
    tensors = {
        tensor.name: (tensor.role, tensor.shape, tensor.dtype) for tensor in small_report.graph.tensors
    }

    assert tensors == {
        "image": ("input", (1, 48, 64, 3), "uint8"),
        "scores": ("output", (1, 3), "float32"),
        "features": ("output", (1, 13, 17, 24), "float32"),
        "gap_weights": ("output", (24, 3), "float32"),
        "gap_bias": ("output", (3,), "float32"),
    }


def test_scaling_without_offset_is_folded_and_leaves_bytes_as_they_are(small_report: Any) -> None:
    image = small_report.graph.tensors[0]

    assert (image.scale, image.zero_point) == (1.0, 0)
    assert "MUL" not in small_report.graph.counts


def test_batch_norm_is_folded(small_keras: Path, tmp_path: Path) -> None:
    report = convert(small_keras, tmp_path / "m.tflite", quantize="float32", **WISHES)

    assert report.graph.counts == {
        "CONV_2D": 3,
        "PAD": 1,
        "DEPTHWISE_CONV_2D": 1,
        "ADD": 1,
        "MEAN": 1,
        "FULLY_CONNECTED": 1,
        "SOFTMAX": 1,
    }


def test_scaling_with_an_offset_becomes_the_quantization_of_an_int8_input(
    photographs: list[Path], tmp_path: Path
) -> None:
    model = build(1 / 128, -127 / 128)

    report = convert(model, tmp_path / "m.tflite", calibration=photographs, **WISHES)

    assert (report.graph.tensors[0].scale, report.graph.tensors[0].zero_point) == (1 / 128, 127)
    assert "MUL" not in report.graph.counts
    assert report.parity.cam_correlation > 0.98


def test_scaling_with_an_offset_stays_in_a_float_file(photographs: list[Path], tmp_path: Path) -> None:
    model = build(1 / 128, -127 / 128)

    report = convert(model, tmp_path / "m.tflite", quantize="float32", calibration=photographs, **WISHES)

    assert report.parity.max_score_error < 1e-4
    assert report.graph.tensors[0].dtype == "float32"


def test_offset_that_falls_on_no_byte_stays_an_operator(photographs: list[Path], tmp_path: Path) -> None:
    report = convert(build(1 / 127.5, -1.0), tmp_path / "m.tflite", calibration=photographs, **WISHES)

    assert (report.graph.tensors[0].scale, report.graph.tensors[0].zero_point) == (1.0, 0)
    assert report.parity.cam_correlation > 0.98


def test_full_integer_file_says_what_the_int8_file_says(
    small_keras: Path, small_report: Any, photographs: list[Path], tmp_path: Path, rng: np.random.Generator
) -> None:
    report = convert(small_keras, tmp_path / "m.tflite", calibration=photographs, io="int8", **WISHES)
    dtypes = {tensor.name: tensor.dtype for tensor in report.graph.tensors}
    image = paint(0, rng)

    first, second = (Localizer(path)(image, channels="rgb") for path in (report.path, small_report.path))

    assert (dtypes["image"], dtypes["scores"], dtypes["features"]) == ("int8", "int8", "int8")
    np.testing.assert_array_equal(first.scores, second.scores)
    np.testing.assert_allclose(first.cam, second.cam, atol=1e-5)


def test_int8_file_can_take_float32(small_keras: Path, photographs: list[Path], tmp_path: Path) -> None:
    report = convert(small_keras, tmp_path / "m.tflite", calibration=photographs, io="float32", **WISHES)

    assert report.graph.tensors[0].dtype == "float32"
    assert report.parity.cam_correlation > 0.98


def test_float_file_takes_no_bytes(small_keras: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes float32"):
        convert(small_keras, tmp_path / "m.tflite", quantize="float16", io="uint8")


def test_int8_without_photographs_is_refused_by_the_flag_to_add(small_keras: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--calibration"):
        convert(small_keras, tmp_path / "m.tflite")
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_not_faithful_enough_is_not_written(small_keras: Path, tmp_path: Path) -> None:
    with pytest.raises(LightcamError, match=r"box IoU with Keras is 1\.000, below 1\.1"):
        convert(small_keras, tmp_path / "m.tflite", quantize="float32", min_box_iou=1.1)
    assert list(tmp_path.iterdir()) == []


def test_demand_for_agreement_is_checked(small_report: Any) -> None:
    Demands(agreement=small_report.parity.top1_agreement).check(small_report.parity)
    with pytest.raises(LightcamError, match="top-1 agreement"):
        Demands(agreement=1.01).check(small_report.parity)


def test_report_draws_the_worst_boxes(small_keras: Path, photographs: list[Path], tmp_path: Path) -> None:
    report = convert(
        small_keras,
        tmp_path / "m.tflite",
        quantize="float32",
        calibration=photographs,
        report=tmp_path / "pictures",
        **WISHES,
    )

    assert sorted(report.pictures) == sorted((tmp_path / "pictures").iterdir())
    assert len(report.pictures) == 5
    assert "worst box 5" in str(report)


def test_network_with_other_weights_is_told_apart(small_report: Any, photographs: list[Path]) -> None:
    model = read_model(small_report.path)
    other = load_network(build())
    sample = draw_samples(photographs[:20], InputSpec(*INPUT_HW), 0).held_out

    parity = summarize(compare(other, model, sample), photographs=True)

    assert parity.cam_correlation < 0.9
    assert parity.max_score_error > 0.1


@pytest.mark.parametrize("ending", ["logits", "softmax layer", "no bias", "nested", "sequential"])
def test_models_that_end_in_gap_and_dense_convert_however_they_are_written(
    ending: str, tmp_path: Path
) -> None:
    import keras
    from keras import layers

    plain = {"logits": {"activation": None}, "no bias": {"use_bias": False}}
    model = build(**plain.get(ending, {}))
    if ending == "softmax layer":
        logits = build(activation=None)
        model = keras.Model(logits.inputs, layers.Softmax()(logits.outputs[0]))
    elif ending == "nested":
        base = keras.Model(model.inputs, model.get_layer("last").output)
        image = keras.Input((*INPUT_HW, 3))
        pooled = layers.GlobalAveragePooling2D()(base(image))
        model = keras.Model(image, layers.Dense(3, activation="softmax")(pooled))
    elif ending == "sequential":
        model = keras.Sequential(
            [
                keras.Input((*INPUT_HW, 3)),
                layers.Rescaling(1 / 255),
                layers.Conv2D(8, 3, 4, activation="relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(3, activation="softmax"),
            ]
        )

    report = convert(model, tmp_path / "m.tflite", quantize="float32")

    assert report.parity.max_score_error < 1e-4
    assert report.self_check.max_error < 1e-4


def test_model_that_ends_otherwise_is_refused_by_the_layer_found(tmp_path: Path) -> None:
    import keras
    from keras import layers

    image = keras.Input((*INPUT_HW, 3))
    flat = layers.Flatten()(layers.MaxPooling2D(8, name="pool")(image))
    model = keras.Model(image, layers.Dense(3, activation="softmax")(flat))

    with pytest.raises(UsageError, match="layer pool"):
        convert(model, tmp_path / "m.tflite", quantize="float32")


def test_model_without_a_fixed_input_size_is_refused(tmp_path: Path) -> None:
    import keras
    from keras import layers

    image = keras.Input((None, None, 3))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    model = keras.Model(image, layers.Dense(3, activation="softmax")(pooled))

    with pytest.raises(UsageError, match="fixed input size"):
        convert(model, tmp_path / "m.tflite", quantize="float32")


def test_file_whose_weights_went_missing_is_refused(small_keras: Path) -> None:
    network = load_network(small_keras)
    bare, scaling = to_flatbuffer(network, "float32", "float32", np.zeros((0, *INPUT_HW, 3), np.uint8))
    larger = load_network(build(filters=(8, 64)))

    _checked_graph(bare, network, "float32", "float32", scaling)
    with pytest.raises(LightcamError, match="left weights out"):
        _checked_graph(bare, larger, "float32", "float32", scaling)


def test_file_whose_input_is_not_the_images_bytes_is_refused(small_report: Any, small_keras: Path) -> None:
    flatbuffer = read_model(small_report.path).flatbuffer

    with pytest.raises(LightcamError, match=r"scale 1\.0 and zero point 0, not uint8 with 0\.5 and 0"):
        _checked_graph(flatbuffer, load_network(small_keras), "int8", "uint8", InputScaling(0.5))


def test_operators_that_the_device_lacks_are_named(tmp_path: Path) -> None:
    import tensorflow as tf

    state = tf.Variable(tf.zeros(3))

    class Foreign(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec((3,), tf.float32)])  # type: ignore[untyped-decorator]
        def call(self, x: Any) -> Any:
            state.assign(x)
            return tf.math.digamma(x) + state

    module = Foreign()
    module.state = state
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.call.get_concrete_function()], module)
    converter.allow_custom_ops = True

    foreign = _foreign_operators(converter.convert())

    assert "Digamma" in foreign
    assert "VAR_HANDLE" in foreign


def test_file_that_is_no_keras_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"PK not a zip")

    with pytest.raises(InputError, match="cannot read Keras model"):
        convert(tmp_path / "model.keras", tmp_path / "m.tflite", quantize="float32")


def test_model_made_with_custom_code_does_not_run_it(tmp_path: Path) -> None:
    import keras
    from keras import layers

    image = keras.Input((*INPUT_HW, 3))
    pooled = layers.GlobalAveragePooling2D()(layers.Lambda(lambda x: x / 255)(image))
    keras.Model(image, layers.Dense(3, activation="softmax")(pooled)).save(tmp_path / "model.keras")

    with pytest.raises(InputError, match="cannot read Keras model"):
        convert(tmp_path / "model.keras", tmp_path / "m.tflite", quantize="float32")


def test_training_note_fills_the_card_and_the_user_overrules_it(small_keras: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.keras"
    shutil.copy(small_keras, model)
    note = {
        "architecture": "tiny",
        "labels": ["a", "b", "nothing"],
        "background": "nothing",
        "cam": {"method": "br-avgcam", "threshold": 0.4, "component": "all", "threshold_source": "masks"},
        "data": {"name": "blobs", "terms": "ours"},
        "recipe": {"epochs": 12},
    }
    (tmp_path / "training.json").write_text(json.dumps(note))
    network = load_network(model)

    card, _ = draft_card(network, model, Wishes())
    other, _ = draft_card(network, model, Wishes(threshold=0.3, component="largest", method="cam"))

    assert (card.architecture, card.labels, card.training_data["terms"]) == (
        "tiny",
        ("a", "b", "nothing"),
        "ours",
    )
    assert (card.cam.threshold, card.cam.component, card.cam.threshold_source) == (0.4, "all", "masks")
    assert card.source["training"]["recipe"] == {"epochs": 12}
    assert (other.cam.method, other.cam.threshold, other.cam.component) == ("cam", 0.3, "largest")
    assert other.cam.threshold_source == "given at conversion"


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        (Wishes(labels=("a", "b")), "2 labels for a model of 3 classes"),
        (Wishes(labels=LABELS, background="sky"), "'sky' is not among"),
        (Wishes(labels=("a", "a", "b")), "different"),
        (Wishes(labels=LABELS, method="br-avgcam"), "needs a background"),
    ],
)
def test_wishes_that_do_not_suit_the_network_are_refused(
    small_keras: Path, wishes: Wishes, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        draft_card(load_network(small_keras), small_keras, wishes)


def test_labels_nobody_knows_are_numbers_and_said_so(small_keras: Path) -> None:
    card, notes = draft_card(load_network(small_keras), small_keras, Wishes())

    assert card.labels == ("class 0", "class 1", "class 2")
    assert "--labels" in notes[0]


def test_calibration_and_held_out_photographs_are_disjoint_and_the_draw_is_repeatable(
    photographs: list[Path],
) -> None:
    first, again = (draw_samples(photographs, InputSpec(8, 8), 3) for _ in range(2))
    other = draw_samples(photographs, InputSpec(8, 8), 4)

    assert not set(first.calibration.names) & set(first.held_out.names)
    assert len(first.calibration.names) == len(first.held_out.names) == 45
    assert first.calibration.digest == again.calibration.digest != other.calibration.digest
    assert first.notes == ()


def test_unreadable_photographs_are_left_out_and_said_so(photographs: list[Path], tmp_path: Path) -> None:
    for number, path in enumerate(photographs[:10]):
        shutil.copy(path, tmp_path / f"{number}.png")
    (tmp_path / "broken.png").write_bytes(b"no image")

    samples = draw_samples(find_images(tmp_path), InputSpec(8, 8), 0)

    assert len(samples.calibration.names) + len(samples.held_out.names) == 10
    assert "broken.png" in samples.notes[0]
    assert "only 5 images held out" in samples.notes[1]


def test_one_photograph_is_calibrated_and_checked_with(photographs: list[Path]) -> None:
    samples = draw_samples(photographs[:1], InputSpec(8, 8), 0)

    assert samples.held_out == samples.calibration
    assert "too few" in samples.notes[0]


def test_photographs_can_be_listed_in_a_file(photographs: list[Path], tmp_path: Path) -> None:
    listed = tmp_path / "images.txt"
    listed.write_text("".join(f"{path}\n" for path in photographs[:3]))

    assert find_images(listed) == photographs[:3]


def test_folder_without_photographs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no images"):
        find_images(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="none of 1 calibration images"):
        draw_samples(find_images(tmp_path), InputSpec(8, 8), 0)


@pytest.mark.parametrize(("architecture", "size"), [("light-cam", 64), ("nano", 64)])
def test_our_own_networks_convert_with_everything_folded(
    architecture: str, size: int, photographs: list[Path], tmp_path: Path
) -> None:
    import keras

    from lightcam_models.architectures import build_model, multiply_accumulates, parameter_count

    keras.utils.set_random_seed(0)
    model = build_model(architecture, 3, input_size=size, weights=None)

    report = convert(model, tmp_path / "m.tflite", calibration=photographs[:20], **WISHES)
    adds = sum(isinstance(layer, keras.layers.Add) for layer in model.layers)

    assert report.graph.counts.get("ADD", 0) == adds
    assert not report.graph.counts.keys() & {"MUL", "SUB", "PAD", "RESHAPE"}
    assert report.graph.macs == report.card.macs == multiply_accumulates(model)
    assert report.card.parameters == parameter_count(model)
    assert report.graph.int8_macs == 1


def test_dynamic_file_with_a_dense_layer_large_enough_to_be_quantized_passes_its_self_check(
    tmp_path: Path,
) -> None:
    from lightcam_models.architectures import build_model

    model = build_model("nano", 3, input_size=32, weights=None)

    report = convert(model, tmp_path / "m.tflite", quantize="dynamic")

    assert report.graph.operators[-2].name == "FULLY_CONNECTED"
    assert report.graph.operators[-2].has_int8_weights
    assert report.graph.int8_macs == 0
    assert report.self_check.ok


def _lightcam(*arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from lightcam_edge.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_command_converts_quietly_whatever_backend_the_user_trains_with(
    small_keras: Path, small_photographs: Path, tmp_path: Path
) -> None:
    labels, out = tmp_path / "labels.txt", tmp_path / "m.tflite"
    labels.write_text("fruit\nwater\nbackground\n")
    options = ("--calibration", small_photographs, "--labels", labels, "--background", "background")

    done = _lightcam("convert", small_keras, *options, "--out", out, KERAS_BACKEND="jax")

    assert (done.returncode, done.stderr) == (0, "")
    assert "top-1 agreement" in done.stdout
    assert read_graph(read_model(out).flatbuffer).int8_macs == 1


def test_command_names_the_extra_where_keras_is_missing(small_keras: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['keras'] = None; from lightcam_edge.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "convert", str(small_keras), "--out", str(tmp_path / "m.tflite")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "error: conversion needs keras, which is not installed: pip install 'lightcam-edge[convert]'"
    ]


def test_sample_of_generated_images_is_named_as_such(small_keras: Path) -> None:
    samples = draw_samples((), InputSpec(*INPUT_HW), 0)

    assert isinstance(samples.held_out, Sample)
    assert samples.held_out.names == ()
    assert "generated" in samples.notes[0]
