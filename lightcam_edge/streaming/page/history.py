"""What the page remembers: figures of the last minutes for its charts, and the last events."""

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

from lightcam_edge.streaming.messages import CameraFigures, Event

SAMPLES = 120  # one a second
EVENTS = 30


def sample(figures: CameraFigures, time: float) -> dict[str, Any]:
    """A camera's figures at one moment, as JSON."""
    return {
        "time": round(time, 1),
        "camera_fps": round(figures.camera_fps, 2),
        "process_fps": round(figures.process_fps, 2),
        "age_ms": {name: round(ms, 1) for name, ms in figures.age_ms.items()},
        "latency_ms": {stage: round(ms, 3) for stage, ms in figures.latency_ms.items()},
    }


def state(figures: CameraFigures) -> dict[str, Any]:
    """How a camera is, and its counts, as JSON."""
    return {
        "state": figures.status.state,
        "reason": figures.status.reason,
        "since": round(figures.status.since, 1),
        "captured": figures.captured,
        "processed": figures.processed,
        "skipped": figures.skipped,
        "reconnections": figures.reconnections,
        "source": figures.source,
    }


class History:
    """The last `SAMPLES` figures of each camera.

    Args:
        cameras: their names.
    """

    def __init__(self, cameras: Iterable[str]) -> None:
        self._samples: dict[str, deque[dict[str, Any]]] = {
            camera: deque(maxlen=SAMPLES) for camera in cameras
        }

    def add(self, camera: str, taken: dict[str, Any]) -> None:
        """Remember a sample."""
        self._samples[camera].append(taken)

    def all(self) -> dict[str, list[dict[str, Any]]]:
        """All samples by camera, the oldest first."""
        return {camera: list(samples) for camera, samples in self._samples.items()}


class Events:
    """The last `EVENTS` objects that came, each as its newest event tells it."""

    def __init__(self) -> None:
        self._events: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def add(self, event: Event) -> dict[str, Any]:
        """Remember an event; returns it as JSON."""
        told = {
            "id": event.id,
            "camera": event.camera,
            "kind": event.kind,
            "label": event.track.label,
            "class_index": event.track.class_index,
            "started": round(event.track.started_at, 1),
            "time": round(event.time, 1),
            "best_score": round(float(event.best_score), 4),
        }
        self._events[event.id] = told
        while len(self._events) > EVENTS:
            self._events.popitem(last=False)
        return told

    def all(self) -> list[dict[str, Any]]:
        """The events, the oldest first."""
        return list(self._events.values())
