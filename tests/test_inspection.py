import hashlib
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from lightcam_edge.commands.inspect import command
from lightcam_edge.inspection import check_self, generated_images, inspect_model
from lightcam_models.architectures import multiply_accumulates, parameter_count
from lightcam_models.keras_network import load_network


def test_macs_and_parameters_are_those_that_keras_counts(small_report: Any, small_keras: Path) -> None:
    model = load_network(small_keras).model
    inspection = inspect_model(small_report.path)

    assert inspection.graph.macs == multiply_accumulates(model)
    assert inspection.card is not None
    assert inspection.card.parameters == parameter_count(model)


def test_parameters_of_the_graph_are_those_that_batch_norm_leaves(small_report: Any) -> None:
    convolutions = (3 * 9 * 8 + 8) + (8 * 9 * 16 + 16) + (9 * 16 + 16) + (16 * 24 + 24)

    assert inspect_model(small_report.path).graph.parameters == convolutions + (24 * 3 + 3)


def test_json_holds_what_scripts_ask_for(small_report: Any) -> None:
    result = CliRunner().invoke(command, [str(small_report.path), "--json"])
    shown = json.loads(result.output)
    content = small_report.path.read_bytes()

    assert result.exit_code == 0
    assert shown["path"] == str(small_report.path)
    assert shown["name"] == "small"
    assert shown["size"] == len(content)
    assert shown["sha256"] == small_report.card.sha256 == shown["card"]["sha256"]
    assert shown["file_sha256"] == hashlib.sha256(content).hexdigest()
    assert shown["digest_verified"] is True
    assert shown["parameters"] == small_report.card.parameters
    assert shown["macs"] == small_report.card.macs
    assert shown["operators"]["CONV_2D"] == 3
    assert shown["int8_share"]["macs"] == 1.0
    assert shown["self_check"]["ok"] is True
    assert shown["signature"][0] == {
        "name": "image",
        "role": "input",
        "shape": [1, 48, 64, 3],
        "dtype": "uint8",
        "scale": 1.0,
        "zero_point": 0,
    }


def test_text_says_the_same_for_people(small_report: Any) -> None:
    text = CliRunner().invoke(command, [str(small_report.path)]).output

    for part in ("verified", "fruit, water, background", "64x48, squash", "100.0% of these", "self-check"):
        assert part in text


def test_self_check_fails_where_the_classes_are_in_another_order(
    small_keras: Path, small_report: Any
) -> None:
    network = load_network(small_keras)
    images = generated_images(network.input_hw)
    assert check_self(network, images, small_report.graph).ok

    network.gap_weights = network.gap_weights[:, [1, 0, 2]]

    assert not check_self(network, images, small_report.graph).ok


def test_generated_images_are_the_same_on_every_call() -> None:
    first, again = generated_images((4, 6)), generated_images((4, 6))

    assert first.shape == (8, 4, 6, 3)
    assert (first == again).all()


def test_file_without_a_card_can_be_looked_into(small_report: Any, bare_model: Path) -> None:
    text, as_json = (
        CliRunner().invoke(command, [str(bare_model), *options]).output for options in ((), ("--json",))
    )
    shown = json.loads(as_json)

    assert "no card to verify it by" in text
    assert (shown["card"], shown["name"], shown["digest_verified"]) == (None, "bare", False)
    assert shown["macs"] == small_report.card.macs
