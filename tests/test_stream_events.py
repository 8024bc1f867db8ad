from collections.abc import Sequence

import numpy as np
import pytest

from lightcam_edge.box import Box
from lightcam_edge.geometry import Fit
from lightcam_edge.images import Photo, decode_image
from lightcam_edge.localizer import Detection, Localization
from lightcam_edge.streaming.events import EventMaker
from lightcam_edge.streaming.messages import CapturedFrame, Event, StreamResult, Track
from lightcam_edge.streaming.steadiness import Steadiness

IMAGE_HW = (60, 100)
STEADINESS = Steadiness(hold_seconds=0.5, absent_seconds=1.5, update_seconds=5, loss_seconds=10)


def track(id_: int = 1, x: float = 10, score: float = 0.8, label: str = "bird") -> Track:
    return Track(id_, int(label == "dog"), label, score, Box(x, 10, x + 30, 40), 999.0, 7)


def result(time: float, *tracks: Track) -> StreamResult:
    photo = Photo(np.full((*IMAGE_HW, 3), 90, np.uint8), IMAGE_HW)
    found = tuple(Detection(one.box, one.class_index, one.label, one.score) for one in tracks)
    scores = np.array([0.1, 0.2, 0.7], np.float32)
    cam = np.zeros((2, 2), np.float32)
    located = Localization(2, "background", 0.7, scores, found, cam, Fit(IMAGE_HW, (32, 32)))
    return StreamResult(CapturedFrame("yard", 0, photo, time, 0), located, tracks, 5.0)


def kinds(events: Sequence[Event]) -> list[str]:
    return [event.kind for event in events]


def test_an_object_that_comes_stays_and_goes_makes_one_new_and_one_end() -> None:
    maker = EventMaker("yard", STEADINESS)

    events = [maker.take(result(1000 + index * 0.1, track())) for index in range(30)]
    events += [maker.take(result(1003 + index * 0.1)) for index in range(30)]

    told = [event for some in events for event in some]
    assert kinds(told) == ["new", "end"]
    assert told[0].id == told[1].id
    assert (told[0].camera, told[0].time, told[0].image_hw) == ("yard", 1000, IMAGE_HW)
    assert told[1].time == pytest.approx(1004, abs=0.21)
    assert told[1].track == track()


def test_one_not_shown_for_a_moment_does_not_end() -> None:
    maker = EventMaker("yard", STEADINESS)
    maker.take(result(1000, track()))

    assert maker.take(result(1000.9)) == []
    assert maker.take(result(1001.0, track())) == []


def test_news_come_at_most_once_in_the_time_between_updates_and_only_of_changes() -> None:
    maker = EventMaker("yard", STEADINESS)
    maker.take(result(1000, track()))

    same = [maker.take(result(1000 + index, track())) for index in range(1, 20)]
    moved = [maker.take(result(1020 + index, track(x=10 + 5 * index))) for index in range(1, 11)]

    assert [event for some in same for event in some] == []
    assert [kinds(some) for some in moved].count(["update"]) == 2


def test_another_label_is_told_at_once_and_the_best_score_is_kept() -> None:
    maker = EventMaker("yard", STEADINESS)
    maker.take(result(1000, track(score=0.9)))

    (event,) = maker.take(result(1000.1, track(score=0.6, label="dog")))

    assert (event.kind, event.track.label, event.best_score) == ("update", "dog", 0.9)


def test_two_objects_have_an_event_each() -> None:
    maker = EventMaker("yard", STEADINESS)

    events = maker.take(result(1000, track(1), track(2, x=60)))

    assert kinds(events) == ["new", "new"]
    assert events[0].id != events[1].id


def test_every_object_ends_when_the_stream_stops_and_only_once() -> None:
    maker = EventMaker("yard", STEADINESS)
    maker.take(result(1000, track(1), track(2, x=60)))

    assert kinds(maker.stop(1001)) == ["end", "end"]
    assert maker.stop(1002) == []


def test_a_lost_camera_ends_its_objects_after_a_while() -> None:
    maker = EventMaker("yard", STEADINESS)
    maker.take(result(1000, track()))

    assert maker.idle(1009) == []
    assert kinds(maker.idle(1011)) == ["end"]
    assert maker.idle(1012) == []


def test_ids_differ_between_runs_and_between_cameras() -> None:
    makers = [EventMaker("yard", STEADINESS), EventMaker("yard", STEADINESS), EventMaker("gate", STEADINESS)]

    assert len({maker.take(result(1000, track()))[0].id for maker in makers}) == 3


def test_an_object_that_comes_back_after_its_end_is_told_of_as_another() -> None:
    maker = EventMaker("yard", STEADINESS)
    (first,) = maker.take(result(1000, track()))
    maker.stop(1001)

    (again,) = maker.take(result(1002, track()))

    assert again.kind == "new"
    assert again.id != first.id


def test_a_snapshot_is_a_jpeg_with_the_box_where_one_is_wanted() -> None:
    (bare,) = EventMaker("yard", STEADINESS).take(result(1000, track()))
    (event,) = EventMaker("yard", STEADINESS, snapshots=True).take(result(1000, track()))

    picture = decode_image(event.snapshot, "snapshot").pixels
    assert bare.snapshot == b""
    assert picture.shape == (*IMAGE_HW, 3)
    assert np.ptp(picture) > 100
