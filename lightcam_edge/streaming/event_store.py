"""Events on the disk, in the order in which they came."""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

VERSION = 1
LET_GO_S = 2.0  # for a process that is about to end
TABLES = """
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY, camera TEXT NOT NULL, time REAL NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS ceiling (sequence INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    """An event as it will be sent.

    Args:
        sequence: grows from event to event, over restarts too.
        camera: name of the camera.
        time: wall clock of the event, in seconds since 1970.
        body: what the receiver gets.
    """

    sequence: int
    camera: str
    time: float
    body: bytes


class EventStore:
    """A SQLite file of events that one process holds at a time.

    Its write-ahead log outlives a process that is killed. After a loss of
    power the last seconds may be missing, but the file is sound: waiting for
    the disk at every event would wear out an SD card.

    Args:
        path: the file; made if missing, readable by this user only.

    Raises:
        OSError: if it cannot be made.
        sqlite3.Error: if it cannot be used, or another process holds it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        try:
            self._database = _open(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            path.replace(path.with_suffix(".damaged"))
            self._database = _open(path)
        with self._locked():
            sizes = "SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0), COALESCE(MAX(sequence), 0) FROM events"
            self.count, self.bytes, self.newest = map(int, self._database.execute(sizes).fetchone())

    @property
    def ceiling(self) -> int:
        """No event before the last start had a sequence above this, on the disk or not."""
        (sequence,) = self._database.execute("SELECT MAX(sequence) FROM ceiling").fetchone()
        return max(int(sequence or 0), self.newest)

    @ceiling.setter
    def ceiling(self, sequence: int) -> None:
        with self._locked():
            self._database.execute("DELETE FROM ceiling")
            self._database.execute("INSERT INTO ceiling VALUES (?)", (sequence,))

    def append(self, events: Iterable[QueuedEvent]) -> None:
        """Write events, all or none; sequences must grow."""
        rows = [(event.sequence, event.camera, event.time, event.body) for event in events]
        with self._locked():
            self._database.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", rows)
        self.count += len(rows)
        self.bytes += sum(len(row[-1]) for row in rows)
        self.newest = rows[-1][0] if rows else self.newest

    def oldest(self, after: int, count: int) -> list[QueuedEvent]:
        """The first events behind a sequence.

        Args:
            after: sequence that they must exceed.
            count: how many at most.
        """
        select = "SELECT * FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?"
        return [QueuedEvent(*row) for row in self._database.execute(select, (after, count))]

    def remove(self, through: int) -> int:
        """Delete the events up to a sequence; returns how many there were."""
        if not self.count:
            return 0
        sizes = "SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM events WHERE sequence <= ?"
        count, size = self._database.execute(sizes, (through,)).fetchone()
        if count:
            with self._locked():
                self._database.execute("DELETE FROM events WHERE sequence <= ?", (through,))
            self.count -= count
            self.bytes -= size
        return int(count)

    def surplus(self, count: int, size: int) -> int:
        """Sequence of the last event that must go so that so many events and bytes go; 0 for none."""
        removed, last = 0, 0
        for sequence, length in self._database.execute(
            "SELECT sequence, LENGTH(body) FROM events ORDER BY sequence"
        ):
            if count <= 0 and removed >= size:
                break
            count, removed, last = count - 1, removed + length, sequence
        return last

    def close(self) -> None:
        """Let another process have the file."""
        self._database.close()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, LET_GO_S, isolation_level=None, check_same_thread=False)
    try:
        # Exclusive, so that a second process keeps off and nothing but this file and its log is needed.
        for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
            database.execute(f"PRAGMA {setting}")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise sqlite3.OperationalError(f"it has version {version}, and this program writes {VERSION}")
        database.executescript(TABLES)
        database.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        database.close()
        raise
    return database
