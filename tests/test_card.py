import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lightcam_edge.card import Background, CamSpec, InputSpec, ModelCard, card_from_dict, card_from_json
from lightcam_edge.commands.card import changed, command
from lightcam_edge.errors import ModelFileError, UsageError
from lightcam_edge.model_file import read_model

CARD = ModelCard(
    name="n",
    architecture="a",
    labels=("cat", "dög", "background"),
    input=InputSpec(48, 64, "letterbox"),
    background=Background(2, "background"),
    cam=CamSpec("br-avgcam", 0.3, "all", "guess", "relu5", 1.5, "region", 2.5, "scenes"),
    parameters=7,
    macs=9,
    metrics={"top1": 0.5},
    sha256="ab",
)


def test_card_survives_json() -> None:
    assert card_from_json(CARD.to_json()) == CARD
    assert card_from_json(CARD.to_json().encode()) == CARD


def test_card_without_background_survives_json() -> None:
    card = replace(CARD, background=None, cam=CamSpec())

    assert card_from_json(card.to_json()) == card


def test_least_card_has_the_papers_rule() -> None:
    values = {"name": "n", "architecture": "a", "labels": ["x", "y"], "input": {"height": 2, "width": 3}}

    card = card_from_dict(values)

    assert (card.cam.method, card.cam.threshold, card.cam.component) == ("cam", 0.2, "largest")
    assert card.input.resize == "squash"


def test_a_card_of_the_first_version_scores_the_frame_and_is_written_as_the_second() -> None:
    values = json.loads(CARD.to_json())
    first = values | {"schema_version": 1, "cam": {"method": "br-avgcam", "threshold": 0.3}}

    card = card_from_dict(first)

    assert (card.cam.score, card.cam.presence) == ("frame", 0)
    assert card.schema_version == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": 3}, "card.name is 3, not str"),
        ({"labels": ["cat"]}, "two or more"),
        ({"labels": ["cat", "cat", "background"]}, "different"),
        ({"labels": ["cat", "d\nog", "background"]}, "not one line"),
        ({"labels": ["cat", "", "background"]}, "not one line"),
        ({"labels": "cat"}, "not a list"),
        ({"input": {"height": 0, "width": 3}}, "not a size"),
        ({"input": {"height": True, "width": 3}}, "not int"),
        ({"input": {"height": 2, "width": 3, "resize": "stretch"}}, "none of squash"),
        ({"input": None}, "not an object"),
        ({"background": {"index": 1, "label": "background"}}, "not among"),
        ({"background": {"index": 3, "label": "background"}}, "not among"),
        ({"background": {"index": "2", "label": "background"}}, "not int"),
        ({"background": None}, "needs a background"),
        ({"cam": {"threshold": 1}}, "outside"),
        ({"cam": {"threshold": float("nan")}}, "outside"),
        ({"cam": {"threshold": "0.3"}}, "not float"),
        ({"cam": {"smoothing": float("nan")}}, "outside"),
        ({"cam": {"method": "gradcam"}}, "none of cam"),
        ({"cam": {"score": "cell"}}, "none of frame, region"),
        ({"cam": {"presence": -0.1}}, "outside"),
        ({"cam": {"component": ["all"]}}, "none of"),
        ({"cam": {"tresholds": 0.3}}, "unknown fields tresholds"),
        ({"metrics": [1]}, "not an object"),
        ({"schema_version": 3}, "is none of"),
        ({"extra": 1}, "unknown fields extra"),
    ],
)
def test_values_out_of_range_are_refused_by_name(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ModelFileError, match=reason):
        card_from_dict(json.loads(CARD.to_json()) | change)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", b"\xff", '{"name":"n"}'])
def test_text_that_is_no_card_is_refused(text: str | bytes) -> None:
    with pytest.raises(ModelFileError, match="model card"):
        card_from_json(text)


def test_number_that_json_does_not_know_is_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        replace(CARD, metrics={"top1": float("nan")}).to_json()


def test_changes_take_json_and_plain_text() -> None:
    card = changed(
        CARD, ("cam.threshold=0.25", "name=new name", 'metrics={"top1": 1}', "cam.component=largest")
    )

    assert (card.cam.threshold, card.cam.component) == (0.25, "largest")
    assert (card.name, card.metrics) == ("new name", {"top1": 1})


def test_threshold_set_by_hand_no_longer_claims_its_old_source() -> None:
    assert changed(CARD, ("cam.threshold=0.25",)).cam.threshold_source == "set by hand"
    assert changed(CARD, ("cam.threshold=0.25", "cam.threshold_source=mine")).cam.threshold_source == "mine"
    assert changed(CARD, ("name=x",)).cam.threshold_source == "guess"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("cam.threshold", "no value"),
        ("cam.threshold=2", "outside"),
        ("cam.nothing=2", "unknown fields nothing"),
        ("cam=3", "not an object"),
        ("name.first=x", "no name.first"),
        ("a.b.c=x", "no a.b.c"),
        ("sha256=00", "convert it again"),
        ("input.width=3", "convert it again"),
        ('labels=["a","background"]', "not among|2 labels"),
        ("background=null", "needs a background"),
    ],
)
def test_changes_that_make_no_sense_are_refused(change: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        changed(CARD, (change,))


def test_command_changes_the_file_and_prints_the_card(small_report: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(small_report.path.read_bytes())

    result = CliRunner().invoke(
        command, [str(path), "--set", "cam.threshold=0.3", "--set", "input.resize=letterbox"]
    )

    card = read_model(path).card
    assert result.exit_code == 0
    assert card is not None
    assert (card.cam.threshold, card.input.resize) == (0.3, "letterbox")
    assert card_from_json(result.output) == card
