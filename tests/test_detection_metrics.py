import math

import numpy as np
import pytest

from lightcam_edge.box import Box
from lightcam_edge.localizer import Detection
from lightcam_models.evaluation.detection_metrics import (
    MATCH_RULES,
    MatchRule,
    TrueObject,
    average_precision,
    fitness,
    match,
    precision_by_recall,
    ratio,
)

LEFT, RIGHT = Box(0, 0, 10, 10), Box(20, 0, 30, 10)
both_rules = pytest.mark.parametrize("rule", MATCH_RULES)


def found(label: str, box: Box, score: float) -> Detection:
    return Detection(box, ("red", "blue").index(label), label, score)


def ranked(*hits: int) -> tuple[np.ndarray, np.ndarray]:
    """Falling scores, and hits."""
    return np.linspace(0.9, 0.1, len(hits)), np.array(hits, bool)


def test_half_the_union_is_enough_and_less_is_not() -> None:
    assert fitness(Box(0, 0, 10, 5), LEFT, "iou-0.5") == 0.5
    assert fitness(Box(0, 0, 10, 4.9), LEFT, "iou-0.5") is None


def test_a_centre_has_to_lie_in_the_box_and_is_better_the_nearer() -> None:
    assert fitness(Box(-90, -90, 100, 100), LEFT, "centre-in-box") == 0
    assert fitness(Box(0, 4, 4, 14), LEFT, "centre-in-box") == -5  # centre (2, 9), 3 and 4 from (5, 5)
    assert fitness(Box(-2, 0, 2, 10), LEFT, "centre-in-box") == -5
    assert fitness(Box(8, 0, 12, 10), LEFT, "centre-in-box") is None  # the right edge is outside


@both_rules
def test_every_object_that_is_hit_exactly_is_found(rule: MatchRule) -> None:
    truths = [TrueObject("red", LEFT), TrueObject("blue", RIGHT)]

    assert match([found("blue", RIGHT, 0.9), found("red", LEFT, 0.8)], truths, rule) == (1, 0)


@both_rules
def test_a_second_box_on_an_object_is_wrong_whichever_comes_first(rule: MatchRule) -> None:
    better, worse = found("red", Box(0, 0, 10, 9), 0.9), found("red", LEFT, 0.8)

    assert match([better, worse], [TrueObject("red", LEFT)], rule) == (0, None)
    assert match([worse, better], [TrueObject("red", LEFT)], rule) == (None, 0)


@both_rules
def test_a_box_of_another_class_is_wrong(rule: MatchRule) -> None:
    assert match([found("blue", LEFT, 0.9)], [TrueObject("red", LEFT)], rule) == (None,)


@both_rules
def test_nothing_matches_nothing(rule: MatchRule) -> None:
    assert match([], [TrueObject("red", LEFT)], rule) == ()
    assert match([found("red", LEFT, 0.9)], [], rule) == (None,)
    assert match([], [], rule) == ()


def test_a_box_takes_the_nearest_object_that_no_better_box_took() -> None:
    wide, small = TrueObject("red", Box(0, 0, 100, 100)), TrueObject("red", Box(60, 60, 80, 80))
    boxes = [found("red", Box(60, 60, 80, 80), 0.9), found("red", Box(62, 62, 82, 82), 0.8)]

    assert match(boxes, [wide, small], "centre-in-box") == (1, 0)
    assert match(boxes, [wide, small], "iou-0.5") == (1, None)


def test_f1_is_that_of_all_images_together() -> None:
    hits, boxes, objects = np.array([2, 0, 1]), np.array([2, 1, 3]), np.array([2, 2, 1])

    assert ratio(hits, boxes).percent == 50
    assert ratio(hits, objects).percent == 60
    assert ratio(2 * hits, boxes + objects).percent == pytest.approx(600 / 11)
    assert ratio(2 * hits, boxes + objects).images == 3


def test_the_interval_of_a_ratio_is_that_of_resampling_images(rng: np.random.Generator) -> None:
    objects = rng.integers(2, 6, 80)
    hits = rng.binomial(objects, 0.6)
    draws = rng.integers(0, 80, (10_000, 80))
    resampled = 100 * hits[draws].sum(axis=1) / objects[draws].sum(axis=1)

    one = ratio(hits, objects)

    assert one.low == pytest.approx(np.percentile(resampled, 2.5), abs=0.5)
    assert one.high == pytest.approx(np.percentile(resampled, 97.5), abs=0.5)
    assert ratio(hits, objects) == one


def test_images_alike_leave_no_doubt() -> None:
    one = ratio(np.array([1, 1, 1, 0]), np.array([2, 2, 2, 0]))

    assert (one.percent, one.low, one.high, one.images) == (50, 50, 50, 3)


def test_a_ratio_of_nothing_is_not_a_number() -> None:
    assert math.isnan(ratio(np.array([0, 0]), np.array([0, 0])).percent)
    assert ratio(np.array([], int), np.array([], int)).images == 0
    assert ratio(np.array([0, 0]), np.array([1, 2])).percent == 0


@pytest.mark.parametrize(
    ("hits", "truths", "percent"),
    [
        ((1, 1, 0, 0), 2, 100),
        ((1, 0, 1), 2, 100 * (1 / 2 + 1 / 2 * 2 / 3)),
        ((0, 1, 1), 2, 100 * 2 / 3),  # precision 1/2 at the first hit, but 2/3 is reached beyond
        ((1, 0), 4, 25),
        ((0, 0), 3, 0),
        ((), 3, 0),
    ],
)
def test_average_precision_is_the_area_under_the_interpolated_curve(
    hits: tuple[int, ...], truths: int, percent: float
) -> None:
    assert average_precision(*ranked(*hits), truths) == pytest.approx(percent)


def test_average_precision_ranks_by_score_in_whatever_order_the_boxes_come() -> None:
    scores, hits = ranked(1, 0, 1, 1, 0)
    order = [3, 0, 4, 2, 1]

    assert average_precision(scores[order], hits[order], 4) == average_precision(scores, hits, 4)


def test_without_objects_there_is_no_average_precision() -> None:
    assert math.isnan(average_precision(*ranked(0, 0), 0))
    assert precision_by_recall(*ranked(0, 0), 0) == ()


def test_the_curve_gives_the_best_precision_from_each_recall_on() -> None:
    curve = precision_by_recall(*ranked(1, 0, 1), 4)

    assert curve[:26] == (100,) * 26
    assert curve[26:51] == pytest.approx([200 / 3] * 25)
    assert curve[51:] == (0,) * 50
