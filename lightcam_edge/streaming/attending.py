"""Attends a running stream from its start to its end: signals, time limits, and the service manager."""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from lightcam_edge.streaming import memory
from lightcam_edge.streaming.console import Console, status_text
from lightcam_edge.streaming.messages import CameraFigures
from lightcam_edge.streaming.pipeline import Pipeline
from lightcam_edge.streaming.ports import Sink
from lightcam_edge.streaming.service import Notifier, Vigil

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOOK_UP_S = 0.1
DRAW_S = 1.0
STATUS_S = 5.0
GIVE_BACK_S = 5.0


class Stop:
    """Set by the first signal that asks for an end; a second one ends the program as signals do."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen for signals, those left out that the caller wants ignored."""
        before = {number: signal.getsignal(number) for number in SIGNALS}
        heeded = [number for number, handler in before.items() if handler != signal.SIG_IGN]
        for number in heeded:
            signal.signal(number, self._ask)
        try:
            yield
        finally:
            for number in heeded:
                signal.signal(number, before[number])

    def _ask(self, number: int, _: FrameType | None) -> None:
        # No lock may be taken here: the interrupted thread may hold it.
        self.asked = True
        signal.signal(number, signal.SIG_DFL)


class Attendance:
    """Looks after a stream.

    Args:
        pipeline: the stream.
        console: shows how it goes.
        notifier: tells the service manager.
        seconds: after which it ends; None goes on.
    """

    def __init__(
        self, pipeline: Pipeline, console: Console, notifier: Notifier, seconds: float | None = None
    ) -> None:
        self._pipeline = pipeline
        self._console = console
        self._notifier = notifier
        self._seconds = seconds
        self._vigil = Vigil()
        self._next = {self._draw: 0.0, self._feed: 0.0, self._tell_status: 0.0, self._give_back: 0.0}

    def attend(self, sinks: Sequence[Sink], stop: Stop) -> bool:
        """Start the stream, and stay until it is over.

        Args:
            sinks: who is told; closed at the end.
            stop: ends it.

        Returns:
            Whether all of it has ended; False where a native library does not return.
        """
        until = float("inf") if self._seconds is None else time.monotonic() + self._seconds
        try:
            self._pipeline.start(sinks)
            self._notifier.send("READY=1")
            while not stop.asked and time.monotonic() < until and not self._pipeline.wait(LOOK_UP_S):
                self._look_after()
        finally:
            self._notifier.send("STOPPING=1")
            ended = self._pipeline.stop()
        return ended

    def _look_after(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        for task, due in self._next.items():
            if now >= due:
                self._next[task] = now + task()

    def _draw(self) -> float:
        self._console.draw(self._figures())
        return DRAW_S

    def _feed(self) -> float:
        """Feed the watchdog while a camera is well, often enough that one late look costs no restart."""
        if self._notifier.watchdog_s is None:
            return float("inf")
        if self._vigil.is_well(self._figures(), time.monotonic()):
            self._notifier.send("WATCHDOG=1")
        return self._notifier.watchdog_s / 4

    def _tell_status(self) -> float:
        self._notifier.send(f"STATUS={status_text(self._figures())}")
        return STATUS_S

    def _give_back(self) -> float:
        memory.give_back()
        return GIVE_BACK_S

    def _figures(self) -> list[CameraFigures]:
        return [self._pipeline.figures(name) for name in self._pipeline.watched]
