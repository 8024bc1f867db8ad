import json
import math
from dataclasses import replace
from pathlib import Path

import painted
import pytest

from lightcam_edge.box import Box
from lightcam_edge.errors import InputError
from lightcam_edge.images import Photo, photo_from_array, read_image
from lightcam_edge.localizer import Detection, Localizer, Options
from lightcam_models.evaluation.counting import Finding, count, hold_detection_trial, matched
from lightcam_models.evaluation.detecting import Picture, PictureSet, Sighting, detect
from lightcam_models.evaluation.detection_metrics import TrueObject
from lightcam_models.evaluation.detection_tables import (
    detection_summary,
    detection_table,
    detection_values,
)
from lightcam_models.progress import Progress

QUIET = Progress(quiet=True)
A, B, C = Box(0, 0, 10, 10), Box(20, 0, 30, 10), Box(40, 0, 50, 10)
SMALL, LARGE = "small", "large"


def sighting(truths: list[TrueObject], *found: tuple[str, Box, float]) -> Sighting:
    def never(_: Localizer) -> Photo:
        raise AssertionError("counting draws nothing")

    detections = tuple(
        Detection(box, painted.LABELS.index(label), label, score) for label, box, score in found
    )
    return Sighting(Picture("made", tuple(truths), never), (10, 50), detections)


def counted(*seen: Sighting) -> Finding:
    return count(matched(seen, "iou-0.5"), painted.LABELS)


def test_hits_misses_and_wrong_boxes_are_counted_over_all_pictures() -> None:
    finding = counted(
        sighting(
            [TrueObject("red", A, SMALL), TrueObject("blue", B, LARGE)], ("red", A, 0.9), ("red", B, 0.8)
        ),
        sighting(
            [TrueObject("red", A, SMALL), TrueObject("red", B, LARGE), TrueObject("blue", C, LARGE)],
            ("red", A, 0.7),
            ("red", A, 0.6),
            ("blue", C, 0.5),
        ),
    )

    overall = finding.overall
    assert (overall.objects, overall.precision.percent, overall.recall.percent) == (5, 60, 60)
    assert overall.f1.percent == 60
    assert {label: one.objects for label, one in finding.by_class.items()} == {"red": 3, "blue": 2}
    # red: right, wrong, right, wrong of 3; blue: one right of 2
    assert finding.by_class["red"].average_precision == pytest.approx(100 * (1 + 2 / 3) / 3)
    assert finding.by_class["blue"].average_precision == 50
    assert overall.average_precision == pytest.approx((100 * (1 + 2 / 3) / 3 + 50) / 2)
    assert {name: one.percent for name, one in finding.recall_by_size.items()} == {
        SMALL: 100,
        LARGE: pytest.approx(100 / 3),
    }
    assert {name: one.percent for name, one in finding.recall_by_count.items()} == {
        "2 objects": 50,
        "3 objects": pytest.approx(200 / 3),
    }


def test_a_perfect_ordering_has_a_mean_average_precision_of_100() -> None:
    finding = counted(
        sighting([TrueObject("red", A), TrueObject("blue", B)], ("red", A, 0.9), ("blue", B, 0.6)),
        sighting([TrueObject("red", C)], ("red", C, 0.8), ("red", A, 0.3)),
    )

    assert finding.overall.average_precision == 100
    assert finding.overall.recall.percent == 100
    assert finding.overall.precision.percent == 75


def test_where_nothing_is_found_recall_is_nothing_and_precision_unknown() -> None:
    finding = counted(sighting([TrueObject("red", A), TrueObject("red", B)]))

    assert math.isnan(finding.overall.precision.percent)
    assert (finding.overall.recall.percent, finding.overall.f1.percent) == (0, 0)
    assert finding.overall.average_precision == 0


def test_a_class_that_is_nowhere_counts_only_by_its_wrong_boxes() -> None:
    finding = counted(
        sighting([TrueObject("red", A), TrueObject("red", B)], ("red", A, 0.9), ("blue", B, 0.8))
    )

    assert math.isnan(finding.by_class["blue"].average_precision)
    assert finding.by_class["blue"].precision.percent == 0
    assert finding.overall.average_precision == 50
    assert finding.overall.precision.percent == 50


def painted_picture(*boxes: Box) -> Picture:
    pixels = painted.paint((96, 144), *(("red", box) for box in boxes))
    truths = tuple(TrueObject("red", box, "38-50% of the side") for box in boxes)
    return Picture("painted", truths, lambda _: photo_from_array(pixels, "rgb"))


@pytest.fixture
def pictures(tmp_path: Path) -> PictureSet:
    """Three pictures whose objects end where cells of the tiny model's map do, and one that is gone."""
    left, right, below = Box(12, 12, 60, 48), Box(84, 12, 132, 48), Box(12, 60, 132, 96)
    gone = Picture("gone", (), lambda _: read_image(tmp_path / "gone.png"))
    made = (painted_picture(left, right), painted_picture(left, below), painted_picture(left, right, below))
    return PictureSet("painted pictures", "0" * 64, (*made, gone))


def test_a_model_that_sees_everything_finds_every_object(tiny_model: Path, pictures: PictureSet) -> None:
    trial = hold_detection_trial(["tiny"], [Localizer(tiny_model)], pictures, 0, QUIET)

    (model,) = trial.models
    assert (trial.pictures.images, trial.pictures.objects) == (3, {"red": 7})
    assert "gone.png" in trial.pictures.skipped[0]
    assert model.boxes_per_image == pytest.approx(7 / 3)
    assert model.images_by_boxes == {2: 2, 3: 1}
    for finding in model.findings.values():
        assert finding.overall.f1.percent == 100
        assert finding.overall.average_precision == 100
        assert {name: one.percent for name, one in finding.recall_by_count.items()} == {
            "2 objects": 100,
            "3 objects": 100,
        }


def test_scenes_that_cannot_be_read_at_all_are_said(tiny_model: Path, pictures: PictureSet) -> None:
    gone = replace(pictures, pictures=pictures.pictures[-1:])

    with pytest.raises(InputError, match=r"no scene can be read, the first: .*gone.png"):
        hold_detection_trial(["tiny"], [Localizer(tiny_model)], gone, 0, QUIET)


def test_every_box_counts_and_the_options_stay_as_they_were(tiny_model: Path, pictures: PictureSet) -> None:
    options = Options(max_boxes=1, threshold=0.3)
    localizer = Localizer(tiny_model, options=options)

    seen = detect(localizer, pictures.pictures, QUIET, "step").seen

    assert [len(one.detections) for one in seen] == [2, 2, 3]
    assert localizer.options == options


def test_one_box_around_everything_is_one_detection(tiny_model: Path, pictures: PictureSet) -> None:
    localizer = Localizer(tiny_model, options=Options(component="all"))

    (model,) = hold_detection_trial(["tiny"], [localizer], pictures, 0, QUIET).models

    assert (model.component, model.images_by_boxes) == ("all", {1: 3})
    assert model.findings["iou-0.5"].overall.recall.percent < 50


def test_results_are_told_as_a_table_as_values_and_for_the_card(
    tiny_model: Path, pictures: PictureSet
) -> None:
    trial = hold_detection_trial(["tiny"], [Localizer(tiny_model)], pictures, 0, QUIET)

    table = detection_table(trial)
    values = json.loads(json.dumps(detection_values(trial), allow_nan=False))
    summary = detection_summary(trial, 0)

    for expected in ("tiny br-avgcam, iou-0.5", "centre-in-box", "  red", "  3 objects", "7 objects (7 red)"):
        assert expected in table
    assert "2.33 boxes an image (2 in 2, 3 in 1 images)" in table
    assert values["models"][0]["findings"]["iou-0.5"]["overall"]["f1"]["percent"] == 100
    assert len(values["models"][0]["findings"]["iou-0.5"]["by_class"]["red"]["curve"]) == 101
    assert summary["digest"] == "0" * 64
    assert summary["centre-in-box"]["f1"] == [100, 100, 100]
    assert summary["centre-in-box"]["average_precision"] == {"red": 100}
    assert len(json.dumps(summary)) < 1500
