"""What a model makes of labelled photographs, through the path that ships."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lightcam_edge.box import Box
from lightcam_edge.cam import METHODS, Method
from lightcam_edge.card import ModelCard
from lightcam_edge.errors import InputError, UsageError
from lightcam_edge.geometry import Fit
from lightcam_edge.images import Photo, decode_image
from lightcam_edge.localizer import Localization, Localizer, Options
from lightcam_models.datasets import Dataset, Example, read_bytes
from lightcam_models.progress import Progress

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shot:
    """One photograph to be tested on, not decoded yet.

    Args:
        name: what it is called in messages and reports.
        label: its class, as the model calls it.
        truths: where the objects are, in pixels of the upright image.
        open: decodes it for a model.
        group: what it is counted under beside its class, or nothing.
    """

    name: str
    label: str
    truths: tuple[Box, ...]
    open: Callable[[Localizer], Photo]
    group: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one method makes of one photograph.

    Args:
        class_index: the class found.
        box: the first box found, in pixels of the upright image, or None.
        told_box: the first box found when told the class, or None.
        cam: (h, w) map of the class told, or of the one found in a background photograph.
    """

    class_index: int
    box: Box | None
    told_box: Box | None
    cam: Float32


@dataclass(frozen=True, slots=True)
class Observation:
    """What every method makes of one photograph."""

    shot: Shot
    fit: Fit
    sights: Mapping[Method, Sight]


@dataclass(frozen=True, slots=True)
class Observations:
    """What a model makes of many photographs, and what it could not be shown."""

    seen: tuple[Observation, ...]
    skipped: tuple[str, ...] = ()


def shots(dataset: Dataset, card: ModelCard) -> tuple[list[Shot], dict[str, int]]:
    """Photographs of the classes that a model knows.

    The data set's background is the model's, whatever the two call it.

    Returns:
        The photographs, and how many there are of each class that the model does not know.

    Raises:
        UsageError: if it knows none of the classes.
    """
    names = {label: label for label in card.labels}
    if dataset.background and card.background:
        names[dataset.background] = card.background.label
    known = [_shot(example, names[example.label]) for example in dataset.examples if example.label in names]
    unknown = [label for label in dataset.labels if label not in names]
    if not known:
        raise UsageError(
            f"{card.name} knows {', '.join(card.labels)}; {dataset.name} has {', '.join(dataset.labels)}"
        )
    return known, {label: sum(one.label == label for one in dataset.examples) for label in unknown}


def _shot(example: Example, label: str) -> Shot:
    def open_example(localizer: Localizer) -> Photo:
        if example.member is None:
            return localizer.open(example.path)
        return decode_image(read_bytes(example), str(example.path), localizer.input_hw)

    return Shot(str(example.path), label, example.boxes, open_example)


def sample(shots: Sequence[Shot], limit: int | None, seed: int) -> list[Shot]:
    """At most so many photographs, chosen by a seed, in their order."""
    if limit is None or limit >= len(shots):
        return list(shots)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(shots))[:limit])
    return [shots[index] for index in chosen]


def methods_of(card: ModelCard) -> tuple[Method, ...]:
    """The methods that a model can do: BR-AvgCAM needs a background class."""
    return METHODS if card.background else ("cam",)


def observe(
    localizer: Localizer, shots: Iterable[Shot], progress: Progress, step: str = "localizing"
) -> Observations:
    """Show a model photographs; each is decoded and run once, and concluded from by every method.

    Args:
        localizer: the model, with the options that count.
        shots: the photographs.
        progress: told how far it is.
        step: what to call it there.
    """
    options, methods = localizer.options, methods_of(localizer.card)
    shots, seen, skipped = list(shots), [], []
    try:
        for number, shot in enumerate(shots, start=1):
            try:
                seen.append(_observe(localizer, shot, options, methods))
            except InputError as error:
                skipped.append(str(error))
            progress(step, number, len(shots))
    finally:
        localizer.set_options(options)
    return Observations(tuple(seen), tuple(skipped))


def _observe(localizer: Localizer, shot: Shot, options: Options, methods: Sequence[Method]) -> Observation:
    fit, outputs = localizer.infer(shot.open(localizer))
    background = localizer.card.background

    def concluded(method: Method, label: str | None) -> Localization:
        localizer.set_options(replace(options, method=method, label=label))
        return localizer.conclude(fit, outputs)

    sights: dict[Method, Sight] = {}
    for method in methods:
        found = concluded(method, None)
        is_scene = background is not None and shot.label == background.label
        told = found if is_scene or found.label == shot.label else concluded(method, shot.label)
        sights[method] = Sight(found.class_index, _first_box(found), _first_box(told), told.cam)
    return Observation(shot, fit, sights)


def _first_box(found: Localization) -> Box | None:
    return found.detections[0].box if found.detections else None
