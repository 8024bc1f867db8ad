"""How two models differ on the same photographs, told from chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lightcam_edge.cam import Method
from lightcam_edge.card import ModelCard
from lightcam_models.evaluation.judging import found_ious, is_located
from lightcam_models.evaluation.metrics import BOOTSTRAP_ROUNDS, CONFIDENCE_PERCENT, RIGHT_IOU, localized
from lightcam_models.evaluation.observing import Observation

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Difference:
    """What one model has right that the other has not, less the reverse, in percentage points.

    Args:
        points: the difference.
        low: lower end of its 95% interval.
        high: upper end.
        gained: photographs that only this one has right.
        lost: photographs that only the other has right.
        images: photographs.
    """

    points: float
    low: float
    high: float
    gained: int
    lost: int
    images: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a model differs from the first one, each by its method in use.

    Args:
        name: of the model.
        against: name of the first one.
        top1: in classes.
        top1_localization: in classes and boxes together.
        gt_known: in boxes, told the class, at IoU 0.5.
    """

    name: str
    against: str
    top1: Difference
    top1_localization: Difference
    gt_known: Difference


@dataclass(frozen=True, slots=True)
class Rights:
    """Whether each photograph's class, class and box, and box alone are right; the last two where located."""

    top1: Bool
    top1_localization: Bool
    gt_known: Bool


def rights(seen: Sequence[Observation], method: Method, card: ModelCard, several: bool) -> Rights:
    """What one method of a model has right of each photograph."""
    sights = [observation.sights[method] for observation in seen]
    correct = np.array(
        [card.labels[sight.class_index] == one.shot.label for sight, one in zip(sights, seen, strict=True)],
        bool,
    )
    located = np.array([is_located(one, several) for one in seen], bool)
    ious = found_ious([sight.box for sight in sights], seen, located)
    told_ious = found_ious([sight.told_box for sight in sights], seen, located)
    return Rights(correct, localized(correct, ious)[located], told_ious[located] >= RIGHT_IOU)


def difference(one: Bool, other: Bool, seed: int = 0) -> Difference:
    """How much more often one model is right than another on the same photographs.

    The interval is that of a paired bootstrap over photographs: drawing from
    those only one has right, only the other, and the rest is a multinomial draw.

    Args:
        one: (N,) whether it is right.
        other: (N,) whether the other is.
        seed: of the resampling.
    """
    count = len(one)
    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    if not count:
        return Difference(float("nan"), float("nan"), float("nan"), 0, 0, 0)
    shares = np.array([gained, lost, count - gained - lost]) / count
    drawn = np.random.default_rng(seed).multinomial(count, shares, BOOTSTRAP_ROUNDS)
    tail = (100 - CONFIDENCE_PERCENT) / 2
    low, high = np.percentile((drawn[:, 0] - drawn[:, 1]) * (100 / count), (tail, 100 - tail))
    return Difference(100 * (gained - lost) / count, float(low), float(high), gained, lost, count)
