"""What `lightcam-edge benchmark` measures, keeps and says."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from lightcam_edge.benchmarking.accelerated import AcceleratedNetwork
from lightcam_edge.benchmarking.arena import covered, tensor_arena
from lightcam_edge.benchmarking.measuring import STAGES, Delegate, Spec, delegated_operators, measure
from lightcam_edge.benchmarking.report import aligned
from lightcam_edge.benchmarking.sweep import generated_frame
from lightcam_edge.commands.benchmark import command, delegate_from_text
from lightcam_edge.interpreter import Interpreter
from lightcam_edge.model_file import EMBEDDED_CARD_NAME, read_model

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "lightcam_edge" / "samples"
SOFTWARE_GPU = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
QUICK = ("--threads", "1", "--warmup", "1", "--runs", "3", "--rounds", "1")
# Takes no operator; `fail` refuses to load, `crash` ends the process.
DELEGATE = """
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
typedef struct Delegate {
  void *data; int (*prepare)(void *, struct Delegate *); void *copy_from, *copy_to, *release;
  int64_t flags; void *builder;
} Delegate;
static int leave(void *context, Delegate *delegate) { return 0; }
static int crash(void *context, Delegate *delegate) { abort(); }
Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*tell)(char *)) {
  Delegate *delegate = calloc(1, sizeof *delegate);
  delegate->prepare = leave;
  for (size_t i = 0; i < count; i++) {
    if (!strcmp(keys[i], "fail")) { tell(values[i]); return NULL; }
    if (!strcmp(keys[i], "crash")) delegate->prepare = crash;
  }
  return delegate;
}
void tflite_plugin_destroy_delegate(Delegate *delegate) { free(delegate); }
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def measured(tmp_path: Path, *arguments: str | Path) -> dict[str, Any]:
    path = tmp_path / "out.json"
    done = run(*arguments, "--json", path, "--quiet")
    assert done.exit_code == 0, done.output
    values: dict[str, Any] = json.loads(path.read_text())
    return values


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One model with one and with two threads, two rounds each."""
    folder = tmp_path_factory.mktemp("sweep")
    options = ("--threads", "1,2", "--runs", "4", "--rounds", "2", "--samples")
    return measured(folder, "lite", *options, "--images", SAMPLES)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A delegate that any runtime loads."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to build a delegate with")
    folder = tmp_path_factory.mktemp("delegate")
    (folder / "delegate.c").write_text(DELEGATE)
    path = folder / "delegate.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", path, folder / "delegate.c"], check=True)
    return path


def test_stages_add_up_to_the_total(sweep: dict[str, Any]) -> None:
    for one in sweep["results"]:
        samples = one["samples"]
        parts = np.sum([np.ravel(samples[stage]) for stage in STAGES if stage != "total"], axis=0)

        assert parts == pytest.approx(np.ravel(samples["total"]), abs=1e-3)
        assert one["images_per_s"] == pytest.approx(1000 / np.mean(samples["total"]), rel=1e-3)


def test_statistics_are_those_of_the_samples(sweep: dict[str, Any]) -> None:
    for one in sweep["results"]:
        for stage, stats in one["stages"].items():
            times = np.array(one["samples"][stage])
            assert stats["count"] == times.size == 8
            assert stats["p50"] == pytest.approx(np.median(times), abs=1e-3)
            assert stats["parts"] == pytest.approx(np.median(times, axis=1), abs=1e-3)
            assert (
                stats["min"] <= stats["p50"] <= stats["p90"] <= stats["p95"] <= stats["p99"] <= stats["max"]
            )


def test_every_number_of_threads_is_a_result_of_its_own(sweep: dict[str, Any]) -> None:
    assert [one["threads"] for one in sweep["results"]] == [1, 2]
    assert all(len(one["init_ms"]) == len(one["first_image_ms"]) == 2 for one in sweep["results"])


def test_memory_is_a_fresh_process_with_one_model(sweep: dict[str, Any]) -> None:
    for one in sweep["results"]:
        memory = one["memory"]
        assert 20e6 < memory["before_load"] < memory["after_load"] <= memory["peak"] < 200e6
        assert memory["growth"] < 5e6
        assert memory["tensor_arena"] == tensor_arena(read_model("lite").flatbuffer)
        assert memory["model_file"] == one["model"]["size"] == read_model("lite").path.stat().st_size


def test_model_facts_are_those_of_the_inspection(sweep: dict[str, Any]) -> None:
    card = read_model("lite").card
    assert card is not None
    model = sweep["results"][0]["model"]

    assert (model["name"], model["sha256"], model["parameters"]) == ("lite", card.sha256, card.parameters)
    assert (model["macs"], model["int8_share"]["macs"]) == (card.macs, 1.0)


def test_the_default_runtime_leaves_no_convolution_to_its_slow_kernels(sweep: dict[str, Any]) -> None:
    assert sweep["results"][0]["delegated"]["macs"] == 1.0


def test_every_key_is_in_the_documentation(sweep: dict[str, Any]) -> None:
    named = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "benchmark-schema.md").read_text()))
    free = {
        "cores",
        "features",
        "libraries",
        "operators",
        "temperatures_c",
        "clocks_mhz",
        "options",
        "photographs",
    }

    def keys(value: Any) -> set[str]:
        if isinstance(value, list):
            return {key for one in value for key in keys(one)}
        if not isinstance(value, dict):
            return set()
        inner = (keys(one) for name, one in value.items() if name not in free)
        return set(value).union(*inner)

    assert keys(sweep) - named == set()


def test_a_generated_frame_has_a_box_so_that_no_stage_is_idle(tmp_path: Path) -> None:
    values = measured(tmp_path, "lite", *QUICK)

    assert values["results"][0]["boxed"] == 1
    assert (values["input"]["images"], values["input"]["frame_wh"]) == ("generated", [640, 480])
    assert values["results"][0]["samples"] is None
    assert generated_frame((64, 48)).shape == (48, 64, 3)


def test_images_decoded_beforehand_have_no_decode_stage(tmp_path: Path) -> None:
    values = measured(tmp_path, "lite", *QUICK, "--in-memory", "--size", "320x240")

    assert "decode" not in values["results"][0]["stages"]
    assert values["input"]["in_memory"]


def test_a_round_may_be_measured_in_seconds(tmp_path: Path) -> None:
    values = measured(tmp_path, "lite", "--seconds", "0.3", "--rounds", "1")

    assert values["results"][0]["stages"]["total"]["count"] > 3
    assert (values["settings"]["runs"], values["settings"]["seconds"]) == (None, 0.3)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two frames, so that it has to begin again."""
    path = tmp_path_factory.mktemp("film") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for _ in range(2):
        writer.write(cv2.cvtColor(generated_frame((320, 240)), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def test_a_camera_is_looked_through_without_waiting_for_it(tmp_path: Path, film: Path) -> None:
    values = measured(tmp_path, "nano", *QUICK, "--camera", film)

    (result,) = values["results"]
    assert values["input"] == {
        "images": None,
        "camera": str(film),
        "count": 0,
        "frame_wh": None,
        "in_memory": False,
    }
    assert result["stages"]["total"]["count"] == 3
    assert 0 < result["stages"]["decode"]["p50"] < 100  # the film's next picture is due after 100 ms
    assert result["stages"]["draw"]["count"] == 3


def test_a_missing_camera_is_one_line() -> None:
    line = [sys.executable, "-m", "lightcam_edge", "benchmark", "nano", *QUICK, "--camera", "/dev/video99"]

    done = subprocess.run(line, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "/dev/video99" in done.stderr


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One photograph of each class; the bird's and the dog's have boxes."""
    folder = tmp_path_factory.mktemp("truth")
    for label, name in {"bird": "bird", "dog": "dog", "background": "landscape"}.items():
        (folder / label).mkdir()
        shutil.copy(SAMPLES / f"{name}.jpg", folder / label)
    rows = ("bird/bird.jpg,73,69,466,457", "dog/dog.jpg,57,117,469,405")
    (folder / "boxes.csv").write_text("\n".join(("filename,x0,y0,x1,y1", *rows, "")))
    return folder


def test_accuracy_and_density_stand_in_the_models_table(tmp_path: Path, truth: Path) -> None:
    pytest.importorskip("lightcam_models.evaluation.evaluating", reason="the host package is not installed")
    path = tmp_path / "out.json"

    done = run("lite", *QUICK, "--data", truth, "--background", "background", "--json", path)

    accuracy = json.loads(path.read_text())["results"][0]["accuracy"]
    assert accuracy["photographs"] == {"bird": 1, "dog": 1, "background": 1}
    assert accuracy["top1"][0] == accuracy["top1_localization"][0] == accuracy["gt_known"][0] == 100
    parameters = json.loads(path.read_text())["results"][0]["model"]["parameters"]
    assert accuracy["information_density"] == pytest.approx(100 / (parameters / 1e6), rel=1e-4)
    assert re.search(r"class, box right %.*density", done.stdout)
    assert "accuracy: " in done.stdout


def test_a_sustained_run_has_a_median_a_minute() -> None:
    seen: list[int] = []
    spec = Spec("lite", (str(SAMPLES / "bird.jpg"),), 1, seconds=0.5, minute_s=0.2)

    found = measure(spec, tell=lambda minute: seen.append(minute.minute))

    assert seen == [minute.minute for minute in found.minutes] == [1, 2, 3]
    assert sum(minute.images for minute in found.minutes) == len(found.samples["total"])
    assert found.minutes[0].p50_ms == pytest.approx(
        np.median(found.samples["total"][: found.minutes[0].images]), abs=1e-3
    )


def test_the_minutes_are_a_table(tmp_path: Path) -> None:
    done = run("lite", "--threads", "1", "--sustained", "0.5s")

    assert done.exit_code == 0
    assert "Minute by minute: lite, 1 thread, ai-edge-litert" in done.stdout
    assert re.search(r"^minute 1  .* images", done.stderr, re.MULTILINE)


def test_energy_is_the_mean_power_of_each_rail_over_an_image(tmp_path: Path) -> None:
    sensor = tmp_path / "sys/class/hwmon/hwmon0"
    sensor.mkdir(parents=True)
    for name, text in {
        "name": "ina3221",
        "in1_label": "VDD_IN",
        "in1_input": "5000",
        "curr1_input": "800",
    }.items():
        (sensor / name).write_text(text)

    found = measure(Spec("lite", (str(SAMPLES / "bird.jpg"),), 1, runs=3), tmp_path)

    assert found.power_mw == found.before.power_mw == {"VDD_IN": 4000.0}


def test_a_table_and_markdown_say_the_same() -> None:
    text, markdown = (run("lite", *QUICK, *options).stdout for options in ((), ("--markdown",)))

    for title in ("Image to box", "Stages in ms: lite, 1 thread", "Start and memory", "Models"):
        assert f"\n{title}" in text
        assert f"\n**{title}" in markdown
    assert "| lite, 1 thread, ai-edge-litert |" in markdown


def test_columns_stand_in_line() -> None:
    assert aligned([("a", "bb"), ("ccc", "d")]) == ["a    bb", "ccc   d"]


def test_limits_that_are_passed_fail_the_command() -> None:
    passed = run("lite", *QUICK, "--max-p95", "0.001", "--max-rss", "5", "--quiet")
    kept = run("lite", *QUICK, "--max-p95", "100000", "--max-rss", "5000", "--quiet")

    assert passed.exit_code == 1
    assert "ms, above --max-p95 0.001" in passed.stderr
    assert "MB, above --max-rss 5" in passed.stderr
    assert (kept.exit_code, kept.stdout) == (0, "")


def test_a_missing_delegate_is_one_line_and_the_others_go_on(tmp_path: Path) -> None:
    path = tmp_path / "out.json"

    done = run("lite", *QUICK, "--delegate", "none", "--delegate", "missing.so", "--json", path, "--quiet")

    assert done.exit_code == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert "delegate missing.so does not load" in error
    first, second = json.loads(path.read_text())["results"]
    assert "stages" in first
    assert second["error"] in error
    assert "stages" not in second


def test_nothing_but_a_missing_delegate_is_wrong_usage() -> None:
    line = ["benchmark", "lite", *QUICK, "--delegate", "missing.so"]

    done = subprocess.run(
        [sys.executable, "-m", "lightcam_edge", *line], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: delegate missing.so does not load")
    assert done.stderr.count("\n") == 1


def test_a_delegate_is_loaded_and_stands_in_the_result(tmp_path: Path, library: Path) -> None:
    values = measured(tmp_path, "lite", *QUICK, "--delegate", f"{library},mood=good")

    assert values["results"][0]["delegate"] == {"library": str(library), "options": {"mood": "good"}}
    assert values["results"][0]["stages"]["total"]["count"] == 3


def test_a_delegate_that_refuses_its_options_says_why(library: Path) -> None:
    done = run("lite", *QUICK, "--delegate", "none", "--delegate", f"{library},fail=no-such-device")

    assert done.exit_code == 1
    assert "no-such-device" in done.stderr


def test_a_delegate_that_crashes_takes_only_its_own_process_with_it(library: Path) -> None:
    done = run("lite", *QUICK, "--delegate", "none", "--delegate", f"{library},crash=1", "--quiet")

    assert done.exit_code == 1
    assert "takes the runtime down (signal 6)" in done.stderr


def test_spans_that_overlap_count_once() -> None:
    assert covered([(10, 20), (0, 5), (15, 30), (16, 18)]) == 25
    assert covered([]) == 0


def test_an_arena_holds_the_largest_operators_inputs_and_outputs() -> None:
    network = read_model(
        "nano"
    ).flatbuffer  # 160x160; its first depthwise block goes from 80x80x16 to 80x80x96

    assert 80 * 80 * (16 + 96) <= tensor_arena(network) < 2 * 80 * 80 * (16 + 96)


@pytest.fixture
def software_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chromium's Vulkan driver that computes on the CPU."""
    if not SOFTWARE_GPU.exists():
        pytest.skip(f"there is no {SOFTWARE_GPU}: install chromium for its Vulkan driver")
    monkeypatch.setenv("VK_ICD_FILENAMES", str(SOFTWARE_GPU))


@pytest.mark.usefixtures("software_gpu")
def test_the_gpu_accelerator_says_what_the_interpreter_says(rng: np.random.Generator) -> None:
    flatbuffer = read_model("nano").flatbuffer
    network, interpreter = AcceleratedNetwork(flatbuffer, 1), Interpreter(flatbuffer)
    image = rng.integers(0, 256, (*interpreter.input_hw, 3), np.uint8)

    ours, theirs = network.invoke(image), interpreter.invoke(image)

    assert network.input_hw == interpreter.input_hw
    assert np.array_equal(network.gap_weights, interpreter.gap_weights)
    assert ours.scores == pytest.approx(theirs.scores, abs=0.05)
    assert np.corrcoef(ours.features.ravel(), theirs.features.ravel())[0, 1] > 0.98


@pytest.mark.usefixtures("software_gpu")
def test_the_gpu_accelerator_is_a_delegate(tmp_path: Path) -> None:
    values = measured(tmp_path, "nano", *QUICK, "--delegate", "gpu")

    assert values["results"][0]["delegate"] == {"library": "gpu", "options": {}}
    assert values["results"][0]["delegated"] == {"operators": 1, "macs": 1}


def test_a_missing_gpu_is_one_line_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VK_ICD_FILENAMES", "/nowhere.json")

    done = run("nano", *QUICK, "--delegate", "none", "--delegate", "gpu", "--quiet")

    assert done.exit_code == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert "LiteRT found no GPU" in error


def test_delegates_are_taken_apart_from_their_options() -> None:
    assert delegate_from_text("none") is None
    assert delegate_from_text("/a/b.so") == Delegate("/a/b.so")
    assert delegate_from_text("b.so,device=usb:0,x=a=b") == Delegate("b.so", {"device": "usb:0", "x": "a=b"})


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("lite", "--threads", "0"),
        ("lite", "--threads", "1,,2"),
        ("lite", "--size", "640"),
        ("lite", "--sustained", "soon"),
        ("lite", "--sustained", "0m"),
        ("lite", "--backend", "onnx"),
    ],
)
def test_options_that_make_no_sense_are_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("--runs", "3", "--seconds", "1"),
        ("--sustained", "1m", "--rounds", "2"),
        ("--samples",),
        ("--camera", "0", "--in-memory"),
        ("--camera", "-"),
        ("--limit", "5"),
        ("--plot", "plot.jpg"),
        ("--delegate", "a.so,usb"),
    ],
)
def test_options_that_contradict_each_other_are_refused_in_one_line(arguments: tuple[str, ...]) -> None:
    line = [sys.executable, "-m", "lightcam_edge", "benchmark", "lite", *arguments]

    done = subprocess.run(line, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "lightcam_edge", "benchmark", "lite", "--images", str(tmp_path)]

    done = subprocess.run(line, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "holds no image" in done.stderr


def test_pictures_without_anything_in_them_are_told_of(tmp_path: Path) -> None:
    Image.fromarray(np.full((224, 224, 3), 127, np.uint8)).save(tmp_path / "grey.png")

    done = run("lite", *QUICK, "--images", tmp_path)

    assert "lite found no box in any image" in done.stderr


def test_a_file_without_a_card_is_measured_and_told_of(tmp_path: Path) -> None:
    name = EMBEDDED_CARD_NAME.encode()
    path = tmp_path / "bare.tflite"
    path.write_bytes(read_model("lite").flatbuffer.replace(name, b"x" * len(name)))

    done = run(path, *QUICK)

    assert done.exit_code == 0
    assert f"{path} has no model card" in done.stderr
    assert "bare, 1 thread, ai-edge-litert" in done.stdout


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "lightcam_edge", "benchmark", "lite", *QUICK, "--quiet", "--json"]

    done = subprocess.run(
        [*line, str(tmp_path / "no" / "a.json")], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert f"error: cannot write {tmp_path / 'no' / 'a.json'}: No such file or directory\n" in done.stderr


def test_closed_streams_are_borne() -> None:
    line = shlex.join([sys.executable, "-m", "lightcam_edge", "benchmark", "lite", *QUICK])

    assert subprocess.run(["sh", "-c", f"{line} <&- >&- 2>&-"], check=False).returncode == 0


def test_operators_between_a_parts_inputs_and_outputs_are_delegated() -> None:
    interpreter = Interpreter(read_model("lite").flatbuffer)
    names = [operator["op_name"] for operator in interpreter.operators()]

    taken = [names[number] for number in delegated_operators(interpreter)]

    assert taken.count("CONV_2D") == names.count("CONV_2D")
    assert "DELEGATE" not in taken
