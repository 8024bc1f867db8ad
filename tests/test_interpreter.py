import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_network import paint

from lightcam_edge.errors import ModelFileError, RuntimeMissingError
from lightcam_edge.interpreter import Interpreter, load_backend
from lightcam_edge.model_file import read_model


def test_outputs_have_the_shapes_of_the_contract(small_report: Any, rng: np.random.Generator) -> None:
    interpreter = Interpreter(read_model(small_report.path).flatbuffer)

    outputs = interpreter.invoke(paint(0, rng))

    assert interpreter.input_hw == (48, 64)
    assert (outputs.scores.shape, outputs.features.shape) == ((3,), (13, 17, 24))
    assert (interpreter.gap_weights.shape, interpreter.gap_bias.shape) == ((24, 3), (3,))
    assert outputs.scores.sum() == pytest.approx(1, abs=0.01)


def test_outputs_stay_as_they_are_when_the_next_image_comes(
    small_report: Any, rng: np.random.Generator
) -> None:
    interpreter = Interpreter(read_model(small_report.path).flatbuffer)
    first = interpreter.invoke(paint(0, rng))
    kept = first.scores.copy(), first.features.copy()

    interpreter.invoke(paint(1, rng))

    np.testing.assert_array_equal(first.scores, kept[0])
    np.testing.assert_array_equal(first.features, kept[1])


def test_threads_change_no_result(small_report: Any, rng: np.random.Generator) -> None:
    flatbuffer, image = read_model(small_report.path).flatbuffer, paint(0, rng)

    one, two = (Interpreter(flatbuffer, threads).invoke(image) for threads in (1, 2))

    np.testing.assert_array_equal(one.features, two.features)


def test_gap_weights_and_bias_are_keras_to_the_bit(small_report: Any, small_keras: Path) -> None:
    from lightcam_models.keras_network import load_network

    interpreter = Interpreter(read_model(small_report.path).flatbuffer)
    network = load_network(small_keras)

    np.testing.assert_array_equal(interpreter.gap_weights, network.gap_weights)
    np.testing.assert_array_equal(interpreter.gap_bias, network.gap_bias)


def test_gap_weights_that_an_operator_makes_are_read_after_a_run(tmp_path: Path) -> None:
    import tensorflow as tf

    def localize(image: Any) -> dict[str, Any]:
        features = tf.nn.max_pool2d(tf.cast(image, tf.float32), 2, 2, "VALID")
        nothing = tf.cast(tf.reduce_max(features) < 0, tf.float32)  # not folded
        weights, bias = tf.eye(3) + nothing, tf.ones(3) + nothing
        scores = tf.nn.softmax(tf.reduce_mean(features, (1, 2)) @ weights + bias)
        return {"scores": scores, "features": features, "gap_weights": weights, "gap_bias": bias}

    module = tf.Module()
    signature = tf.function(localize, [tf.TensorSpec((1, 8, 8, 3), tf.uint8, name="image")])
    tf.saved_model.save(module, str(tmp_path), signatures={"localize": signature})
    flatbuffer = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path), ["localize"]).convert()

    interpreter = Interpreter(flatbuffer)

    np.testing.assert_array_equal(interpreter.gap_weights, np.eye(3))
    np.testing.assert_array_equal(interpreter.gap_bias, np.ones(3))


def test_image_of_another_size_is_refused(small_report: Any) -> None:
    interpreter = Interpreter(read_model(small_report.path).flatbuffer)

    with pytest.raises(ValueError, match="mension"):
        interpreter.invoke(np.zeros((64, 48, 3), np.uint8))


def test_bytes_that_are_no_model_are_refused_in_one_line() -> None:
    with pytest.raises(ModelFileError, match="refuses the model") as caught:
        Interpreter(b"\x1c\0\0\0TFL3" + b"\0" * 8)
    assert "\n" not in str(caught.value)


def test_runtime_that_is_not_installed_is_named_with_its_package() -> None:
    code = """
import sys
sys.modules["tflite_runtime.interpreter"] = sys.modules["ai_edge_litert.interpreter"] = None
from lightcam_edge.interpreter import load_backend
from lightcam_edge.errors import RuntimeMissingError
for backend in (None, "tflite-runtime"):
    try:
        load_backend(backend)
    except RuntimeMissingError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    first, second = done.stdout.splitlines()
    assert first.endswith("pip install ai-edge-litert")
    assert "ai-edge-litert" not in second
    assert second.endswith("pip install tflite-runtime")


def test_runtime_that_is_installed_is_chosen_by_name() -> None:
    name, module = load_backend("ai-edge-litert")

    assert (name, module.__name__) == ("ai-edge-litert", "ai_edge_litert.interpreter")


def test_runtime_that_does_not_load_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "tflite_runtime"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text("raise AttributeError('_ARRAY_API not found')")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(RuntimeMissingError, match="_ARRAY_API not found"):
        load_backend("tflite-runtime")


def test_runtime_that_refuses_this_numpy_once_it_runs_is_missing() -> None:
    """As tflite-runtime 2.14 does under numpy 2: the import goes well, the first interpreter does not."""
    code = """
import sys, types
runtime = types.ModuleType("tflite_runtime.interpreter")
def refuse(**_): raise SystemError("returned a result with an exception set")
runtime.Interpreter = refuse
sys.modules["tflite_runtime.interpreter"] = runtime
from lightcam_edge.errors import RuntimeMissingError
from lightcam_edge.interpreter import Interpreter
try:
    Interpreter(b"", backend="tflite-runtime")
except RuntimeMissingError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("tflite-runtime does not work with numpy ")
    assert done.stdout.endswith(": pip install 'numpy<2'\n")


@pytest.mark.parametrize("verbose", [False, True])
def test_native_log_lines_reach_the_user_only_if_wanted(small_report: Any, verbose: bool) -> None:
    code = f"""
import sys
from lightcam_edge.interpreter import Interpreter
from lightcam_edge.model_file import read_model
Interpreter(read_model(sys.argv[1]).flatbuffer, verbose={verbose})
"""
    command = [sys.executable, "-c", code, str(small_report.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert ("XNNPACK" in done.stderr) == verbose
