"""Steadied streams of the bundled model over sample photographs, and over films with known motion."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightcam_edge.images import Photo, photo_from_array, read_image
from lightcam_edge.localizer import Localization, Localizer, Options
from lightcam_edge.streaming.messages import CapturedFrame, Track
from lightcam_edge.streaming.steady import Steadier, Steadiness

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "lightcam_edge" / "samples"


@pytest.fixture(scope="module")
def localizer() -> Localizer:
    return Localizer("lite", threads=1)


@pytest.fixture(scope="module")
def bird() -> Photo:
    return read_image(SAMPLES / "bird.jpg")


@pytest.fixture(scope="module")
def dog() -> Photo:
    return read_image(SAMPLES / "dog.jpg")


@pytest.fixture(scope="module")
def grass() -> Photo:
    """Of the birds' size, with nothing on it."""
    return photo_from_array(np.ascontiguousarray(np.full((512, 512, 3), (90, 130, 60), np.uint8)), "rgb")


class Player:
    """Plays photographs at 10 frames a second."""

    def __init__(self, localizer: Localizer, steadiness: Steadiness | None = None) -> None:
        self.localizer = localizer
        self.steadier = Steadier(localizer, steadiness)
        self.seconds = 0.0

    def play(
        self, photo: Photo, frames: int = 1, after: float = 0.1
    ) -> tuple[Localization, tuple[Track, ...]]:
        for _ in range(frames):
            self.seconds += after
            after = 0.1
            frame = CapturedFrame("yard", 0, photo, 1000 + self.seconds, round(self.seconds * 1e9))
            found = self.steadier.take(frame, *self.localizer.infer(photo))
        return found


def test_what_is_told_of_a_frame_is_what_its_tracks_say(localizer: Localizer, bird: Photo) -> None:
    found, tracks = Player(localizer).play(bird, 10)

    (track,) = tracks
    (detection,) = found.detections
    assert (detection.box, detection.label, detection.score) == (track.box, "bird", track.score)
    assert (found.label, found.class_index, found.score) == ("bird", track.class_index, track.score)
    assert track.id == 1
    assert track.box.iou(localizer.localize(bird).detections[0].box) > 0.95


def test_every_stage_has_its_time(localizer: Localizer, bird: Photo) -> None:
    found, _ = Player(localizer).play(bird)

    assert list(found.latency_ms) == ["steady", "cam", "box", "track", "total"]
    assert found.latency_ms["total"] == pytest.approx(sum(list(found.latency_ms.values())[:-1]))


def test_an_object_that_is_not_sure_yet_is_told_of_as_background(localizer: Localizer, bird: Photo) -> None:
    found, tracks = Player(localizer).play(bird)

    assert tracks == found.detections == ()
    assert found.label == "background"
    assert found.score == pytest.approx(found.scores[2])


def test_a_class_that_was_asked_for_stays_the_class(bird: Photo) -> None:
    localizer = Localizer("lite", threads=1, options=Options(label="bird"))
    player = Player(localizer)

    assert player.play(bird)[0].label == "bird"
    assert player.play(bird, 10)[0].label == "bird"


def test_an_empty_picture_has_no_track(localizer: Localizer, grass: Photo) -> None:
    found, tracks = Player(localizer).play(grass, 10)

    assert tracks == found.detections == ()
    assert found.label == "background"


def test_another_object_after_a_cut_has_another_label_or_id(
    localizer: Localizer, bird: Photo, dog: Photo, grass: Photo
) -> None:
    player = Player(localizer)
    player.play(bird, 10)
    player.play(grass, 30)

    _, (track,) = player.play(dog, 10)

    assert (track.id, track.label) == (2, "dog")


def test_a_pause_is_no_absence_but_a_long_loss_is(localizer: Localizer, bird: Photo) -> None:
    player = Player(localizer)
    player.play(bird, 10)

    _, (paused,) = player.play(bird, 1, after=5.0)
    _, lost = player.play(bird, 1, after=30.0)
    _, (again,) = player.play(bird, 10)

    assert paused.id == 1
    assert lost == ()
    assert again.id == 2


def test_a_camera_with_a_picture_every_two_seconds_shows_its_objects(
    localizer: Localizer, bird: Photo, grass: Photo
) -> None:
    player = Player(localizer)

    shown = [[track.id for track in player.play(bird, after=2.0)[1]] for _ in range(5)]
    left = [player.play(grass, after=2.0)[1] for _ in range(2)]

    assert shown == [[], [1], [1], [1], [1]]
    assert left == [(), ()]


def test_another_resolution_starts_anew(localizer: Localizer, bird: Photo) -> None:
    player = Player(localizer)
    player.play(bird, 10)
    half = photo_from_array(np.ascontiguousarray(bird.pixels[::2, ::2]), "rgb")

    found, tracks = player.play(half)
    _, (again,) = player.play(half, 10)

    assert tracks == ()
    assert found.fit.image_hw == (256, 256)
    assert again.id == 2
    assert again.box.x1 <= 256


def test_options_may_change_while_it_runs(bird: Photo) -> None:
    localizer = Localizer("lite", threads=1)
    player = Player(localizer)
    _, (before,) = player.play(bird, 10)

    localizer.set_options(Options(threshold=0.7))
    _, (after,) = player.play(bird, 20)

    assert after.id == before.id
    assert after.box.area < 0.9 * before.box.area


def test_values_out_of_range_are_refused() -> None:
    for values in (
        {"average_seconds": -1.0},
        {"update_seconds": float("nan")},
        {"change": 0.0},
        {"gap_seconds": 0.0},
        {"label_margin": 1.0},
        {"hold_seconds": 2.0, "absent_seconds": 1.0},
    ):
        with pytest.raises(ValueError, match=next(iter(values))):
            Steadiness(**values)


@pytest.fixture(scope="module")
def measuring() -> Any:
    """The script that measures steadiness."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("stream_steadiness")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
        sys.modules.pop("stream_scenes", None)


def test_a_film_is_steadier_than_its_frames_and_at_most_a_frame_late(
    localizer: Localizer, measuring: Any
) -> None:
    film = replace(measuring.one_animal(8), seconds=8.0)
    seen = measuring.watch(film, localizer)

    single = measuring.judge(seen, *measuring.single(seen, localizer))
    steadied = measuring.judge(seen, *measuring.steadied(seen, localizer))

    assert steadied.jitter[0] < 0.5 * single.jitter[0]
    assert steadied.jitter[1] < 0.75 * single.jitter[1]
    assert steadied.lag <= 1
    assert steadied.iou > single.iou - 0.02
    assert steadied.changes < 0.2 * single.changes
    assert steadied.ids == 1
