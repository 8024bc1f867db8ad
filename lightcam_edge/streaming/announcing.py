"""Hands results, events and states to the sinks, in one thread and in order."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from lightcam_edge.streaming.messages import CameraStatus, Event, StreamResult
from lightcam_edge.streaming.ports import Sink
from lightcam_edge.streaming.watched import WatchedCamera

WAITING = 8  # results, at most: each holds a picture
LOOK_UP_S = 0.1  # how often one that waits for room looks whether it still should
IDLE_S = 0.5  # how often cameras without pictures are asked for events


class Announcer:
    """Makes events of results, and tells every sink of everything.

    Args:
        cameras: by name; their events are made here.
        on_failure: called in the thread with an error that no sink should have raised.
    """

    def __init__(
        self, cameras: Mapping[str, WatchedCamera], on_failure: Callable[[BaseException], None]
    ) -> None:
        self._cameras = cameras
        self._sinks: tuple[Sink, ...] = ()
        self._on_failure = on_failure
        self._waiting: queue.SimpleQueue[StreamResult | CameraStatus | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(WAITING)
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
        self._idle_again_at = 0.0
        self.dropped = 0

    def start(self, sinks: Iterable[Sink]) -> None:
        """Tell these sinks from now on; they are closed by `close`."""
        self._sinks = tuple(sinks)
        self._thread.start()

    def result(self, result: StreamResult) -> None:
        """Announce a result, unless too many wait already; it never waits."""
        if self._room.acquire(blocking=False):
            self._waiting.put(result)
        else:
            self.dropped += 1

    def result_for_sure(self, result: StreamResult, give_up: Callable[[], bool]) -> None:
        """Announce a result once there is room.

        Args:
            result: of a frame.
            give_up: asked now and then; true ends the wait.
        """
        while not self._room.acquire(timeout=LOOK_UP_S):
            if give_up():
                return
        self._waiting.put(result)

    def status(self, status: CameraStatus) -> None:
        """Announce a camera's new state; any thread may call."""
        self._waiting.put(status)

    def close(self, timeout_s: float) -> bool:
        """Announce what waits and that every object has gone, then close the sinks, side by side.

        Returns:
            Whether all that was done within the time-out.
        """
        deadline = time.monotonic() + timeout_s
        self._waiting.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s / 2)
        closings = [threading.Thread(target=self._close, args=(sink,), daemon=True) for sink in self._sinks]
        for closing in closings:
            closing.start()
        for closing in closings:
            closing.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in (self._thread, *closings))

    def _close(self, sink: Sink) -> None:
        try:
            sink.close()
        except BaseException as error:
            self._on_failure(error)

    def _run(self) -> None:
        try:
            while self._take_next():
                pass
            for camera in self._cameras.values():
                self._events(camera.events.stop(camera.clock.now()))
        except BaseException as error:
            self._on_failure(error)

    def _take_next(self) -> bool:
        """Tell of one thing; False at the end."""
        try:
            item = self._waiting.get(timeout=IDLE_S)
        except queue.Empty:
            self._idle()
            return True
        if item is None:
            return False
        if isinstance(item, StreamResult):
            self._room.release()
            self._result(item)
        else:
            for sink in self._sinks:
                sink.status(item)
        self._idle()
        return True

    def _result(self, result: StreamResult) -> None:
        for sink in self._sinks:
            sink.result(result)
        self._events(self._cameras[result.frame.camera].events.take(result))

    def _idle(self) -> None:
        """Let objects of cameras go that have given no pictures for long, now and then."""
        now = time.monotonic()
        if now < self._idle_again_at:
            return
        self._idle_again_at = now + IDLE_S
        for camera in self._cameras.values():
            self._events(camera.events.idle(camera.clock.now()))

    def _events(self, events: Iterable[Event]) -> None:
        for event in events:
            for sink in self._sinks:
                sink.event(event)
