import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from PIL import Image
from small_network import LABELS, paint

from lightcam_converters.metadata import attach, describe
from lightcam_converters.packing import BUFFER_ALIGNMENT
from lightcam_edge.card import InputSpec, ModelCard
from lightcam_edge.localizer import Localizer
from lightcam_edge.model_file import read_model

needs_mediapipe = pytest.mark.skipif(
    importlib.util.find_spec("mediapipe") is None,
    reason="MediaPipe is not installed (pip install --no-deps mediapipe: its own OpenCV would replace ours)",
)


def _run(code: str, *arguments: Any) -> Any:
    """Run in a process of its own, since MediaPipe and TensorFlow both bring protocol buffers."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


CLASSIFY = """
import json, sys
sys.modules["tensorflow"] = None  # MediaPipe imports it if it can, and needs it not
import mediapipe
from mediapipe.tasks.python import BaseOptions, vision
found = []
options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=sys.argv[1]))
with vision.ImageClassifier.create_from_options(options) as classifier:
    for path in sys.argv[2:]:
        head = classifier.classify(mediapipe.Image.create_from_file(path)).classifications[0]
        found.append([head.head_name, {c.category_name: c.score for c in head.categories}])
print(json.dumps(found))
"""

READ = """
import json, sys
sys.modules["tensorflow"] = None
from mediapipe.tasks.metadata import metadata_schema_py_generated as schema
content = open(sys.argv[1], "rb").read()
assert schema.ModelMetadata.ModelMetadataBufferHasIdentifier(content, 0)
model = schema.ModelMetadataT.InitFromPackedBuf(content)
[subgraph] = model.subgraphMetadata
[image] = subgraph.inputTensorMetadata
[unit] = image.processUnits
scores = subgraph.outputTensorMetadata[0]
print(json.dumps({
    "name": model.name.decode(),
    "parser": model.minParserVersion.decode(),
    "content": image.content.contentPropertiesType,
    "colour": image.content.contentProperties.colorSpace,
    "size": [image.content.contentProperties.defaultSize.width,
             image.content.contentProperties.defaultSize.height],
    "unit": unit.optionsType,
    "mean": unit.options.mean.tolist(), "std": unit.options.std.tolist(),
    "range": [float(*image.stats.min), float(*image.stats.max)],
    "outputs": [tensor.name.decode() for tensor in subgraph.outputTensorMetadata],
    "files": [[file.name.decode(), file.type] for file in scores.associatedFiles],
    "others": [tensor.associatedFiles for tensor in subgraph.outputTensorMetadata[1:]],
}))
"""


@needs_mediapipe
def test_mediapipe_reads_labels_and_scores_of_the_file(small_report: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    photographs = {tmp_path / f"{label}.png": paint(index, rng) for index, label in enumerate(LABELS)}
    for path, pixels in photographs.items():
        Image.fromarray(pixels).save(path)

    answers = _run(CLASSIFY, small_report.path, *photographs)

    localizer = Localizer(small_report.path)
    for (head, scores), (path, pixels) in zip(answers, photographs.items(), strict=True):
        ours = localizer(pixels, channels="rgb").scores.tolist()
        assert head == "scores"
        assert scores == pytest.approx(dict(zip(LABELS, ours, strict=True)), abs=1e-6)
        assert max(scores, key=scores.__getitem__) == path.stem


@needs_mediapipe
def test_mediapipes_schema_finds_every_field_where_it_belongs(tmp_path: Path) -> None:
    card = ModelCard("näme", "tiny", ("a", "b"), InputSpec(48, 64))
    (tmp_path / "metadata").write_bytes(describe(card, mean=127.0, std=128.0))

    assert _run(READ, tmp_path / "metadata") == {
        "name": "näme",
        "parser": "1.0.0",
        "content": 2,
        "colour": 1,
        "size": [64, 48],
        "unit": 1,
        "mean": [127.0],
        "std": [128.0],
        "range": [-127 / 128, 1.0],
        "outputs": ["scores", "features", "gap_weights", "gap_bias"],
        "files": [["labels.txt", 2]],
        "others": [None, None, None],
    }


def test_standard_zip_reader_finds_labels_and_card(small_report: Any) -> None:
    with zipfile.ZipFile(small_report.path) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt").decode().splitlines() == list(LABELS)
        assert json.loads(archive.read("lightcam.json"))["sha256"] == small_report.card.sha256
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_litert_benchmark_tool_runs_the_signature(small_report: Any, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    code = "import sys; from ai_edge_litert.tools.benchmark_litert_model import main; sys.exit(main())"
    options = ("--num_runs", "3", "--warmup_runs", "1", "--result_json", str(result))

    done = subprocess.run(
        [sys.executable, "-c", code, "--model", str(small_report.path), *options],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(result.read_text())["signature"] == "localize"
    assert json.loads(result.read_text())["latency"]["num_runs"] == 3


def test_metadata_lies_in_the_flatbuffer_beside_what_was_there(small_report: Any) -> None:
    flatbuffer = read_model(small_report.path).flatbuffer
    model = schema.ModelT.InitFromPackedBuf(flatbuffer)
    entries = {
        entry.name.decode(): bytes(bytearray(model.buffers[entry.buffer].data)) for entry in model.metadata
    }

    embedded = json.loads(entries["LIGHTCAM_METADATA"])
    assert {"TFLITE_METADATA", "LIGHTCAM_METADATA", "min_runtime_version"} <= entries.keys()
    assert entries["TFLITE_METADATA"][4:8] == b"M001"
    assert embedded == json.loads(small_report.card.to_json()) | {"sha256": ""}


def test_buffers_are_aligned_as_their_schema_asks(small_report: Any) -> None:
    flatbuffer = attach(read_model(small_report.path).flatbuffer, {"odd": b"abc"})
    model = schema.Model.GetRootAs(flatbuffer)
    start = np.frombuffer(flatbuffer, np.uint8).ctypes.data
    buffers = [model.Buffers(number) for number in range(model.BuffersLength())]
    places = [buffer.DataAsNumpy().ctypes.data - start for buffer in buffers if buffer.DataLength()]

    assert len(places) > 10
    assert {place % BUFFER_ALIGNMENT for place in places} == {0}
