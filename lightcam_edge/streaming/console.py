"""What a stream tells the people at its terminal, or the journal of a service."""

import logging
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from lightcam_edge.records import corners
from lightcam_edge.streaming.messages import CameraFigures, CameraStatus, Event, StreamResult
from lightcam_edge.streaming.sources.redaction import redact

CLEAR = "\r\x1b[K"
AFTER = {"lost": "; it is tried again", "frozen": "; it is watched further"}


class Console(logging.Handler):
    """Prints states and warnings on stderr, and on a terminal a line that tells how the stream goes.

    It is a sink, and takes log records: of this program from warnings on.

    Args:
        quiet: print no states, and no line that changes.
    """

    def __init__(self, quiet: bool = False) -> None:
        super().__init__(logging.WARNING)
        self._quiet = quiet
        self._shows_line = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._writing = threading.Lock()
        self._seen: dict[str, str] = {}

    def say(self, text: str) -> None:
        """Print a line; any thread may call."""
        self._write(f"{CLEAR if self._shows_line else ''}{text}\n")

    def draw(self, cameras: Iterable[CameraFigures]) -> None:
        """Draw the line that tells how the stream goes, on a terminal."""
        if self._shows_line:
            parts = [_figures_text(one, self._seen.get(one.status.camera, "")) for one in cameras]
            self._write(CLEAR + "  |  ".join(parts))

    def emit(self, record: logging.LogRecord) -> None:
        """Print a log record."""
        self.say(f"{record.levelname.lower()}: {redact(record.getMessage())}")

    def result(self, result: StreamResult) -> None:
        """Remember what is seen, for the line."""
        if self._shows_line:
            tracks = (f"{track.label} {track.score:.2f}" for track in result.tracks)
            self._seen[result.frame.camera] = ", ".join(tracks) or "nothing"

    def event(self, event: Event) -> None:
        """Nothing: events are told on stdout."""

    def status(self, status: CameraStatus) -> None:
        """Print a camera's new state."""
        if not self._quiet and status.state != "starting":
            reason = f": {status.reason}{AFTER.get(status.state, '')}" if status.reason else ""
            self.say(f"{status.camera}: {status.state}{reason}")

    def close(self) -> None:
        """Take the changing line away."""
        if self._shows_line:
            self._write(CLEAR)
        super().close()

    def _write(self, text: str) -> None:
        with self._writing, suppress(OSError, ValueError, AttributeError):  # a service may have no stderr
            sys.stderr.write(text)
            sys.stderr.flush()


def event_line(event: Event) -> str:
    """A line such as `2026-11-25 02:31:43  door  new  bird 0.93  box 12,30..200,180`."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.time))
    track = event.track
    seen = f"{track.label} {track.score:.2f}  box {corners(track.box)}"
    return f"{stamp}  {event.camera}  {event.kind:<6}  {seen}"


def status_text(cameras: Iterable[CameraFigures]) -> str:
    """How all cameras are, in one line for a service manager."""
    return "; ".join(_figures_text(figures) for figures in cameras)


def _figures_text(figures: CameraFigures, seen: str = "") -> str:
    status = figures.status
    if status.state != "live":
        return f"{status.camera} {status.state}"
    ages = "/".join(f"{figures.age_ms.get(name, 0):.0f}" for name in ("p50", "p95"))
    rates = f"{figures.process_fps:.1f} of {figures.camera_fps:.1f} frames/s"
    return f"{status.camera} {rates}, age {ages} ms{f', {seen}' if seen else ''}"
