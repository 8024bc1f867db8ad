import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_network import paint

from lightcam_edge.card import Background, CamSpec
from lightcam_edge.catalogue import bundled_models
from lightcam_edge.errors import ModelFileError
from lightcam_edge.localizer import Localizer
from lightcam_edge.model_file import (
    EMBEDDED_CARD_BYTES,
    embedded_card,
    find_model,
    probe,
    read_model,
    replace_embedded_card,
    rewrite_card,
    write_atomically,
)


@pytest.fixture
def model(small_report: Any, tmp_path: Path) -> Path:
    """A copy of a real model file, to be damaged or rewritten."""
    path = tmp_path / "model.tflite"
    path.write_bytes(small_report.path.read_bytes())
    return path


def test_digest_is_that_of_the_flatbuffer_part(model: Path) -> None:
    read = read_model(model)

    assert read.card is not None
    assert hashlib.sha256(read.flatbuffer).hexdigest() == read.card.sha256
    assert model.read_bytes().startswith(read.flatbuffer)


def test_truncated_files_are_refused_at_any_length(model: Path) -> None:
    content = model.read_bytes()
    lengths = {
        *range(0, 1024, 7),
        *range(0, len(content), len(content) // 200),
        *range(len(content) - 64, len(content)),
    }

    for length in lengths:
        model.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            read_model(model)


def test_every_flip_in_the_flatbuffer_is_refused(model: Path) -> None:
    content = model.read_bytes()
    size = len(read_model(model).flatbuffer)
    rng = np.random.default_rng(0)

    for position in (*range(400), *rng.integers(0, size, 600)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        model.write_bytes(damaged)
        with pytest.raises(ModelFileError):
            read_model(model)


def test_flips_in_the_zip_are_refused_or_change_nothing(model: Path) -> None:
    content = model.read_bytes()
    intact = read_model(model)
    rng = np.random.default_rng(0)
    harmless = 0

    for position in range(len(intact.flatbuffer), len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        model.write_bytes(damaged)
        try:
            assert read_model(model) == intact
            harmless += 1
        except ModelFileError:
            pass

    assert 0 < harmless < (len(content) - len(intact.flatbuffer)) / 4


def test_file_that_lost_its_zip_is_refused_since_it_had_a_card(model: Path) -> None:
    model.write_bytes(read_model(model).flatbuffer)

    with pytest.raises(ModelFileError, match="damaged or cut short"):
        read_model(model)


def test_file_with_something_behind_its_zip_is_read(model: Path) -> None:
    intact = read_model(model)
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr("notes.txt", "of the user")

    assert read_model(model) == intact


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x89PNG" * 400, b"\x1c\0\0\0TFL3" + b"\0" * 100])
def test_file_that_is_no_tflite_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(content)

    with pytest.raises(ModelFileError, match="not a whole TFLite file"):
        read_model(tmp_path / "a.tflite")


def test_missing_file_is_refused_by_the_names_there_are() -> None:
    with pytest.raises(ModelFileError, match="no model file nowhere"):
        find_model("nowhere")


def test_file_without_a_card_runs_with_a_warning(
    bare_model: Path, small_report: Any, rng: np.random.Generator
) -> None:
    image = paint(1, rng)

    with pytest.warns(UserWarning, match="no model card"):
        found = Localizer(bare_model)(image, channels="rgb")

    assert found.label == "class 1"
    np.testing.assert_array_equal(found.scores, Localizer(small_report.path)(image, channels="rgb").scores)


def test_damaged_file_without_a_card_takes_no_process_down_but_the_probes(
    bare_model: Path, tmp_path: Path
) -> None:
    content = bare_model.read_bytes()
    refused = []
    for length in (600, len(content) // 2, len(content) - 1000):
        bare_model.write_bytes(content[:length])
        assert read_model(bare_model).card is None
        with pytest.raises(ModelFileError) as caught:
            probe(bare_model)
        refused.append(str(caught.value))

    assert all("\n" not in reason for reason in refused)


def test_tflite_file_without_the_signature_is_refused_by_its_name(bare_model: Path) -> None:
    bare_model.write_bytes(bare_model.read_bytes().replace(b"localize", b"classify"))

    with pytest.raises(ModelFileError, match="no signature `localize`"):
        probe(bare_model)


def test_rewritten_card_leaves_the_network_and_a_true_digest(model: Path) -> None:
    before = read_model(model)
    assert before.card is not None
    card = replace(before.card, cam=replace(before.card.cam, threshold=0.37), name="renamed — größer")

    rewrite_card(model, card)

    after = read_model(model)
    assert after.card == replace(card, sha256=hashlib.sha256(after.flatbuffer).hexdigest())
    assert len(after.flatbuffer) == len(before.flatbuffer)
    assert replace_embedded_card(after.flatbuffer, before.card) == before.flatbuffer


def test_rewritten_labels_reach_the_labels_file(model: Path) -> None:
    card = read_model(model).card
    assert card is not None
    renamed = replace(card, labels=("x", "y", "none"), background=Background(2, "none"))

    rewrite_card(model, renamed)

    with zipfile.ZipFile(model) as archive:
        assert archive.read("labels.txt") == b"x\ny\nnone\n"


def test_card_that_does_not_fit_leaves_the_file_as_it_was(model: Path) -> None:
    content, card = model.read_bytes(), read_model(model).card
    assert card is not None

    with pytest.raises(ModelFileError, match="shorten it"):
        rewrite_card(model, replace(card, metrics={"text": "x" * EMBEDDED_CARD_BYTES}))

    assert model.read_bytes() == content
    assert list(model.parent.iterdir()) == [model]


def test_file_without_a_card_has_none_to_rewrite(bare_model: Path, small_report: Any) -> None:
    with pytest.raises(ModelFileError, match="no model card"):
        rewrite_card(bare_model, small_report.card)


def test_flatbuffer_without_an_embedded_card_takes_none(bare_model: Path, small_report: Any) -> None:
    with pytest.raises(ValueError, match="no card under LIGHTCAM_METADATA"):
        replace_embedded_card(bare_model.read_bytes() + b'{"name":"not a card"}', small_report.card)


def test_embedded_card_has_always_the_same_length(small_report: Any) -> None:
    short = replace(small_report.card, metrics={}, cam=CamSpec())

    assert len(embedded_card(short)) == len(embedded_card(small_report.card)) == EMBEDDED_CARD_BYTES


def test_half_written_file_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()

    with pytest.raises(OSError, match="taken"):
        write_atomically(tmp_path / "taken", b"content")

    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_damaged_file_ends_the_command_with_one_line_and_exit_code_3(model: Path) -> None:
    content = bytearray(model.read_bytes())
    content[len(content) // 3] ^= 1
    model.write_bytes(content)

    done = subprocess.run(
        [sys.executable, "-c", "from lightcam_edge.cli import main; main()", "inspect", str(model)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"error: {model} is damaged: its SHA-256 is not its card's; copy or convert it again"
    ]


def test_bundled_models_are_found_by_name() -> None:
    for name, path in bundled_models().items():
        assert find_model(name) == path
        assert json.loads(read_model(name).card.to_json())["name"]  # type: ignore[union-attr]
