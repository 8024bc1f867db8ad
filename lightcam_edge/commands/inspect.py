"""`lightcam-edge inspect`: show what a model file holds."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from lightcam_edge.commands import completing

if TYPE_CHECKING:
    from lightcam_edge.inspection import Inspection, Tensor


@click.command("inspect")
@click.argument("model", required=False, metavar="[NAME|FILE]", shell_complete=completing.models)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(model: str | None, as_json: bool) -> None:
    """Show the model card, tensors, operators and costs of a model file.

    The digest is verified, and the scores are computed anew from features and
    GAP weights. Without a FILE it is the bundled default model.
    """
    from lightcam_edge.catalogue import DEFAULT_MODEL
    from lightcam_edge.inspection import inspect_model

    inspection = inspect_model(model or DEFAULT_MODEL)
    click.echo(json.dumps(to_dict(inspection), ensure_ascii=False) if as_json else to_text(inspection))


def to_dict(inspection: "Inspection") -> dict[str, Any]:
    """What `--json` prints."""
    card, graph, check = inspection.card, inspection.graph, inspection.self_check
    return {
        "path": str(inspection.path),
        "name": card.name if card else inspection.path.stem,
        "parameters": card.parameters if card else graph.parameters,
        "macs": graph.macs,
        "size": inspection.size,
        "sha256": inspection.sha256,
        "file_sha256": inspection.file_sha256,
        "digest_verified": card is not None,
        "card": asdict(card) if card else None,
        "signature": [asdict(tensor) for tensor in graph.tensors],
        "operators": graph.counts,
        "int8_share": {"operators": graph.int8_operators, "macs": graph.int8_macs},
        "self_check": {"ok": check.ok, "max_error": check.max_error, "tolerance": check.tolerance},
    }


def to_text(inspection: "Inspection") -> str:
    """What is printed for people."""
    graph, check = inspection.graph, inspection.self_check
    rows = [
        ("file", f"{inspection.path}  {inspection.size / 1e6:.2f} MB"),
        ("sha256", f"{inspection.sha256}  {'verified' if inspection.card else 'no card to verify it by'}"),
        *_card_rows(inspection),
        ("multiply-accumulates", f"{graph.macs / 1e6:,.1f} M"),
        ("computed in int8", f"{graph.int8_macs:.1%} of these, {graph.int8_operators:.1%} of operators"),
        *((tensor.role, _describe(tensor)) for tensor in graph.tensors),
        ("operators", ", ".join(f"{count} {name}" for name, count in graph.counts.items())),
        (
            "self-check",
            f"{'ok' if check.ok else 'FAILED'}: scores within {check.max_error:.5f} of features and weights",
        ),
    ]
    return "\n".join(f"{name:<21} {value}" for name, value in rows)


def _card_rows(inspection: "Inspection") -> list[tuple[str, str]]:
    card = inspection.card
    if card is None:
        return [("parameters", f"{inspection.graph.parameters:,}")]
    cam = card.cam
    facts = ("quantization", "parity", "metrics", "source", "training_data")
    return [
        ("name", f"{card.name} ({card.architecture}, {card.created})"),
        ("labels", ", ".join(card.labels)),
        ("background", card.background.label if card.background else "none"),
        ("image", f"{card.input.width}x{card.input.height}, {card.input.resize}"),
        ("cam", f"{cam.method}, {cam.threshold:.0%} of the peak, {cam.component}, at {cam.stage or '?'}"),
        ("threshold from", cam.threshold_source),
        *((fact, json.dumps(value, ensure_ascii=False)) for fact in facts if (value := getattr(card, fact))),
        ("parameters", f"{card.parameters:,}"),
    ]


def _describe(tensor: "Tensor") -> str:
    shape = "x".join(str(size) for size in tensor.shape)
    quantized = f", (value - {tensor.zero_point}) * {tensor.scale:g}" if tensor.scale else ""
    return f"{tensor.name} {shape} {tensor.dtype}{quantized}"
