"""A sink's slow work, in a thread of its own."""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

from lightcam_edge.errors import LightcamError

T = TypeVar("T")
LOG = logging.getLogger(__name__)
CLOSING_S = 0.8
LOOK_UP_S = 0.1  # how often a patient one looks whether it is closed


class Worker(Generic[T]):
    """Works on what it is given, in order; what it cannot keep up with is dropped and counted.

    Work that fails costs that item only: a full disk may have room again
    later. It is told once, and once more when it works again.

    Args:
        name: of the thread, and in messages.
        work: done for each item, in the thread.
        limit: how many items wait at most.
        finish: done last, in the thread.
        patient: have who gives wait for room, instead of dropping anything.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[T], None],
        limit: int,
        finish: Callable[[], None] | None = None,
        patient: bool = False,
    ) -> None:
        self.name = name
        self.dropped = 0
        self.failed = 0
        self._work = work
        self._finish = finish
        self._patient = patient
        self._failing = False
        self._waiting: queue.Queue[T | None] = queue.Queue(limit)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def give(self, item: T) -> bool:
        """Hand over an item; False where too many wait already, or it is closed."""
        while not self._closing.is_set():
            with suppress(queue.Full):
                self._waiting.put(item, block=self._patient, timeout=LOOK_UP_S)
                return True
            if not self._patient:
                self.dropped += 1
                return False
        return False

    def close(self, timeout_s: float = CLOSING_S) -> bool:
        """Finish what waits; False where that takes longer than the time-out."""
        self._closing.set()
        with suppress(queue.Full):  # then the thread is awake
            self._waiting.put_nowait(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._next()) is not None:
            self._try(partial(self._work, item))
        if self._finish is not None:
            self._try(self._finish)

    def _next(self) -> T | None:
        """The next item; None once it is closed and nothing waits."""
        if not self._closing.is_set():
            return self._waiting.get()
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            return None

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (OSError, LightcamError) as error:
            self.failed += 1
            if not self._failing:
                LOG.warning("%s: %s", self.name, error)
            self._failing = True
        else:
            if self._failing:
                LOG.warning("%s: works again; %d were lost so far", self.name, self.failed)
            self._failing = False
