"""What time it is in a camera's pictures."""

import time
from dataclasses import replace

from lightcam_edge.streaming.messages import CapturedFrame
from lightcam_edge.streaming.sources.grammar import CaptureOptions, SourceSpec
from lightcam_edge.streaming.sources.recorded import FOLDER_FPS
from lightcam_edge.video import frame_rate


class Clock:
    """Tells the time of life, or of a recording that is not played at its own rate.

    Where every frame of a recording is looked at, as fast or as slowly as that
    goes, averages, events and videos follow the recording's time: a frame is
    `1 / fps` seconds after the one before it.

    Args:
        fps: of such a recording; None for the time of life.
    """

    def __init__(self, fps: float | None = None) -> None:
        self._fps = fps
        self._began: tuple[float, int] | None = None
        self._now = time.time()

    @classmethod
    def of(cls, spec: SourceSpec, options: CaptureOptions) -> "Clock":
        """The clock of a source."""
        if not options.every_frame:
            return cls()
        return cls(options.fps or _own_rate(spec))

    def time(self, frame: CapturedFrame) -> CapturedFrame:
        """The frame, with the time that it shows."""
        if self._fps is None:
            return frame
        self._began = self._began or (frame.captured_at, frame.captured_ns)
        seconds = frame.index / self._fps
        self._now = self._began[0] + seconds
        return replace(frame, captured_at=self._now, captured_ns=self._began[1] + round(seconds * 1e9))

    def now(self) -> float:
        """Wall clock, or time of the last frame, in seconds since 1970."""
        return time.time() if self._fps is None else self._now


def _own_rate(spec: SourceSpec) -> float | None:
    """Pictures a second of a recording; None where it does not tell, as on stdin."""
    if spec.kind == "stdin":
        return None
    return FOLDER_FPS if spec.kind == "folder" else frame_rate(spec.address)
