from pathlib import Path

import numpy as np
import pytest

from lightcam_edge.images import Photo
from lightcam_edge.streaming.clock import Clock
from lightcam_edge.streaming.messages import CapturedFrame
from lightcam_edge.streaming.sources.grammar import CaptureOptions, parse_source

PHOTO = Photo(np.zeros((2, 3, 3), np.uint8), (2, 3))


def timed(clock: Clock) -> list[float]:
    """When two frames were, that arrived half a minute apart, from the first one's arrival."""
    frames = (
        CapturedFrame("door", index, PHOTO, 100.0 + 30 * index, 30_000_000_000 * index) for index in (0, 1)
    )
    told = [clock.time(frame) for frame in frames]
    assert [frame.captured_ns / 1e9 for frame in told] == pytest.approx(
        [frame.captured_at - 100 for frame in told]
    )
    return [frame.captured_at - 100 for frame in told]


def test_a_live_picture_was_when_it_arrived() -> None:
    assert timed(Clock.of(parse_source("0"), CaptureOptions())) == [0, 30]


def test_every_frame_of_a_folder_has_the_time_of_its_rate(tmp_path: Path) -> None:
    folder = parse_source(str(tmp_path))

    assert timed(Clock.of(folder, CaptureOptions(every_frame=True, fps=4))) == [0, 0.25]
    assert timed(Clock.of(folder, CaptureOptions(every_frame=True))) == pytest.approx([0, 0.2])


def test_every_frame_of_stdin_has_the_time_of_its_rate_where_that_is_told() -> None:
    stdin = parse_source("-")

    assert timed(Clock.of(stdin, CaptureOptions(every_frame=True, fps=4))) == [0, 0.25]
    assert timed(Clock.of(stdin, CaptureOptions(every_frame=True))) == [0, 30]
