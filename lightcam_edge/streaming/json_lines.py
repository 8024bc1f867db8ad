"""Results, events and states as JSON lines, on stdout or in files that take turns."""

import json
import logging.handlers
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightcam_edge.choices import Lines
from lightcam_edge.localizer import Localizer
from lightcam_edge.records import KEYS, record
from lightcam_edge.streaming.event_record import event_record
from lightcam_edge.streaming.messages import CameraStatus, Event, StreamResult
from lightcam_edge.streaming.worker import Worker

WAITING = 1000  # lines, at most
LOG_BYTES = 10_000_000
LOG_FILES = 5


def result_record(result: StreamResult, source: str, localizer: Localizer) -> dict[str, Any]:
    """The JSON line of a result: that of `lightcam-edge run`, with camera, time, age and track ids.

    Args:
        result: of a frame.
        source: where the camera's pictures come from, without any password.
        localizer: of the camera.
    """
    told = record(source, result.frame.index, result.found, localizer)
    for box, track in zip(told["boxes"], result.tracks, strict=True):
        box["track"] = track.id
    return {
        "camera": result.frame.camera,
        "time": round(result.frame.captured_at, 3),
        "age_ms": round(result.age_ms, 3),
        **told,
    }


def status_record(status: CameraStatus, source: str) -> dict[str, Any]:
    """The JSON line of a camera's new state: everything that belongs to a frame is null."""
    return {
        "camera": status.camera,
        "time": round(status.since, 3),
        "state": status.state,
        "reason": status.reason,
        **dict.fromkeys(KEYS),
        "source": source,
        "error": status.reason if status.state in ("frozen", "lost") else None,
    }


class JsonLines:
    """A sink that writes a line for each result, event and state.

    Args:
        name: what the lines go to, for messages.
        write: writes one line, in a thread of its own.
        lines: `results` of every frame, `events` only, or `all`; states are always among them.
        describe: the source and the localizer of a camera.
        finish: called last, in that thread.
        patient: wait for a slow reader instead of dropping lines.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[str], None],
        lines: Lines,
        describe: Callable[[str], tuple[str, Localizer]],
        finish: Callable[[], None] | None = None,
        patient: bool = False,
    ) -> None:
        self._lines = lines
        self._describe = describe
        self._sequence = int(time.time() * 1000)  # grows over restarts too, see docs/events.md
        self._worker = Worker(name, write, WAITING, finish, patient)

    @property
    def dropped(self) -> int:
        """Lines that the reader or the disk was too slow for."""
        return self._worker.dropped

    def result(self, result: StreamResult) -> None:
        """Write the result of a frame."""
        if self._lines != "events":
            self._give(result_record(result, *self._describe(result.frame.camera)))

    def event(self, event: Event) -> None:
        """Write an event."""
        if self._lines != "results":
            self._sequence += 1
            self._give(event_record(event, self._sequence))

    def status(self, status: CameraStatus) -> None:
        """Write a camera's new state."""
        source, _ = self._describe(status.camera)
        self._give(status_record(status, source))

    def close(self) -> None:
        """Write what waits."""
        self._worker.close()

    def _give(self, told: dict[str, Any]) -> None:
        self._worker.give(json.dumps(told))


class RotatingFile:
    """Lines in a file that is renamed to `FILE.1` when it is full, up to so many files.

    Args:
        path: the file; its folder is made if missing.
        max_bytes: of each file.
        files: how many older ones are kept, at least 1.

    Raises:
        OSError: if it cannot be opened.
    """

    def __init__(self, path: Path, max_bytes: int = LOG_BYTES, files: int = LOG_FILES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handler = _Handler(path, maxBytes=max_bytes, backupCount=files, encoding="utf-8")

    def write(self, line: str) -> None:
        """Write one line.

        Raises:
            OSError: if it cannot be written.
        """
        self._handler.emit(logging.makeLogRecord({"msg": line}))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


class _Handler(logging.handlers.RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the library's
        """Let the error out, instead of printing it."""
        raise
