"""The model card: how a model file wants to be used, and what was measured of it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import inf
from typing import Any

from lightcam_edge.box import BoxRule, Component
from lightcam_edge.cam import METHODS, Method
from lightcam_edge.choices import SCORINGS, Scoring
from lightcam_edge.errors import ModelFileError
from lightcam_edge.geometry import RESIZES, Resize

SCHEMA_VERSION = 2
READABLE_VERSIONS = (1, 2)


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What the network is fed: its height and width in pixels, and how an image is fitted to them."""

    height: int
    width: int
    resize: Resize = "squash"

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1:
            raise ValueError(f"input {self.height}x{self.width} is not a size")
        if self.resize not in RESIZES:
            raise ValueError(f"resize {self.resize!r} is none of {', '.join(RESIZES)}")


@dataclass(frozen=True, slots=True)
class Background:
    """The class that means nothing is there."""

    index: int
    label: str


@dataclass(frozen=True, slots=True)
class CamSpec:
    """How the features become boxes.

    Args:
        method: `cam` (the predicted class's map) or `br-avgcam` (all classes' mean minus the background's).
        threshold: share of the map's maximum above which a pixel counts, in [0, 1).
        component: box each connected component, or all of them together.
        threshold_source: where the threshold comes from, in words.
        stage: name of the layer whose output GAP averages.
        smoothing: standard deviation of a Gaussian over the map, in map cells; 0 is none.
        score: classify the whole frame, as the paper does, or each box by the features inside it.
        presence: with `region`, the map's value that something must reach to be an object; 0 lets
            any positive one do.
        presence_source: where that comes from, in words.
    """

    method: Method = "cam"
    threshold: float = 0.2
    component: Component = "largest"
    threshold_source: str = "Light-CAM, J. KICS 2022: 20% of the maximum"
    stage: str = ""
    smoothing: float = 0.0
    score: Scoring = "frame"
    presence: float = 0.0
    presence_source: str = ""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method {self.method!r} is none of {', '.join(METHODS)}")
        if self.score not in SCORINGS:
            raise ValueError(f"score {self.score!r} is none of {', '.join(SCORINGS)}")
        if not 0 <= self.presence < inf:
            raise ValueError(f"presence {self.presence} is outside [0, inf)")
        if not 0 <= self.smoothing < inf:
            raise ValueError(f"smoothing {self.smoothing} is outside [0, inf)")
        self.rule()

    def rule(self) -> BoxRule:
        """The box rule; raises ValueError where a value is out of range."""
        return BoxRule(self.threshold, self.component)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything the device and its user need to know of a model file.

    `quantization`, `parity`, `metrics`, `source` and `training_data` are JSON
    objects for the reader; the runtime acts on the other fields only.
    `sha256` is the digest of the flatbuffer part of the file, empty until the
    card is sealed into one.
    """

    name: str
    architecture: str
    labels: tuple[str, ...]
    input: InputSpec
    background: Background | None = None
    cam: CamSpec = field(default_factory=CamSpec)
    parameters: int = 0
    macs: int = 0
    quantization: Mapping[str, Any] = field(default_factory=dict)
    parity: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    training_data: Mapping[str, Any] = field(default_factory=dict)
    created: str = ""
    sha256: str = ""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.schema_version not in READABLE_VERSIONS:
            raise ValueError(f"schema_version {self.schema_version} is none of {READABLE_VERSIONS}")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels {list(self.labels)} are not two or more different ones")
        if unfit := [label for label in self.labels if label.splitlines() != [label]]:
            raise ValueError(f"label {unfit[0]!r} is not one line of text")
        if self.background is not None:
            index = self.background.index
            if not 0 <= index < len(self.labels) or self.labels[index] != self.background.label:
                raise ValueError(f"background {index} {self.background.label!r} is not among the labels")
        elif self.cam.method == "br-avgcam":
            raise ValueError("cam.method br-avgcam needs a background class")

    def to_json(self) -> str:
        """Compact JSON, keys in the order of the fields.

        Raises:
            ValueError: if a number is infinite or not one.
        """
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def card_from_json(text: str | bytes) -> ModelCard:
    """Read and validate a model card.

    Raises:
        ModelFileError: if it is not JSON, or a field is missing, unknown, of a wrong type or out of range.
    """
    try:
        return card_from_dict(json.loads(text))
    except UnicodeDecodeError as error:
        raise ModelFileError(f"the model card is not UTF-8: {error}") from error
    except json.JSONDecodeError as error:
        raise ModelFileError(f"the model card is not JSON: {error}") from error


def card_from_dict(values: Any) -> ModelCard:
    """Validate the fields of a model card, see `card_from_json`.

    One of an earlier version is read as what it meant then, and is of this version from there on.
    """
    try:
        card: ModelCard = _build(ModelCard, values, "card")
        card = replace(card, schema_version=SCHEMA_VERSION)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"the model card is not valid: {error}") from error
    return card


_NESTED: dict[str, Any] = {"input": InputSpec, "background": Background, "cam": CamSpec}
_SCALARS: dict[Any, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,)}


def _build(kind: Any, values: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise TypeError(f"{where} is {type(values).__name__}, not an object")
    known = kind.__dataclass_fields__
    if unknown := sorted(set(values) - set(known)):
        raise ValueError(f"{where} has unknown fields {', '.join(unknown)}")
    return kind(
        **{key: _value(known[key].type, key, value, f"{where}.{key}") for key, value in values.items()}
    )


def _value(declared: Any, key: str, value: Any, where: str) -> Any:
    if key in _NESTED and not (key == "background" and value is None):
        return _build(_NESTED[key], value, where)
    if key == "labels":
        if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
            raise TypeError(f"{where} is not a list of strings")
        return tuple(value)
    if declared in _SCALARS and (isinstance(value, bool) or not isinstance(value, _SCALARS[declared])):
        raise TypeError(f"{where} is {value!r}, not {declared.__name__}")
    if str(declared).startswith("collections.abc.Mapping") and not isinstance(value, dict):
        raise TypeError(f"{where} is {value!r}, not an object")
    return value
