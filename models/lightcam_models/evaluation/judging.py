"""How often a model is right, counted from what it made of photographs."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.box import COMPONENTS, Box, BoxRule, Component, boxes_from_map
from lightcam_edge.cam import Method, upsample
from lightcam_edge.card import ModelCard
from lightcam_edge.geometry import Fit
from lightcam_models.evaluation.metrics import (
    IOU_LEVELS,
    MAP_LEVELS,
    RIGHT_IOU,
    Score,
    best_centred_box,
    best_iou,
    centred_box,
    ious_by_level,
    localized,
    max_box_acc,
    max_box_acc_v2,
    score,
)
from lightcam_models.evaluation.observing import Observation
from lightcam_models.progress import Progress

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

THRESHOLDS = tuple(percent / 100 for percent in range(0, 100, 5))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of each photograph, as arrays over photographs.

    Args:
        labels: (N,) true class.
        correct: (N,) whether the class found is the true one.
        called_background: (N,) whether nothing was found.
        located: (N,) whether the truth is known well enough to score the box.
        ious: (N,) IoU of the box found with the truth; 0 where not located.
        told_ious: (N,) the same when told the class.
        curve_ious: (N, components, thresholds) IoU when told the class, at every rule of the curve.
        level_ious: (N, 2, 255) IoU by MaxBoxAcc's rules, see `ious_by_level`.
    """

    labels: npt.NDArray[np.str_]
    correct: Bool
    called_background: Bool
    located: Bool
    ious: Float64
    told_ious: Float64
    curve_ious: Float64
    level_ious: Float64

    def only(self, chosen: Bool) -> "Outcomes":
        """Those of some photographs."""
        return Outcomes(*(getattr(self, name)[chosen] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Measures:
    """How often a model is right on one kind of photographs; shares in percent.

    Args:
        images: photographs.
        top1: the class is right.
        called_background: nothing was found.
        top1_localization: class and box are right (IoU 0.5), of the photographs with known boxes.
        gt_known: the box is right when told the class, by the IoU that is enough.
        max_box_acc: MaxBoxAcc of Choe et al. 2020.
        max_box_acc_v2: MaxBoxAccV2.
    """

    images: int
    top1: Score
    called_background: Score
    top1_localization: Score
    gt_known: Mapping[str, Score]
    max_box_acc: float
    max_box_acc_v2: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Top-1 and GT-known localization in percent at each of `THRESHOLDS`, for one component rule."""

    top1_localization: tuple[float, ...]
    gt_known: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one method of a model fares.

    Args:
        overall: on all photographs.
        by_class: on those of each class.
        by_group: on those of each group of shots.
        curves: over thresholds, by component rule.
        ious: IoU of the box, told the class, of each located photograph, in the order of the photographs.
    """

    overall: Measures
    by_class: Mapping[str, Measures]
    by_group: Mapping[str, Measures]
    curves: Mapping[Component, Curve]
    ious: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a box that never looks at the photograph would score, in percent at IoU 0.5, class given.

    Args:
        name: what it is called.
        share: the share of each side that the box takes, centred, by class.
        overall: on all located photographs.
        by_class: on those of each class.
    """

    name: str
    share: Mapping[str, float]
    overall: Score
    by_class: Mapping[str, Score]


@dataclass(frozen=True, slots=True)
class KnownBox:
    """The true box of a training photograph, in its pixels, with its class and the photograph's size."""

    label: str
    box: Box
    image_hw: tuple[int, int]


def is_located(observation: Observation, several: bool) -> bool:
    """Whether the true box is known and, unless `several` are accepted, the only one."""
    return bool(observation.shot.truths) and (several or len(observation.shot.truths) == 1)


def judge(
    seen: Sequence[Observation],
    method: Method,
    card: ModelCard,
    progress: Progress,
    several: bool = False,
    seed: int = 0,
) -> Verdict:
    """Count how often one method is right.

    Args:
        seen: what the model made of the photographs.
        method: of the map.
        card: of the model.
        progress: told how far it is.
        several: score photographs with several boxes too, by the one that fits best.
        seed: of the bootstrap.
    """
    outcomes = gather(seen, method, card, progress, several)
    groups = np.array([observation.shot.group for observation in seen], np.str_)
    by_class = _measures_of(card.labels, outcomes.labels, outcomes, seed)
    by_group = _measures_of(sorted(set(groups.tolist()) - {""}), groups, outcomes, seed)
    located = outcomes.only(outcomes.located)
    curves = {component: _curve(located, index) for index, component in enumerate(COMPONENTS)}
    return Verdict(_measures(outcomes, seed), by_class, by_group, curves, tuple(located.told_ious.tolist()))


def gather(
    seen: Sequence[Observation], method: Method, card: ModelCard, progress: Progress, several: bool
) -> Outcomes:
    """Compare what was found with the truth, at the model's rule and at every other."""
    background = card.background.index if card.background else -1
    sights = [observation.sights[method] for observation in seen]
    found = np.array([sight.class_index for sight in sights])
    located = np.array([is_located(observation, several) for observation in seen], bool)
    curve_ious = np.zeros((len(seen), len(COMPONENTS), len(THRESHOLDS)))
    level_ious = np.zeros((len(seen), 2, MAP_LEVELS))
    indices = np.flatnonzero(located)

    def sweep(index: int) -> None:
        observation, cam = seen[index], sights[index].cam
        large, fit = upsample(cam, observation.fit.input_hw), observation.fit
        curve_ious[index] = ious_by_rule(large, fit, observation.shot.truths)
        level_ious[index] = ious_by_level(large, [fit.to_input(truth) for truth in observation.shot.truths])

    with ThreadPoolExecutor(cv2.getNumberOfCPUs()) as pool:
        for done, _ in enumerate(pool.map(sweep, indices), start=1):
            progress(f"sweeping {method}", done, len(indices))
    return Outcomes(
        np.array([observation.shot.label for observation in seen], np.str_),
        np.array([o.shot.label == card.labels[index] for o, index in zip(seen, found, strict=True)], bool),
        found == background,
        located,
        found_ious([sight.box for sight in sights], seen, located),
        found_ious([sight.told_box for sight in sights], seen, located),
        curve_ious,
        level_ious,
    )


def ious_by_rule(large: Float32, fit: Fit, truths: Sequence[Box]) -> Float64:
    """IoU with the truth by every component rule and threshold of the curve.

    Args:
        large: (H, W) map over the input frame.
        fit: how the image lies in it.
        truths: true boxes in the image frame.

    Returns:
        (components, thresholds).
    """

    def iou(rule: BoxRule) -> float:
        boxes = boxes_from_map(large, rule)
        return best_iou(fit.to_image(boxes[0]) if boxes else None, truths)

    rules = [[BoxRule(threshold, component) for threshold in THRESHOLDS] for component in COMPONENTS]
    return np.array([[iou(rule) for rule in row] for row in rules], np.float64)


def found_ious(boxes: Sequence[Box | None], seen: Sequence[Observation], located: Bool) -> Float64:
    """IoU (N,) of each photograph's box with the truth; 0 where that is not to be counted."""
    return np.array(
        [
            best_iou(box, observation.shot.truths) if counts else 0.0
            for box, observation, counts in zip(boxes, seen, located, strict=True)
        ],
        np.float64,
    )


def _measures(outcomes: Outcomes, seed: int) -> Measures:
    located = outcomes.only(outcomes.located)
    largest, best = located.level_ious[:, 0], located.level_ious[:, 1]
    return Measures(
        len(outcomes.labels),
        score(outcomes.correct, seed),
        score(outcomes.called_background, seed),
        score(localized(located.correct, located.ious), seed),
        {str(least): score(located.told_ious >= least, seed) for least in IOU_LEVELS},
        max_box_acc(largest),
        max_box_acc_v2(best),
    )


def _measures_of(
    names: Sequence[str], kinds: npt.NDArray[np.str_], outcomes: Outcomes, seed: int
) -> dict[str, Measures]:
    present = [name for name in names if (kinds == name).any()]
    return {name: _measures(outcomes.only(kinds == name), seed) for name in present}


def _curve(located: Outcomes, component: int) -> Curve:
    right = located.curve_ious[:, component] >= RIGHT_IOU
    with_class = right & located.correct[:, None]
    if not len(right):
        return Curve((), ())
    return Curve(*(tuple((100 * hits.mean(axis=0)).tolist()) for hits in (with_class, right)))


def baselines(
    seen: Sequence[Observation], training: Sequence[KnownBox], several: bool = False, seed: int = 0
) -> tuple[Baseline, ...]:
    """What the whole image, and the best centred boxes of the training photographs, score.

    Args:
        seen: the test photographs.
        training: known boxes of the training photographs; may be empty.
        several: score photographs with several boxes too.
        seed: of the bootstrap.
    """
    labels = sorted({observation.shot.label for observation in seen if is_located(observation, several)})
    rules = [("whole image", dict.fromkeys(labels, 1.0))]
    if training:
        one = _best_share(training)
        rules.append((f"centred box, {one:.0%} of each side", dict.fromkeys(labels, one)))
        own = {label: [known for known in training if known.label == label] for label in labels}
        if len(labels) > 1 and all(own.values()):
            shares = {label: _best_share(known) for label, known in own.items()}
            rules.append(("centred box of each class", shares))
    return tuple(_baseline(name, shares, seen, several, seed) for name, shares in rules)


def _best_share(known: Sequence[KnownBox]) -> float:
    return best_centred_box([one.box for one in known], [one.image_hw for one in known])


def _baseline(
    name: str, shares: Mapping[str, float], seen: Sequence[Observation], several: bool, seed: int
) -> Baseline:
    located = [observation for observation in seen if is_located(observation, several)]
    labels = np.array([observation.shot.label for observation in located], np.str_)
    right = np.array(
        [
            best_iou(centred_box(shares[o.shot.label], o.fit.image_hw), o.shot.truths) >= RIGHT_IOU
            for o in located
        ],
        bool,
    )
    by_class = {label: score(right[labels == label], seed) for label in shares}
    return Baseline(name, shares, score(right, seed), by_class)
