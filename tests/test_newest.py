import threading
import time

import numpy as np

from lightcam_edge.images import Photo
from lightcam_edge.streaming.messages import CapturedFrame
from lightcam_edge.streaming.sources.newest import NewestFrames

PHOTO = Photo(np.zeros((2, 3, 3), np.uint8), (2, 3))


def frame(camera: str, index: int) -> CapturedFrame:
    return CapturedFrame(camera, index, PHOTO, time.time(), time.monotonic_ns())


def taken(frames: NewestFrames, timeout: float | None = 0.0) -> tuple[str, int] | None:
    found = frames.take(timeout)
    return None if found is None else (found.camera, found.index)


def test_a_newer_frame_replaces_one_that_nobody_took() -> None:
    frames = NewestFrames(["door"])
    for index in range(3):
        frames.put(frame("door", index))

    assert taken(frames) == ("door", 2)
    assert taken(frames) is None
    assert frames.skipped("door") == 2


def test_cameras_are_taken_in_turn_however_fast_one_of_them_is() -> None:
    frames = NewestFrames(["fast", "slow", "none"])
    order = []
    for index in range(4):
        frames.put(frame("fast", 2 * index))
        frames.put(frame("slow", index))
        order.append(taken(frames))
        frames.put(frame("fast", 2 * index + 1))
        order.append(taken(frames))

    assert [found[0] for found in order if found] == ["fast", "slow"] * 4


def test_a_turn_that_a_frame_came_too_late_for_is_made_up() -> None:
    frames = NewestFrames(["early", "late"])
    frames.put(frame("early", 0))
    assert taken(frames) == ("early", 0)
    frames.put(frame("early", 1))
    assert taken(frames) == ("early", 1)

    order = []
    for index in range(2, 8):
        frames.put(frame("early", index))
        frames.put(frame("late", index))
        order.append(taken(frames))

    assert [found[0] for found in order if found] == ["late", "late", "early", "late", "early", "late"]


def test_a_camera_that_was_away_for_long_does_not_take_all_turns_when_it_is_back() -> None:
    frames = NewestFrames(["away", "there"])
    for index in range(100):
        frames.put(frame("there", index))
        taken(frames)

    order = []
    for index in range(20):
        frames.put(frame("away", index))
        frames.put(frame("there", 100 + index))
        order.append(taken(frames))

    assert [found[0] for found in order if found].count("there") >= 8


def test_one_that_waits_is_woken_by_any_camera() -> None:
    frames = NewestFrames(["left", "right"])
    found: list[tuple[str, int] | None] = []
    waiter = threading.Thread(target=lambda: found.append(taken(frames, 30)))
    waiter.start()

    frames.put(frame("right", 7))
    waiter.join(30)

    assert found == [("right", 7)]


def test_the_last_frame_stays_to_be_taken_after_the_end() -> None:
    frames = NewestFrames(["a", "b"])
    frames.put(frame("a", 0))
    frames.end("a")
    frames.end("b")

    assert not frames.exhausted
    assert taken(frames, None) == ("a", 0)
    assert taken(frames, None) is None
    assert frames.exhausted


def test_a_waiting_consumer_sees_the_end() -> None:
    frames = NewestFrames(["a"])
    waiter = threading.Thread(target=frames.take)
    waiter.start()

    frames.end("a")
    waiter.join(30)

    assert not waiter.is_alive()


def test_a_frame_can_wait_for_its_turn_instead_of_replacing() -> None:
    frames = NewestFrames(["file"])
    producer = threading.Thread(
        target=lambda: [frames.put_when_taken(frame("file", index), lambda: False) for index in range(20)]
    )
    producer.start()

    order = [taken(frames, 30) for _ in range(20)]
    producer.join(30)

    assert order == [("file", index) for index in range(20)]
    assert frames.skipped("file") == 0


def test_one_that_waits_for_its_turn_can_be_told_to_give_up() -> None:
    frames = NewestFrames(["file"])
    frames.put(frame("file", 0))

    assert not frames.put_when_taken(frame("file", 1), lambda: True)
    assert taken(frames) == ("file", 0)


def test_a_frame_is_due_once_the_one_before_it_has_been_looked_at() -> None:
    frames = NewestFrames(["door"])
    assert frames.due_ns("door") == 0
    frames.put(frame("door", 0))
    frames.take()
    time.sleep(0.05)
    frames.put(frame("door", 1))
    frames.take()
    second_ns = time.monotonic_ns()

    assert second_ns < frames.due_ns("door") < second_ns + 60e9
    assert taken(frames) is None
    assert frames.due_ns("door") == 0


def test_a_frame_is_due_later_where_another_camera_comes_first() -> None:
    frames = NewestFrames(["left", "right"])
    for index in range(2):
        frames.put(frame("left", index))
        assert taken(frames) == ("left", index)
        time.sleep(0.05)

    alone = frames.due_ns("left")
    frames.put(frame("right", 0))

    assert frames.due_ns("left") - alone >= 50e6
    assert frames.due_ns("right") == alone
