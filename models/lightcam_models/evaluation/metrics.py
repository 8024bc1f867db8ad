"""Measures of classification and localization: pure functions of outcomes, maps and boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.box import Box

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

IOU_LEVELS = (0.3, 0.5, 0.7)
RIGHT_IOU = 0.5
CONFIDENCE_PERCENT = 95
BOOTSTRAP_ROUNDS = 10_000
MAP_LEVELS = 255
EMPTY_SHARE = 0.99
CENTRED_SHARES = tuple(percent / 100 for percent in range(20, 101, 5))


@dataclass(frozen=True, slots=True)
class Score:
    """A share of images with its 95% bootstrap interval, all in percent; NaN where there is no image."""

    percent: float
    low: float
    high: float
    images: int


def score(outcomes: Bool, seed: int = 0) -> Score:
    """Share of true outcomes, with a percentile bootstrap interval over images.

    Drawing n of n yes-or-no outcomes with replacement and counting the yeses is
    one draw from a binomial distribution, so that is what each round does.

    Args:
        outcomes: (N,) one outcome an image.
        seed: of the resampling.
    """
    count = len(outcomes)
    if not count:
        return Score(float("nan"), float("nan"), float("nan"), 0)
    rate = float(np.mean(outcomes))
    resampled = np.random.default_rng(seed).binomial(count, rate, BOOTSTRAP_ROUNDS) * (100 / count)
    tail = (100 - CONFIDENCE_PERCENT) / 2
    low, high = np.percentile(resampled, (tail, 100 - tail))
    return Score(100 * rate, float(low), float(high), count)


def localized(correct: Bool, ious: Float64, least: float = RIGHT_IOU) -> Bool:
    """Top-1 localization of each image: the class is right, and the box's IoU with the truth is enough.

    Light-CAM (J. KICS 2022), equations 4 (IoU) and 5 (the share of images).

    Args:
        correct: (N,) whether the highest score is that of the image's class.
        ious: (N,) IoU of the box found with the true one, 0 where none was found.
        least: the IoU that is enough.
    """
    return np.asarray(correct & (ious >= least))


def best_iou(found: Box | None, truths: Sequence[Box]) -> float:
    """IoU of a box with the truth it fits best; 0 where there is none of either."""
    return max((found.iou(truth) for truth in truths), default=0.0) if found else 0.0


def information_density(percent: float, parameters: int) -> float:
    """Accuracy in percent per million parameters (Light-CAM, J. KICS 2022; Canziani et al. 2016).

    Raises:
        ValueError: if the number of parameters is not known.
    """
    if parameters < 1:
        raise ValueError(f"parameters {parameters} is not a number of weights")
    return percent / (parameters / 1e6)


def ious_by_level(cam: Float32, truths: Sequence[Box]) -> Float64:
    """IoU with the truth at every threshold that tells two 8-bit maps apart, for MaxBoxAcc.

    Choe et al., Evaluating Weakly Supervised Object Localization Methods Right,
    CVPR 2020, as its published evaluation does it: the map is scaled to 0..1 by
    its own minimum and maximum and quantized to 8 bits; a threshold t keeps
    values above int(255 t); boxes are those of outer and inner contours; box
    edges are whole pixels and both count as part of the box. Its sweep in steps
    of 0.001 meets these 255 levels and no others.

    Args:
        cam: (H, W) map of the image's class over the input frame, any scale.
        truths: true boxes in the input frame, at least one.

    Returns:
        (2, 255): the box of the contour with the largest area, and the best of all contours' boxes.

    Raises:
        ValueError: if the map holds NaN.
    """
    quantized = _quantized(cam)
    found = [_contour_boxes(quantized, level) for level in range(MAP_LEVELS)]
    edges = np.array([[int(edge) for edge in (t.x0, t.y0, t.x1, t.y1)] for t in truths])
    ious = _inclusive_iou(np.concatenate([boxes for boxes, _ in found]), edges).max(axis=1)
    starts = np.cumsum([0] + [len(boxes) for boxes, _ in found[:-1]])
    largest = ious[starts + [index for _, index in found]]
    return np.stack((largest, np.maximum.reduceat(ious, starts)))


def _quantized(cam: Float32) -> npt.NDArray[np.uint8]:
    if np.isnan(cam).any():
        raise ValueError("the map holds NaN")
    scaled = cam.astype(np.float64) - cam.min()
    peak = scaled.max()
    return np.asarray(scaled / peak * 255 if peak > 0 else scaled, np.uint8)


def _contour_boxes(quantized: npt.NDArray[np.uint8], level: int) -> tuple[Int64, int]:
    """Boxes (n, 4) of the contours above a level, last pixels included, and the index of the largest."""
    height, width = quantized.shape
    _, mask = cv2.threshold(quantized, level, 255, cv2.THRESH_BINARY)
    contours, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return np.zeros((1, 4), np.int64), 0
    boxes = np.array([cv2.boundingRect(contour) for contour in contours], np.int64)
    boxes[:, 2:] = np.minimum(boxes[:, :2] + boxes[:, 2:], (width - 1, height - 1))
    return boxes, int(np.argmax([cv2.contourArea(contour) for contour in contours]))


def _inclusive_iou(boxes: Int64, truths: Int64) -> Float64:
    """IoU (n, m) of boxes (n, 4) and (m, 4) whose last row and column belong to them."""
    a, b = boxes[:, None], truths[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + 1
    shared = np.maximum(sides, 0).prod(axis=-1)
    areas = ((one[..., 2:] - one[..., :2] + 1).prod(axis=-1) for one in (a, b))
    return np.asarray(shared / (sum(areas) - shared), np.float64)


def presence_level(
    scene_cams: Sequence[Float32], object_cams: Sequence[Float32], empty_share: float = EMPTY_SHARE
) -> float:
    """The value that the maps of most photographs without objects stay below.

    It is at most half of what the maps of objects reach, by their median: one
    odd scene among a few must not hide every object. Where the scenes are so
    few that none of them may be above it, it is at least a quarter of that: the
    next scenes will be odder than those few.

    Args:
        scene_cams: (h, w) maps of photographs without objects, at least one.
        object_cams: (h, w) maps of photographs of objects, at least one.
        empty_share: how many of the photographs without objects, in [0, 1].
    """
    scenes, objects = ([float(cam.max()) for cam in cams] for cams in (scene_cams, object_cams))
    level, reached = float(np.quantile(scenes, empty_share)), float(np.median(objects))
    least = reached / 4 if _are_few(len(scenes), empty_share) else 0.0
    return round(max(0.0, min(max(level, least), reached / 2)), 3)


def presence_source(scenes: int, empty_share: float = EMPTY_SHARE) -> str:
    """Where `presence_level` has its value from, in words."""
    least = ", and a quarter of what objects reach" if _are_few(scenes, empty_share) else ""
    return f"above the maps of {empty_share:.0%} of {scenes} held-out scenes{least}"


def _are_few(scenes: int, empty_share: float) -> bool:
    return round(scenes * (1 - empty_share), 6) < 1


def max_box_acc(ious: Float64, least: float = RIGHT_IOU) -> float:
    """Share of images with the right box at the one threshold that suits the set best, in percent.

    Args:
        ious: (N, L) one row an image, see `ious_by_level`; MaxBoxAcc takes those of the largest contour.
        least: the IoU that is enough.
    """
    return 100 * float((ious >= least).mean(axis=0).max()) if len(ious) else float("nan")


def max_box_acc_v2(ious: Float64) -> float:
    """Mean of the best shares at IoU 0.3, 0.5 and 0.7, in percent, see `max_box_acc`.

    Args:
        ious: (N, L) of the best of all contours.
    """
    return float(np.mean([max_box_acc(ious, least) for least in IOU_LEVELS]))


def centred_box(share: float, image_hw: tuple[int, int]) -> Box:
    """The box that takes a share of an image's width and of its height, around its centre."""
    height, width = image_hw
    low, high = (1 - share) / 2, (1 + share) / 2
    return Box(width * low, height * low, width * high, height * high)


def best_centred_box(truths: Sequence[Box], sizes_hw: Sequence[tuple[int, int]]) -> float:
    """The share of each side whose centred box is right for most images.

    Args:
        truths: the true box of each image, in its own pixels.
        sizes_hw: height and width of each image.

    Returns:
        One of `CENTRED_SHARES`; the one with the higher mean IoU where two are right equally often.

    Raises:
        ValueError: if there is no image.
    """
    if not truths:
        raise ValueError("no boxes to choose a centred box by")

    def fitness(share: float) -> tuple[float, float]:
        ious = [centred_box(share, hw).iou(truth) for truth, hw in zip(truths, sizes_hw, strict=True)]
        return float(np.mean(np.array(ious) >= RIGHT_IOU)), float(np.mean(ious))

    return max(CENTRED_SHARES, key=fitness)
