import time
from collections.abc import Callable

from streaming_capture import running
from streaming_servers import mjpeg_server

from lightcam_edge.streaming.sources.demand import KEPT, Demand

SECOND = 1_000_000_000


def experienced(due_ns: Callable[[], int], distance_ns: int = 1000, preparation_ns: int = 1000) -> Demand:
    """One that has seen pictures come and be prepared."""
    demand = Demand(due_ns)
    for index in range(KEPT):
        assert demand.wants(index * distance_ns)
        demand.prepared(time.monotonic_ns() - preparation_ns)
    return demand


def in_a_minute() -> int:
    return time.monotonic_ns() + 60 * SECOND


def test_a_picture_is_passed_over_where_a_newer_one_comes_in_time() -> None:
    assert not experienced(in_a_minute).wants(KEPT * 1000)


def test_a_picture_is_wanted_where_the_next_one_would_come_too_late() -> None:
    assert experienced(in_a_minute, distance_ns=90 * SECOND).wants(KEPT * 90 * SECOND)
    assert experienced(in_a_minute, preparation_ns=90 * SECOND).wants(KEPT * 1000)


def test_a_picture_is_wanted_where_somebody_waits_for_it() -> None:
    assert experienced(lambda: 0).wants(KEPT * 1000)


def test_every_picture_is_counted_whether_or_not_it_was_decoded() -> None:
    with mjpeg_server() as server, running(server.url) as capture:
        taken = []
        for _ in range(12):
            taken.append(capture.take())
            time.sleep(0.2)  # what a slow network takes
        indices = [frame.index for frame in taken]
        left_out = indices[-1] + 1 - len(indices)
        skipped = capture.frames.skipped("door")

    assert indices == sorted(set(indices))
    assert left_out > len(indices)
    assert skipped >= left_out
