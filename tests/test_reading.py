import threading
import time

import pytest

from lightcam_edge.streaming.sources.reading import CaptureError, Pace, Throttle


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    return clock


def passed(throttle: Throttle, clock: Clock, arrivals: list[float]) -> list[float]:
    start = clock.now
    through = []
    for arrival in arrivals:
        clock.now = start + arrival
        if throttle.passes():
            through.append(arrival)
    return through


def test_no_more_pictures_pass_than_are_wished_for(clock: Clock) -> None:
    thirty_a_second = [n / 30 for n in range(300)]

    assert len(passed(Throttle(20), clock, thirty_a_second)) == pytest.approx(200, abs=2)
    assert len(passed(Throttle(1), clock, thirty_a_second)) == pytest.approx(10, abs=1)


def test_a_camera_at_the_wished_rate_loses_none_though_it_wavers(clock: Clock) -> None:
    wavering = [n / 25 + 0.005 * (n % 2) for n in range(250)]

    assert passed(Throttle(25), clock, wavering) == wavering


def test_a_pause_is_not_caught_up_with(clock: Clock) -> None:
    after_a_pause = [0, 10, 10.1, 10.2, 10.3, 11]

    assert passed(Throttle(1), clock, after_a_pause) == [0, 10, 11]


def test_a_recording_that_is_late_does_not_hurry_for_long() -> None:
    pace = Pace(threading.Event())
    pace.wait(50)
    time.sleep(0.5)

    began = time.monotonic()
    for _ in range(10):
        pace.wait(50)

    assert time.monotonic() - began > 0.14


def test_a_wait_for_the_next_picture_ends_when_interrupted() -> None:
    left = threading.Event()
    pace = Pace(left)
    pace.wait(0.01)
    threading.Timer(0.05, left.set).start()

    pace.wait(0.01)  # would take 100 seconds


def test_an_error_of_a_camera_holds_no_password() -> None:
    assert str(CaptureError("no rtsp://a:geheim@cam/live")) == "no rtsp://***@cam/live"
