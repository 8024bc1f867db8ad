"""The model card as far as it is known before conversion: what the user says, and what the training noted."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from lightcam_edge.box import Component
from lightcam_edge.cam import Method
from lightcam_edge.card import Background, CamSpec, InputSpec, ModelCard
from lightcam_edge.errors import InputError, UsageError
from lightcam_models.architectures import parameter_count
from lightcam_models.keras_network import KerasNetwork

NOTE_NAME = "training.json"
NOTED_OF_TRAINING = ("architecture", "options", "recipe", "seed", "results", "minutes", "versions", "cpu")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user says of a model; None leaves it to the training's note.

    Args:
        labels: of the classes, in the order of the scores.
        background: label of the class that means nothing is there.
        method: how the map is made.
        threshold: share of its maximum above which a pixel counts.
        component: box each connected part, or all parts together.
        name: of the model.
    """

    labels: Sequence[str] | None = None
    background: str | None = None
    method: Method | None = None
    threshold: float | None = None
    component: Component | None = None
    name: str | None = None


def draft_card(network: KerasNetwork, path: Path | None, wishes: Wishes) -> tuple[ModelCard, tuple[str, ...]]:
    """Write the model card's first part.

    Args:
        network: the network as it was trained.
        path: its file, beside which the training's note may lie.
        wishes: what the user says.

    Returns:
        The card, and what the user should know of it.

    Raises:
        InputError: if the training's note cannot be read.
        UsageError: if labels, background or the box rule do not suit the network.
    """
    note = _read_note(path)
    labels, notes = _labels(network, wishes, note)
    background = _background(labels, wishes, note)
    try:
        card = ModelCard(
            name=wishes.name or network.model.name,
            architecture=str(note.get("architecture", network.model.name)),
            labels=labels,
            input=InputSpec(*network.input_hw),
            background=background,
            cam=_cam(network, background, wishes, note),
            parameters=parameter_count(network.model),
            source=_source(path, note),
            training_data=note.get("data", {}),
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    return card, notes


def _read_note(path: Path | None) -> dict[str, Any]:
    note = path.with_name(NOTE_NAME) if path else None
    if note is None or not note.exists():
        return {}
    try:
        values = json.loads(note.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {note} ({error}): mend it, or take it away") from error
    if not isinstance(values, dict):
        raise InputError(f"{note} is not a JSON object: mend it, or take it away")
    return values


def _labels(
    network: KerasNetwork, wishes: Wishes, note: Mapping[str, Any]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    classes = len(network.gap_bias)
    labels = tuple(wishes.labels or note.get("labels", ()))
    if not labels:
        text = f"labels are not known, so classes have numbers: add --labels FILE or a {NOTE_NAME}"
        return tuple(f"class {index}" for index in range(classes)), (text,)
    if len(labels) != classes:
        raise UsageError(f"{len(labels)} labels for a model of {classes} classes: give one for each")
    return labels, ()


def _background(labels: Sequence[str], wishes: Wishes, note: Mapping[str, Any]) -> Background | None:
    name = wishes.background or note.get("background")
    if name is None:
        return None
    if name not in labels:
        raise UsageError(f"background {name!r} is not among the labels {', '.join(labels)}")
    return Background(labels.index(name), name)


def _cam(
    network: KerasNetwork, background: Background | None, wishes: Wishes, note: Mapping[str, Any]
) -> CamSpec:
    noted = note.get("cam", {})
    values = {field.name: noted[field.name] for field in fields(CamSpec) if field.name in noted}
    if background and background.label != note.get("background"):
        values["method"] = "br-avgcam"
    values.setdefault("method", "br-avgcam" if background else "cam")
    wished = {"method": wishes.method, "threshold": wishes.threshold, "component": wishes.component}
    values |= {key: value for key, value in wished.items() if value is not None}
    if wishes.threshold is not None:
        values["threshold_source"] = "given at conversion"
    return CamSpec(**values | {"stage": network.stage})


def _source(path: Path | None, note: Mapping[str, Any]) -> dict[str, Any]:
    versions = {
        "keras": keras.version(),
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
    }
    source: dict[str, Any] = {"versions": versions}
    if path:
        source |= {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    training = {key: note[key] for key in NOTED_OF_TRAINING if key in note}
    return source | {"training": training} if training else source
