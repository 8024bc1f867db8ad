"""Runs a capture and waits for what should come of it."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from lightcam_edge.streaming.messages import CameraStatus, CapturedFrame
from lightcam_edge.streaming.sources.boards import is_jetson
from lightcam_edge.streaming.sources.capture import CaptureThread
from lightcam_edge.streaming.sources.grammar import CaptureOptions, parse_source
from lightcam_edge.streaming.sources.newest import NewestFrames
from lightcam_edge.streaming.sources.patience import Patience

GENEROUS = 180.0  # seconds until a test gives up
IMPATIENT = Patience(stall_timeout=1, open_timeout=5, frozen_after=0, first_retry=0.05, longest_retry=0.3)

by_picamera2 = pytest.mark.skipif(is_jetson(), reason="csi:// is Argus's on a Jetson, not picamera2's")


class RunningCapture:
    """A capture of one source, and all that it told so far.

    Args:
        source: see `parse_source`.
        options: how pictures are wished for.
        patience: how long the source is waited for.
    """

    def __init__(
        self, source: str, options: CaptureOptions | None = None, patience: Patience = IMPATIENT
    ) -> None:
        self.told: list[CameraStatus] = []
        self.frames = NewestFrames(["door"])
        self.thread = CaptureThread(
            "door",
            parse_source(source),
            options or CaptureOptions(),
            self.frames,
            self.told.append,
            patience,
        )

    @property
    def states(self) -> list[str]:
        """Each state that it went through."""
        return [status.state for status in self.told]

    def take(self) -> CapturedFrame:
        """The next frame."""
        frame = self.frames.take(GENEROUS)
        assert frame is not None, self.told
        return frame

    def take_all(self) -> list[CapturedFrame]:
        """Every frame until the source ends."""
        taken = []
        while (frame := self.frames.take(GENEROUS)) is not None:
            taken.append(frame)
        assert self.frames.exhausted, self.told
        return taken

    def wait(self, reached: Callable[[], bool]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + GENEROUS
        while not reached():
            assert time.monotonic() < deadline, (self.told, self.thread.counts())
            time.sleep(0.01)

    def wait_for(self, state: str, after: int = 0) -> CameraStatus:
        """Wait until it has told a state, later than its first `after` ones."""
        self.wait(lambda: state in self.states[after:])
        return self.told[self.states.index(state, after)]

    def reasons(self) -> str:
        """All reasons told so far."""
        return "\n".join(status.reason for status in self.told)


@contextlib.contextmanager
def running(
    source: str, options: CaptureOptions | None = None, patience: Patience = IMPATIENT
) -> Iterator[RunningCapture]:
    """A capture that runs, and is stopped afterwards."""
    capture = RunningCapture(source, options, patience)
    capture.thread.start()
    try:
        yield capture
    finally:
        capture.thread.stop()
