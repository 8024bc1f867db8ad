"""How many objects a model finds, and how many boxes are wrong, counted from what it made of pictures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from lightcam_edge.box import Component
from lightcam_edge.cam import Method
from lightcam_edge.choices import Scoring
from lightcam_edge.errors import InputError
from lightcam_edge.localizer import Localizer
from lightcam_models.evaluation.detecting import PictureSet, Sighting, detect
from lightcam_models.evaluation.detection_metrics import (
    MATCH_RULES,
    MatchRule,
    average_precision,
    match,
    precision_by_recall,
    ratio,
)
from lightcam_models.evaluation.metrics import Score
from lightcam_models.progress import Progress

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Names = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Matches:
    """Every detection and every object of N pictures, matched by one rule, as arrays.

    Args:
        images: N.
        found_in: (D,) picture of each detection.
        found_labels: (D,) its class.
        scores: (D,) its score.
        hits: (D,) whether it was given an object.
        true_in: (T,) picture of each object.
        true_labels: (T,) its class.
        groups: (T,) what it is counted under beside its class.
        met: (T,) whether it was given a detection.
    """

    images: int
    found_in: Int64
    found_labels: Names
    scores: Float64
    hits: Bool
    true_in: Int64
    true_labels: Names
    groups: Names
    met: Bool


@dataclass(frozen=True, slots=True)
class Rates:
    """How well objects are found, in percent.

    Args:
        objects: how many there are.
        precision: the share of boxes that are right.
        recall: the share of objects that are found.
        f1: the harmonic mean of the two.
        average_precision: of one class, or the mean over the classes that there are objects of.
        curve: interpolated precision at each of `RECALLS`; of all classes ranked together.
    """

    objects: int
    precision: Score
    recall: Score
    f1: Score
    average_precision: float
    curve: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """How a model fares by one matching rule.

    Args:
        overall: on all objects; mAP is its average precision.
        by_class: on those of each class.
        recall_by_size: on those of each size.
        recall_by_count: on those of pictures with so many objects.
    """

    overall: Rates
    by_class: Mapping[str, Rates]
    recall_by_size: Mapping[str, Score]
    recall_by_count: Mapping[str, Score]


@dataclass(frozen=True, slots=True)
class ModelFindings:
    """How a model fares.

    Args:
        name: of the model.
        path: of its file.
        sha256: of its network.
        method: in use.
        threshold: share of the map's maximum that counts.
        component: component rule.
        scoring: whether the frame is classified, or the region of each box.
        presence: value of the map that an object must reach where regions are.
        boxes_per_image: mean number of boxes.
        images_by_boxes: how many pictures got so many boxes.
        findings: by matching rule.
    """

    name: str
    path: str
    sha256: str
    method: Method
    threshold: float
    component: Component
    scoring: Scoring
    presence: float
    boxes_per_image: float
    images_by_boxes: Mapping[int, int]
    findings: Mapping[MatchRule, Finding]


@dataclass(frozen=True, slots=True)
class Pictures:
    """What was tested on.

    Args:
        name: of the set.
        digest: SHA-256 of what the pictures are made of.
        images: pictures.
        objects: how many there are of each class.
        skipped: what was left out, and why.
    """

    name: str
    digest: str
    images: int
    objects: Mapping[str, int]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DetectionTrial:
    """One set of pictures, and how every model fares on it.

    Args:
        pictures: what was tested on.
        models: by model.
        seen: by model, what it made of each picture; for the report.
    """

    pictures: Pictures
    models: tuple[ModelFindings, ...]
    seen: tuple[tuple[Sighting, ...], ...] = field(repr=False)


def hold_detection_trial(
    names: Sequence[str], models: Sequence[Localizer], test: PictureSet, seed: int, progress: Progress
) -> DetectionTrial:
    """Show every model the same pictures, and count what it finds.

    Args:
        names: of the models.
        models: of the same classes.
        test: the pictures.
        seed: of the bootstrap.
        progress: told how far it is.

    Raises:
        InputError: if no picture can be drawn.
    """
    sights = [
        detect(model, test.pictures, progress, f"{name}, composed")
        for name, model in zip(names, models, strict=True)
    ]
    first = sights[0]
    if not first.seen:
        raise InputError(f"no scene can be read, the first: {first.skipped[0]}")
    counts = Counter(truth.label for sighting in first.seen for truth in sighting.picture.truths)
    objects = {label: counts[label] for label in models[0].card.labels if counts[label]}
    pictures = Pictures(test.name, test.digest, len(first.seen), objects, (*test.skipped, *first.skipped))
    results = tuple(
        count_findings(name, model, found.seen, seed)
        for name, model, found in zip(names, models, sights, strict=True)
    )
    return DetectionTrial(pictures, results, tuple(found.seen for found in sights))


def count_findings(name: str, model: Localizer, seen: Sequence[Sighting], seed: int = 0) -> ModelFindings:
    """Count what one model finds, by each matching rule."""
    boxes = [len(sighting.detections) for sighting in seen]
    return ModelFindings(
        name,
        str(model.model.path),
        model.card.sha256,
        model.method,
        model.rule.threshold,
        model.rule.component,
        model.scoring,
        model.presence,
        float(np.mean(boxes)),
        dict(sorted(Counter(boxes).items())),
        {rule: count(matched(seen, rule), model.card.labels, seed) for rule in MATCH_RULES},
    )


def matched(seen: Sequence[Sighting], rule: MatchRule) -> Matches:
    """Match the detections of every picture with its objects."""
    found = [(index, one) for index, sighting in enumerate(seen) for one in sighting.detections]
    there = [(index, one) for index, sighting in enumerate(seen) for one in sighting.picture.truths]
    given = [match(sighting.detections, sighting.picture.truths, rule) for sighting in seen]
    met = [n in objects for objects, s in zip(given, seen, strict=True) for n in range(len(s.picture.truths))]
    return Matches(
        len(seen),
        np.array([index for index, _ in found], np.int64),
        np.array([one.label for _, one in found], np.str_),
        np.array([one.score for _, one in found], np.float64),
        np.array([index is not None for objects in given for index in objects], np.bool_),
        np.array([index for index, _ in there], np.int64),
        np.array([one.label for _, one in there], np.str_),
        np.array([one.group for _, one in there], np.str_),
        np.array(met, np.bool_),
    )


def count(matches: Matches, labels: Sequence[str], seed: int = 0) -> Finding:
    """Count hits, misses and wrong boxes.

    Args:
        matches: detections and objects.
        labels: classes of the model; those that are neither found nor there are left out.
        seed: of the bootstrap.
    """
    names = {*matches.found_labels.tolist(), *matches.true_labels.tolist()}
    by_class = {
        label: _rates(matches, matches.found_labels == label, matches.true_labels == label, seed)
        for label in labels
        if label in names
    }
    together = _rates(matches, np.ones_like(matches.hits), np.ones_like(matches.met), seed)
    measured = [one.average_precision for one in by_class.values() if one.objects]
    counts = np.bincount(matches.true_in, minlength=matches.images)[matches.true_in]
    return Finding(
        replace(together, average_precision=float(np.mean(measured)) if measured else float("nan")),
        by_class,
        _recalls(matches, matches.groups, seed),
        _recalls(matches, np.array([f"{count} objects" for count in counts], np.str_), seed),
    )


def _rates(matches: Matches, found: Bool, there: Bool, seed: int) -> Rates:
    """Rates of the chosen detections (D,) and objects (T,)."""
    hits = _by_image(matches, matches.found_in, matches.hits & found)
    boxes = _by_image(matches, matches.found_in, found)
    objects = _by_image(matches, matches.true_in, there)
    ranked = matches.scores[found], matches.hits[found], int(there.sum())
    return Rates(
        int(there.sum()),
        ratio(hits, boxes, seed),
        ratio(hits, objects, seed),
        ratio(2 * hits, boxes + objects, seed),
        average_precision(*ranked),
        precision_by_recall(*ranked),
    )


def _recalls(matches: Matches, kinds: Names, seed: int) -> dict[str, Score]:
    """Recall of each kind of objects; kinds (T,), nameless ones left out."""

    def of_kind(chosen: Bool) -> Int64:
        return _by_image(matches, matches.true_in, chosen)

    return {
        kind: ratio(of_kind(matches.met & (kinds == kind)), of_kind(kinds == kind), seed)
        for kind in np.unique(kinds).tolist()
        if kind
    }


def _by_image(matches: Matches, images: Int64, chosen: Bool) -> Int64:
    return np.bincount(images[chosen], minlength=matches.images)
