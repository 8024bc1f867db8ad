"""Pictures of events, in a folder that does not grow for ever."""

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from lightcam_edge.model_file import write_atomically
from lightcam_edge.streaming.messages import CameraStatus, Event, StreamResult
from lightcam_edge.streaming.worker import Worker

WAITING = 32  # snapshots, at most


@dataclass(frozen=True, slots=True)
class Kept:
    """How much of a folder is kept, the newest: so many files, and so many bytes."""

    files: int = 1000
    size_bytes: int = 500_000_000


class SnapshotFolder:
    """A sink that writes each event's snapshot as `CAMERA-TIME-LABEL-KIND.jpg`.

    Args:
        folder: where; made if missing.
        kept: how much of it is kept; what other programs put there is left alone.
        patient: wait for a slow disk instead of dropping pictures.

    Raises:
        OSError: if the folder cannot be made.
    """

    def __init__(self, folder: Path, kept: Kept, patient: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._kept = kept
        self._files = deque((path, path.stat().st_size) for path in _snapshots(folder))
        self._size_bytes = sum(size for _, size in self._files)
        self._worker = Worker("snapshots", self._write, WAITING, patient=patient)

    @property
    def dropped(self) -> int:
        """Snapshots that the disk was too slow for."""
        return self._worker.dropped

    def result(self, result: StreamResult) -> None:
        """Nothing."""

    def event(self, event: Event) -> None:
        """Write the picture of an event that has one."""
        if event.snapshot:
            self._worker.give(event)

    def status(self, status: CameraStatus) -> None:
        """Nothing."""

    def close(self) -> None:
        """Write what waits."""
        self._worker.close()

    def _write(self, event: Event) -> None:
        path = self._folder / _name(event)
        write_atomically(path, event.snapshot)
        self._files.append((path, len(event.snapshot)))
        self._size_bytes += len(event.snapshot)
        self._prune()

    def _prune(self) -> None:
        while len(self._files) > self._kept.files or (
            len(self._files) > 1 and self._size_bytes > self._kept.size_bytes
        ):
            path, size = self._files.popleft()
            path.unlink(missing_ok=True)
            self._size_bytes -= size


def _name(event: Event) -> str:
    stamp = time.strftime("%Y%m%dT%H%M%S", time.localtime(event.time))
    label = "".join(letter if letter.isalnum() else "_" for letter in event.track.label)
    milliseconds = int(event.time * 1000) % 1000
    return f"{event.camera}-{stamp}.{milliseconds:03d}-{label}-{event.track.id}-{event.kind}.jpg"


def _snapshots(folder: Path) -> list[Path]:
    """Files that have such names, the oldest first."""
    pattern = f"*-{'[0-9]' * 8}T{'[0-9]' * 6}.{'[0-9]' * 3}-*-*-*.jpg"
    return sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime_ns)
