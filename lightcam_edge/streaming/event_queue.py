"""Events that wait for a receiver: in memory while it listens, on the disk while it does not."""

import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lightcam_edge.errors import UsageError
from lightcam_edge.streaming.event_store import EventStore, QueuedEvent
from lightcam_edge.streaming.messages import Event

LOG = logging.getLogger(__name__)
GRACE_S = 0.5  # an event that was handed over by then never touches the disk
DISK_RETRY_S = 60.0
CLOSING_S = 0.5
SEQUENCES_AHEAD = 1000


def default_queue_folder() -> Path:
    """Where a service may keep state: systemd's `$STATE_DIRECTORY`, else the XDG state folder."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "lightcam-edge"


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How events wait while their receiver is away.

    Args:
        folder: where they are written; None keeps them in memory.
        max_events: how many at most; the oldest are dropped first.
        max_bytes: of all bodies together.

    Raises:
        UsageError: if a limit is not positive.
    """

    folder: Path | None = field(default_factory=default_queue_folder)
    max_events: int = 10_000
    max_bytes: int = 50_000_000

    def __post_init__(self) -> None:
        for name in ("max_events", "max_bytes"):
            if getattr(self, name) < 1:
                raise UsageError(f"the queue's {name} is {getattr(self, name)}: give 1 or more")


class EventQueue:
    """A bounded queue of events for one receiver that outlives a killed process.

    `put` never waits for the disk. What the sender has not reported as `done`
    half a second later is written by a thread of the queue's own, however long
    the network hangs. Delivery is at least once: `sequence` tells doubles.

    Args:
        name: of the receiver, for messages: no password in it.
        file: name of the file in the folder, without its ending.
        settings: where and how much.
        encode: makes the body of an event and its sequence.
    """

    def __init__(
        self, name: str, file: str, settings: QueueSettings, encode: Callable[[Event, int], bytes]
    ) -> None:
        self.done_through = 0
        self.dropped = 0
        self._name = name
        self._settings = settings
        self._encode = encode
        self._fresh = _Fresh()
        # Held for moments. Who wants both takes the store's first, which may be held while the disk writes.
        self._fresh_lock = threading.Lock()
        self._store_lock = threading.Lock()
        self._store = self._opened(file)
        self._ceiling = 0 if self._store is None else self._store.ceiling
        # From the file, since a board may wake up in the past; from the clock, since a file may be deleted.
        self._sequence = max(self._ceiling, int(time.time() * 1000))
        self._overflowing = self._disk_failing = False
        self._disk_again_at = 0.0
        self._work = threading.Event()
        self._closing = threading.Event()
        self._saver = threading.Thread(target=self._keep_saving, name=f"queue for {name}", daemon=True)
        self._saver.start()

    def __len__(self) -> int:
        """How many events wait; those on their way count."""
        with self._fresh_lock:
            return len(self._fresh) + self.stored

    @property
    def stored(self) -> int:
        """How many events are on the disk."""
        return self._store.count if self._store else 0

    def put(self, event: Event) -> None:
        """Take an event; any thread may call, and none waits."""
        with self._fresh_lock:
            self._sequence += 1
            body = self._encode(event, self._sequence)
            self._fresh.append(QueuedEvent(self._sequence, event.camera, event.time, body))
            lost = self._fresh.trim(self._settings)
        self._work.set()
        self._drop(lost)

    def oldest(self, after: int, count: int) -> list[QueuedEvent]:
        """The events to send next, the oldest first.

        Args:
            after: sequence of the last one sent; `done_through` begins again with all that are not done.
            count: how many at most.
        """
        with self._fresh_lock:
            newest = self._fresh.newest or (self._store.newest if self._store and self._store.count else 0)
        if newest <= after or count < 1:
            return []
        with self._store_lock:
            found = self._from_store(after, count)
            with self._fresh_lock:
                found += self._fresh.behind(found[-1].sequence if found else after)
        return found[:count]

    def done(self, through: int) -> None:
        """Forget an event that the receiver has, and all before it."""
        with self._fresh_lock:
            self.done_through = max(self.done_through, through)
            self._fresh.remove(through)
        if self._overflowing and not self.oldest(through, 1):
            self._overflowing = False
            LOG.warning("%s has missed %d events that did not fit its queue", self._name, self.dropped)
        self._work.set()

    def close(self) -> None:
        """Write what is left, and let go of the file."""
        self._closing.set()
        self._work.set()
        self._saver.join(CLOSING_S)

    def _drop(self, lost: int) -> None:
        self.dropped += lost
        if lost and not self._overflowing:
            self._overflowing = True
            LOG.warning("%s is away and its queue is full: the oldest events are dropped", self._name)

    def _opened(self, file: str) -> EventStore | None:
        if self._settings.folder is None:
            return None
        path = self._settings.folder / f"{file}.sqlite3"
        try:
            return EventStore(path)
        except (OSError, sqlite3.Error) as error:
            LOG.warning("events for %s are kept in memory only: %s: %s", self._name, path, _why(error))
            return None

    def _from_store(self, after: int, count: int) -> list[QueuedEvent]:
        if not self._store or not self._store.count:
            return []
        try:
            return self._store.oldest(max(after, self.done_through), count)
        except sqlite3.Error as error:
            self._disk_failed(error)
            return []

    def _keep_saving(self) -> None:
        while not self._closing.is_set():
            self._work.wait()
            self._closing.wait(GRACE_S)
            self._work.clear()
            with self._store_lock:
                if self._store is not None:
                    self._tidy(self._store)
        with self._store_lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    def _tidy(self, store: EventStore) -> None:
        if time.monotonic() < self._disk_again_at and not self._closing.is_set():
            return
        try:
            store.remove(self.done_through)
            self._save(store)
            self._reserve(store)
            self._trim(store)
            self._disk_failing = False
        except (OSError, sqlite3.Error) as error:
            self._disk_failed(error)

    def _save(self, store: EventStore) -> None:
        until = time.monotonic() - (0 if self._closing.is_set() else GRACE_S)
        with self._fresh_lock:
            late = self._fresh.arrived_until(until)
            if len(late) < len(self._fresh):
                self._work.set()
        if late:
            store.append(late)
            with self._fresh_lock:
                self._fresh.remove(late[-1].sequence)

    def _reserve(self, store: EventStore) -> None:
        if self._sequence > self._ceiling - SEQUENCES_AHEAD // 2:
            store.ceiling = self._ceiling = self._sequence + SEQUENCES_AHEAD

    def _trim(self, store: EventStore) -> None:
        events, size = store.count - self._settings.max_events, store.bytes - self._settings.max_bytes
        if events > 0 or size > 0:
            self._drop(store.remove(store.surplus(events, size)))

    def _disk_failed(self, error: Exception) -> None:
        self._disk_again_at = time.monotonic() + DISK_RETRY_S
        if not self._disk_failing:
            self._disk_failing = True
            LOG.warning("events for %s are kept in memory only: %s", self._name, _why(error))


class _Fresh:
    """Events in memory; the owner locks it."""

    def __init__(self) -> None:
        self._events: deque[tuple[float, QueuedEvent]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def newest(self) -> int:
        return self._events[-1][1].sequence if self._events else 0

    def append(self, event: QueuedEvent) -> None:
        self._events.append((time.monotonic(), event))
        self._bytes += len(event.body)

    def behind(self, sequence: int) -> list[QueuedEvent]:
        return [event for _, event in self._events if event.sequence > sequence]

    def arrived_until(self, moment: float) -> list[QueuedEvent]:
        return [event for arrived, event in self._events if arrived <= moment]

    def remove(self, through: int) -> None:
        while self._events and self._events[0][1].sequence <= through:
            self._pop()

    def trim(self, limits: QueueSettings) -> int:
        lost = 0
        while len(self._events) > limits.max_events or self._bytes > limits.max_bytes:
            self._pop()
            lost += 1
        return lost

    def _pop(self) -> None:
        self._bytes -= len(self._events.popleft()[1].body)


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "another process uses it" if "locked" in str(error) else str(error)
