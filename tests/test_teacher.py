from pathlib import Path

import cv2
import numpy as np
import pytest

from lightcam_edge.box import BoxRule
from lightcam_edge.errors import InputError, UsageError
from lightcam_models.progress import Progress
from lightcam_models.teacher import (
    Lesson,
    agreement,
    calibrate,
    fit_linear_classifier,
    read_lesson,
    refine,
    teach,
    teach_from_imagenet,
)

QUIET = Progress(quiet=True)


def blob(side: int, x: float, y: float, radius: float) -> np.ndarray:
    """A map with a round peak, coordinates and radius as shares of the side."""
    ys, xs = np.mgrid[:side, :side] / side
    return np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * radius**2)).astype(np.float32)


def test_a_linear_classifier_separates_what_a_line_separates(rng: np.random.Generator) -> None:
    features = rng.standard_normal((200, 5)).astype(np.float32)
    targets = (features[:, 0] + features[:, 1] > 0).astype(np.int64)
    kernel, bias = fit_linear_classifier(features, targets, 2)
    assert kernel.shape == (5, 2)
    assert np.mean((features @ kernel + bias).argmax(axis=1) == targets) > 0.98


def test_grabcut_carries_a_blurred_map_to_the_edges_of_the_object(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 60, (256, 256, 3), dtype=np.uint8)
    cv2.circle(pixels, (150, 100), 50, (220, 180, 40), -1)
    truth = np.zeros((256, 256), np.uint8)
    cv2.circle(truth, (150, 100), 50, 1, -1)
    cam = blob(20, 150 / 256, 100 / 256, 0.12)

    mask = refine(pixels, cam)

    found, wanted = mask > 127, cv2.resize(truth, (128, 128), interpolation=cv2.INTER_AREA) > 0
    assert mask.shape == (128, 128)
    assert (found & wanted).sum() / (found | wanted).sum() > 0.85


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_map_without_a_peak_marks_nothing(value: float) -> None:
    mask = refine(np.zeros((256, 256, 3), np.uint8), np.full((14, 14), value, np.float32))
    assert not mask.any()


@pytest.mark.parametrize("cut", [0.6, 0.43])
def test_calibration_finds_the_threshold_that_made_the_masks(cut: float) -> None:
    cams = np.stack([blob(14, 0.4, 0.5, 0.2), blob(14, 0.6, 0.5, 0.15)])
    masks = np.stack([(cv2.resize(cam, (128, 128)) > cut * cam.max()).astype(np.uint8) * 255 for cam in cams])
    rule, agreement = calibrate(cams, masks, (224, 224))
    assert rule.component == "largest"
    assert rule.threshold == pytest.approx(cut, abs=0.011)
    assert agreement > 0.9


def test_the_imagenet_network_marks_the_object_and_leaves_scenes_empty() -> None:
    sample = np.full((4, 256, 256, 3), 127, np.uint8)
    cv2.circle(sample[0], (80, 80), 40, (250, 120, 0), -1)
    cv2.circle(sample[1], (170, 170), 40, (250, 120, 0), -1)
    told: list[str] = []

    lesson = teach_from_imagenet(sample, np.array([0, 0, 1, 1]), 1, lambda step, *_: told.append(step))

    assert lesson.masks.shape == (4, 128, 128)
    assert lesson.masks[:2].reshape(2, -1).max(axis=1).min() > 100
    assert not lesson.masks[2:].any()
    np.testing.assert_allclose(lesson.scores.sum(axis=1), 1, atol=1e-5)
    assert set(told) == {"reading", "marking 1/3", "marking 2/3", "marking 3/3", "carrying masks to edges"}


def test_a_lesson_is_found_again_by_the_names_of_its_photographs(tmp_path: Path) -> None:
    masks = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    scores = np.eye(3, dtype=np.float32)
    certainty = np.float32([0.5, 1, 0.25])
    Lesson(masks, scores, certainty).save(tmp_path / "lesson.npz", ["a", "b", "c"])

    lesson = read_lesson(tmp_path / "lesson.npz", ["c", "a"])

    assert lesson.masks[:, 0, 0].tolist() == [2, 0]
    assert lesson.scores.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert lesson.certainty.tolist() == [0.25, 0.5]
    with pytest.raises(UsageError, match="made for other photographs"):
        read_lesson(tmp_path / "lesson.npz", ["d"])
    (tmp_path / "lesson.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match="cannot read the lesson"):
        read_lesson(tmp_path / "lesson.npz", ["a"])


def test_opinions_agree_as_far_as_their_boxes_overlap() -> None:
    left, right = np.zeros((2, 1, 4), np.float32)
    left[0, :2], right[0, 1:3] = 1, 1
    maps = [np.stack([left, left]), np.stack([left, right]), np.stack([left, np.zeros((1, 4), np.float32)])]

    assert agreement(maps[:2], BoxRule(0.5)).tolist() == pytest.approx([1, 1 / 3])
    assert agreement(maps, BoxRule(0.5)).tolist() == pytest.approx([1, 1 / 9])


def test_teachers_vote_and_their_doubts_are_kept(tmp_path: Path) -> None:
    masks = np.zeros((2, 3, 128, 128), np.uint8)
    masks[0, :2, :64, :64] = 200
    masks[1, 0, :64, :64] = 100
    masks[1, 1, 64:, 64:] = 100
    scores = np.eye(3, dtype=np.float32)[[0, 1, 2]]
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path, mask in zip(paths, masks, strict=True):
        Lesson(mask, scores, np.ones(3, np.float32)).save(path, ["a", "b", "c"])

    targets, names = np.array([0, 1, 2]), ["a", "b", "c"]
    lesson = teach(np.zeros((3, 8, 8, 3), np.uint8), targets, names, "xyz", 2, [*map(str, paths)], QUIET)

    assert lesson.masks[0, 0, 0] == 141  # the root of 200 x 100
    assert lesson.masks[1].max() < 15
    assert lesson.certainty.tolist() == [1, 0, 1]


def test_a_model_file_teaches_by_its_own_rule(tiny_model: Path) -> None:
    pixels = np.full((2, 64, 64, 3), 128, np.uint8)
    pixels[0, 16:32, 8:24] = (255, 0, 0)
    labels = ("red", "blue", "background")

    lesson = teach(pixels, np.array([0, 2]), ["a", "b"], labels, 2, [str(tiny_model)], QUIET)

    inside = lesson.masks[0, 40:56, 24:40]
    assert inside.min() > 200
    assert np.median(lesson.masks[0]) < 60
    assert not lesson.masks[1].any()
    assert lesson.scores.argmax(axis=1).tolist()[1] == 2
    with pytest.raises(UsageError, match="knows red, blue, background, not cat, dog"):
        teach(pixels, np.array([0, 1]), ["a", "b"], ("cat", "dog"), None, [str(tiny_model)], QUIET)
