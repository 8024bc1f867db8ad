"""`lightcam-edge card`: show or change a model file's card."""

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from lightcam_edge.commands import completing
from lightcam_edge.errors import ModelFileError, UsageError

if TYPE_CHECKING:
    from lightcam_edge.card import ModelCard

OF_THE_NETWORK = ("sha256", "schema_version", "parameters", "macs", "input.height", "input.width")


@click.command("card")
@click.argument("model", metavar="NAME|FILE", shell_complete=completing.models)
@click.option(
    "--set", "changes", metavar="KEY=VALUE", multiple=True, help="For instance cam.threshold=0.3; repeatable."
)
def command(model: str, changes: tuple[str, ...]) -> None:
    """Print a model file's card, after changing it where asked to.

    VALUE is JSON, or text as it is. The network stays as it is, byte for byte,
    and the card's digest stays true.
    """
    from lightcam_edge.model_file import read_model, rewrite_card

    found = read_model(model)
    if found.card is None:
        raise ModelFileError(f"{found.path} has no model card: convert it with `lightcam-edge convert`")
    if changes:
        rewrite_card(found.path, changed(found.card, changes))
        found = read_model(found.path)
    click.echo(json.dumps(asdict(found.card), ensure_ascii=False, indent=1) if found.card else "")


def changed(card: "ModelCard", changes: tuple[str, ...]) -> "ModelCard":
    """The card with other values.

    Args:
        card: as it is.
        changes: `key=value`, keys of objects within objects joined by dots.

    Raises:
        UsageError: if a key is unknown or belongs to the network, or a value is not valid.
    """
    from lightcam_edge.card import card_from_dict

    values = json.loads(card.to_json())
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals:
            raise UsageError(f"--set {change} has no value: write {change}=VALUE")
        if key in OF_THE_NETWORK:
            raise UsageError(f"{key} is what the network is, not a choice: convert it again")
        _put(values, key, _parse(text))
    try:
        new = card_from_dict(values)
    except ModelFileError as error:
        raise UsageError(str(error)) from error
    if len(new.labels) != len(card.labels):
        raise UsageError(f"{len(new.labels)} labels for a network of {len(card.labels)} classes")
    return _with_true_source(new, card)


def _with_true_source(new: "ModelCard", old: "ModelCard") -> "ModelCard":
    """Another threshold does not come from where the old one did."""
    if new.cam.threshold == old.cam.threshold or new.cam.threshold_source != old.cam.threshold_source:
        return new
    return replace(new, cam=replace(new.cam, threshold_source="set by hand"))


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    place: Any = values
    for parent in parents:
        place = place.get(parent) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise UsageError(f"the model card has no {key}: `lightcam-edge card FILE` shows what it has")
    place[last] = value


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
