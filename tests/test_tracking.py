from collections.abc import Sequence

import numpy as np
import pytest

from lightcam_edge.box import Box
from lightcam_edge.localizer import Detection
from lightcam_edge.streaming.messages import Track
from lightcam_edge.streaming.steadiness import Steadiness
from lightcam_edge.streaming.tracking import Tracker, pair_up

IMAGE_HW = (240, 400)
STEADINESS = Steadiness(appear_seconds=0.2, hold_seconds=0.4, absent_seconds=1.5)


def bird(x: float, y: float = 60, side: float = 80, score: float = 0.9) -> Detection:
    return Detection(Box(x, y, x + side, y + side), 0, "bird", score)


def dog(x: float, y: float = 60, side: float = 80, score: float = 0.9) -> Detection:
    return Detection(Box(x, y, x + side, y + side), 1, "dog", score)


class Watch:
    """Hands detections to a tracker, frame after frame."""

    def __init__(self, steadiness: Steadiness = STEADINESS, most: int = 0, frame_rate: float = 20) -> None:
        self.tracker = Tracker(steadiness, most)
        self.seconds = 1 / frame_rate
        self.now = 1000.0

    def see(self, *detections: Detection, sure: bool = True) -> tuple[Track, ...]:
        self.now += self.seconds
        return self.tracker.follow(detections, [sure] * len(detections), self.seconds, self.now, IMAGE_HW)

    def see_often(self, frames: int, *detections: Detection, sure: bool = True) -> tuple[Track, ...]:
        return [self.see(*detections, sure=sure) for _ in range(frames)][-1]


def ids(tracks: Sequence[Track]) -> list[int]:
    return [track.id for track in tracks]


def test_an_object_keeps_its_id_while_it_moves_and_counts_its_frames() -> None:
    watch = Watch()

    shown = [watch.see(bird(10 + 6 * index)) for index in range(40)]

    assert {id_ for tracks in shown for id_ in ids(tracks)} == {1}
    assert shown[-1][0].frames == 40
    assert shown[-1][0].started_at == 1000.05
    assert shown[-1][0].label == "bird"


def test_what_is_seen_for_less_than_the_time_to_appear_is_never_shown() -> None:
    watch = Watch()

    assert watch.see_often(4, bird(50)) == ()
    assert watch.see_often(20) == ()


@pytest.mark.parametrize("frame_rate", [5, 50])
def test_an_object_appears_after_the_same_time_at_every_frame_rate(frame_rate: float) -> None:
    watch = Watch(frame_rate=frame_rate)
    first = next(index for index in range(100) if watch.see(bird(50)))

    assert first / frame_rate == pytest.approx(0.2, abs=1.01 / frame_rate)


def test_missed_frames_leave_the_object_where_it_was_and_its_id_as_it_is() -> None:
    watch = Watch()
    watch.see_often(20, bird(50))

    missed = watch.see_often(3)
    again = watch.see(bird(52))

    assert ids(missed) == ids(again) == [1]
    assert missed[0].box.x0 == pytest.approx(50)


def test_an_object_hidden_for_longer_is_not_shown_but_comes_back_under_its_id() -> None:
    watch = Watch()
    watch.see_often(20, bird(50))

    assert watch.see_often(12) == ()
    assert ids(watch.see(bird(55))) == [1]


def test_an_object_that_comes_back_after_it_has_gone_is_a_new_one() -> None:
    watch = Watch()
    watch.see_often(20, bird(50))
    watch.see_often(40)

    assert ids(watch.see_often(20, bird(50))) == [2]
    watch.tracker.clear()
    assert ids(watch.see_often(20, bird(50))) == [3]


def test_objects_that_move_side_by_side_are_not_mistaken_for_one_another() -> None:
    watch = Watch()

    for step in range(30):
        order = [bird(20 + 3 * step), dog(150 + 3 * step)]
        tracks = watch.see(*(order if step % 2 else reversed(order)))

    assert {(track.id, track.label) for track in tracks} == {(1, "dog"), (2, "bird")}


def test_the_larger_object_comes_first_and_no_more_are_shown_than_are_wanted() -> None:
    small, large = bird(20, side=60), dog(200, side=100)

    both = Watch().see_often(20, small, large)
    one = Watch(most=1).see_often(20, small, large)

    assert [track.label for track in both] == ["dog", "bird"]
    assert len(one) == 1


def test_one_that_has_just_gone_makes_room_for_the_next() -> None:
    watch = Watch(most=1)
    watch.see_often(20, bird(20))

    tracks = watch.see_often(14, dog(250))

    assert [(track.id, track.label) for track in tracks] == [(2, "dog")]


def test_a_doubtful_sighting_begins_nothing_but_keeps_what_is_there() -> None:
    watch = Watch()

    assert watch.see_often(40, bird(50), sure=False) == ()
    watch.see_often(20, bird(50))
    assert ids(watch.see_often(60, bird(50), sure=False)) == [1]


def test_what_is_sure_in_fewer_frames_than_not_is_never_shown() -> None:
    watch = Watch()

    shown = [watch.see(bird(50), sure=index % 5 < 2) for index in range(100)]

    assert not any(shown)
    assert ids(watch.see_often(6, bird(50))) == [1]


def test_a_second_object_that_comes_beside_the_first_has_an_id_of_its_own() -> None:
    watch = Watch()
    watch.see_often(20, bird(50))

    tracks = watch.see_often(20, bird(50), bird(200))

    assert sorted(ids(tracks)) == [1, 2]


def test_one_that_leaves_and_one_of_its_kind_that_comes_have_different_ids() -> None:
    watch = Watch()
    for step in range(15):
        leaving = watch.see(bird(250 + 8 * step))
    watch.see_often(4)
    for step in range(15):
        coming = watch.see(bird(-40 + 8 * step))

    assert ids(leaving) == [1]
    assert ids(coming) == [2]


def test_a_label_changes_only_when_another_is_seen_for_a_while() -> None:
    watch = Watch()
    watch.see_often(20, bird(50))

    flickered = [watch.see(dog(50) if index % 5 == 0 else bird(50))[0].label for index in range(40)]
    settled = watch.see_often(40, dog(50))[0]

    assert set(flickered) == {"bird"}
    assert (settled.label, settled.class_index, settled.id) == ("dog", 1, 1)


def test_an_object_appears_with_the_label_that_most_of_its_frames_have() -> None:
    watch = Watch()
    shown = [watch.see(dog(50) if index in (0, 2) else bird(50)) for index in range(6)]

    first = next(tracks for tracks in shown if tracks)
    assert [track.label for track in first] == ["bird"]


def test_a_shown_box_ends_at_the_edge_of_the_picture() -> None:
    watch = Watch()
    for step in range(15):
        tracks = watch.see(Detection(Box(250 + 8 * step, 50, min(350 + 8 * step, 400), 150), 0, "bird", 0.9))
    missed = watch.see_often(2)

    assert tracks[0].box.x1 <= 400
    assert missed[0].box.x1 <= 400


def test_boxes_pair_up_with_the_nearest_and_not_across_the_picture() -> None:
    before = [Box(0, 0, 50, 50), Box(60, 0, 110, 50)]
    now = [Box(62, 0, 112, 50), Box(8, 0, 58, 50), Box(300, 0, 350, 50)]

    assert pair_up(before, now) == {0: 1, 1: 0}
    assert pair_up(before, []) == pair_up([], now) == {}
    assert pair_up([Box(0, 0, 0, 0)], [Box(0, 0, 0, 0)]) == {}


def test_a_track_moves_less_than_its_detections_and_is_not_behind(rng: np.random.Generator) -> None:
    watch = Watch(Steadiness(appear_seconds=0, box_seconds=0.2))
    true = 20 + 2.0 * np.arange(100)
    seen = true + rng.normal(0, 3, 100)

    shown = np.array([watch.see(bird(x))[0].box.x0 for x in seen])

    assert np.diff(shown - true)[20:].std() < 0.6 * np.diff(seen - true)[20:].std()
    assert abs((shown - true)[20:].mean()) < 1
