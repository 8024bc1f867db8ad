"""Measures of detection: pure functions of boxes, scores and counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import dist
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from lightcam_edge.box import Box
from lightcam_edge.localizer import Detection
from lightcam_models.evaluation.metrics import BOOTSTRAP_ROUNDS, CONFIDENCE_PERCENT, RIGHT_IOU, Score

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

MatchRule = Literal["iou-0.5", "centre-in-box"]
MATCH_RULES: tuple[MatchRule, ...] = get_args(MatchRule)
RECALLS = tuple(percent / 100 for percent in range(101))


@dataclass(frozen=True, slots=True)
class TrueObject:
    """An object that is in a picture.

    Args:
        label: its class.
        box: where it is, in pixels of the upright image.
        group: what it is counted under beside its class.
    """

    label: str
    box: Box
    group: str = ""


def fitness(found: Box, truth: Box, rule: MatchRule) -> float | None:
    """How well a box fits a true one; None where the rule does not accept it.

    `iou-0.5` accepts an IoU of at least 0.5, and more is better (Everingham et
    al. 2010, section 4.2). `centre-in-box` accepts a box whose centre lies in the
    true one, and nearer to its centre is better. It counts finders of centres
    alike, such as Edge Impulse's FOMO, which say nothing of an object's size.

    Returns:
        IoU, or the distance of the centres in pixels times -1.
    """
    if rule == "iou-0.5":
        iou = found.iou(truth)
        return iou if iou >= RIGHT_IOU else None
    (x, y), centre = _centre(found), _centre(truth)
    inside = truth.x0 <= x < truth.x1 and truth.y0 <= y < truth.y1
    return -dist((x, y), centre) if inside else None


def _centre(box: Box) -> tuple[float, float]:
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2


def match(
    found: Sequence[Detection], truths: Sequence[TrueObject], rule: MatchRule
) -> tuple[int | None, ...]:
    """Give every detection of a picture at most one of its objects, and every object at most one detection.

    Greedily, the best score first: each takes the object that it fits best of
    those of its class that are left. A second box on the same object is wrong.

    Returns:
        For each detection the index of its object, or None where it is wrong.
    """
    taken: dict[int, int] = {}
    for number in sorted(range(len(found)), key=lambda number: -found[number].score):
        left = [index for index in range(len(truths)) if index not in taken.values()]
        fits = {index: _fitness_of(found[number], truths[index], rule) for index in left}
        accepted = {index: fit for index, fit in fits.items() if fit is not None}
        if accepted:
            taken[number] = max(accepted, key=accepted.__getitem__)
    return tuple(taken.get(number) for number in range(len(found)))


def _fitness_of(found: Detection, truth: TrueObject, rule: MatchRule) -> float | None:
    return fitness(found.box, truth.box, rule) if found.label == truth.label else None


def ratio(parts: Int64, wholes: Int64, seed: int = 0) -> Score:
    """The sum of parts by the sum of wholes, with a percentile bootstrap interval over images.

    Hits by detections are precision, hits by objects are recall, and twice the
    hits by detections and objects together are F1, their harmonic mean.

    Args:
        parts: (N,) count of each image, for instance of hits.
        wholes: (N,) count of each image that the parts are of.
        seed: of the resampling.

    Returns:
        With the number of images that have any whole; resamples without one are left out.
    """
    total = int(wholes.sum())
    if not total:
        return Score(float("nan"), float("nan"), float("nan"), 0)
    sums = _resamples(len(wholes), seed) @ np.stack((parts, wholes), axis=1).astype(np.float32)
    drawn = sums[sums[:, 1] > 0]
    tail = (100 - CONFIDENCE_PERCENT) / 2
    low, high = np.percentile(100 * drawn[:, 0] / drawn[:, 1], (tail, 100 - tail))
    return Score(100 * float(parts.sum()) / total, float(low), float(high), int((wholes > 0).sum()))


@lru_cache(maxsize=1)
def _resamples(count: int, seed: int) -> Float32:
    """How often each of N images is drawn in each round (R, N) of N draws with replacement."""
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), BOOTSTRAP_ROUNDS)
    return np.asarray(drawn, np.float32)


def average_precision(scores: Float64, hits: Bool, truths: int) -> float:
    """Area under the interpolated precision-recall curve of one class, in percent.

    Everingham et al., The PASCAL Visual Object Classes (VOC) Challenge, IJCV
    2010, section 4.2, at all points as VOC has done it since 2010: with the
    detections of all pictures ranked by score, the sum over the ranks n of
    (r[n] - r[n-1]) times the largest precision at any recall of at least r[n].

    Args:
        scores: (D,) of the detections of the class.
        hits: (D,) whether each was matched with an object.
        truths: objects of the class.

    Returns:
        NaN where there is no object.
    """
    if not truths:
        return float("nan")
    recall, precision = _interpolated(scores, hits, truths)
    return 100 * float(np.diff(recall, prepend=0) @ precision)


def precision_by_recall(scores: Float64, hits: Bool, truths: int) -> tuple[float, ...]:
    """Interpolated precision in percent at each of `RECALLS`, see `average_precision`.

    Returns:
        0 where so many are never found; empty where there is no object.
    """
    if not truths:
        return ()
    recall, precision = _interpolated(scores, hits, truths)
    first = np.searchsorted(recall, np.array(RECALLS) - 1e-9)  # recalls are hundredths but for rounding
    return tuple((100 * np.append(precision, 0)[first]).tolist())


def _interpolated(scores: Float64, hits: Bool, truths: int) -> tuple[Float64, Float64]:
    """Recall (D,) at each rank, and the largest precision (D,) from there on."""
    right = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    precision = right / np.arange(1, len(right) + 1)
    return right / truths, np.maximum.accumulate(precision[::-1])[::-1]
