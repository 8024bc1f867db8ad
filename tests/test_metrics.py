import math

import numpy as np
import pytest

from lightcam_edge.box import Box
from lightcam_models.evaluation.metrics import (
    best_centred_box,
    best_iou,
    centred_box,
    information_density,
    ious_by_level,
    localized,
    max_box_acc,
    max_box_acc_v2,
    presence_level,
    presence_source,
    score,
)


def test_top1_localization_needs_the_class_and_half_the_box() -> None:
    correct = np.array([True, True, False, True])
    ious = np.array([0.5, 0.4999, 1.0, 0.9])

    assert localized(correct, ious).tolist() == [True, False, False, True]
    assert localized(correct, ious, least=0.7).tolist() == [False, False, False, True]


def test_the_truth_that_fits_best_counts() -> None:
    truths = [Box(0, 0, 10, 10), Box(20, 0, 30, 10)]

    assert best_iou(Box(20, 0, 30, 5), truths) == 0.5
    assert best_iou(None, truths) == 0
    assert best_iou(Box(0, 0, 1, 1), []) == 0


def test_information_density_is_percent_per_million_parameters() -> None:
    assert information_density(38.58, 1_574_083) == pytest.approx(24.51, abs=0.005)
    with pytest.raises(ValueError, match="parameters 0"):
        information_density(38.58, 0)


def test_the_interval_is_that_of_resampling_images(rng: np.random.Generator) -> None:
    outcomes = np.arange(200) < 150
    resampled = [rng.choice(outcomes, len(outcomes)).mean() * 100 for _ in range(10_000)]

    found = score(outcomes)

    assert (found.percent, found.images) == (75, 200)
    assert found.low == pytest.approx(np.percentile(resampled, 2.5), abs=0.5)
    assert found.high == pytest.approx(np.percentile(resampled, 97.5), abs=0.5)
    assert score(outcomes) == found


def test_a_share_of_nothing_is_not_a_number() -> None:
    assert math.isnan(score(np.array([], bool)).percent)
    assert math.isnan(max_box_acc(np.zeros((0, 255))))


def test_max_box_acc_boxes_what_lies_above_each_threshold() -> None:
    cam = np.array(
        [
            [0.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, 0.5, 0.5, 0.0, 0.0],
            [0.0, 0.5, 1.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0],
        ],
        np.float32,
    )

    largest, best = ious_by_level(cam, [Box(1, 1, 3, 3)])

    # 0.5 becomes 127 in 8 bits: kept above the levels 0 to 126, gone from 127 on.
    assert largest[:127].tolist() == [1.0] * 127
    # One pixel at (2, 2) reads as box 2..3, and 3 x 3 pixels as the truth 1..3: 4 of 9 shared.
    assert largest[127:].tolist() == [4 / 9] * 128
    assert best.tolist() == largest.tolist()


def test_max_box_acc_takes_the_largest_contour_and_v2_the_best() -> None:
    cam = np.array(
        [
            [0.4, 0.4, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0],
            [0.4, 0.4, 0.4, 0.0, 0.0, 1.0, 1.0, 0.0],
            [0.4, 0.4, 0.4, 0.0, 0.0, 1.0, 1.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        ],
        np.float32,
    )

    largest, best = ious_by_level(cam, [Box(5, 1, 7, 3)])

    assert largest[:102].tolist() == [0.0] * 102
    assert largest[102:].tolist() == [1.0] * 153
    assert best.tolist() == [1.0] * 255


def test_max_box_acc_scales_each_map_by_its_own_minimum_and_maximum() -> None:
    cam = np.array([[-3, -3, -3], [-3, 7, -3], [-3, -3, -3]], np.float32)

    ious = ious_by_level(cam, [Box(1, 1, 2, 2)])

    assert ious.tolist() == np.ones((2, 255)).tolist()


def test_max_box_acc_compares_with_every_truth() -> None:
    cam = np.zeros((4, 8), np.float32)
    cam[1:3, 5:7] = 1

    ious = ious_by_level(cam, [Box(0, 0, 2, 2), Box(5, 1, 7, 3)])

    assert ious.min() == 1


def test_a_flat_map_boxes_the_first_pixel() -> None:
    ious = ious_by_level(np.full((4, 4), 5, np.float32), [Box(0, 0, 1, 1)])

    assert ious.tolist() == np.full((2, 255), 1 / 4).tolist()


def test_a_map_with_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        ious_by_level(np.full((4, 4), np.nan, np.float32), [Box(0, 0, 1, 1)])


def test_max_box_acc_takes_one_threshold_for_all_images() -> None:
    ious = np.array([[0.5, 0.2], [0.4, 0.6], [0.3, 0.8]])

    assert max_box_acc(ious) == pytest.approx(200 / 3)
    assert max_box_acc(ious, 0.3) == 100
    assert max_box_acc(ious, 0.7) == pytest.approx(100 / 3)
    assert max_box_acc_v2(ious) == pytest.approx(200 / 3)


def test_a_centred_box_takes_its_share_of_each_side() -> None:
    assert centred_box(0.5, (100, 200)) == Box(50, 25, 150, 75)


def test_the_best_centred_box_is_right_for_most_images() -> None:
    truths = [Box(30, 15, 70, 35), Box(30, 15, 70, 35), Box(0, 0, 100, 50)]

    assert best_centred_box(truths, [(50, 100)] * 3) == 0.4
    with pytest.raises(ValueError, match="no boxes"):
        best_centred_box([], [])


def test_presence_is_what_nearly_all_scenes_stay_below() -> None:
    cams = np.zeros((100, 2, 2), np.float32)
    cams[:, 1, 1] = np.arange(100) / 10
    objects = np.full((3, 2, 2), 30, np.float32)
    assert presence_level(cams, objects) == pytest.approx(9.801)
    assert presence_level(cams, objects, 0.5) == pytest.approx(4.95)
    assert presence_level(-np.ones((100, 2, 2), np.float32), objects) == 0


@pytest.mark.parametrize(("scenes", "level"), [(4, 7.5), (99, 7.5), (100, 0.0)])
def test_few_scenes_do_not_settle_it_alone(scenes: int, level: float) -> None:
    objects = np.full((3, 2, 2), 30, np.float32)
    few = "quarter" in presence_source(scenes)
    assert presence_level(-np.ones((scenes, 2, 2), np.float32), objects) == level
    assert few == (level > 0)


def test_an_odd_scene_does_not_hide_every_object() -> None:
    objects = np.array([4, 6, 50], np.float32).reshape(3, 1, 1)
    assert presence_level([np.full((1, 1), 40, np.float32)], objects) == 3
