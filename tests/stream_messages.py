"""Events and results, and patience, for the tests of those that listen to a stream."""

import logging
import time
from collections.abc import Callable

import numpy as np
import pytest

from lightcam_edge.box import Box
from lightcam_edge.geometry import Fit
from lightcam_edge.images import Photo
from lightcam_edge.localizer import Detection, Localization
from lightcam_edge.streaming.messages import CapturedFrame, Event, StreamResult, Track

CAMERA = "porch"
PATIENCE_S = 20


def wait_until(happened: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def track(number: int = 1, label: str = "bird", score: float = 0.93) -> Track:
    return Track(number, 0, label, score, Box(12.04, 30, 200, 180), 1_764_000_000.5, 7)


def event(number: int, camera: str = CAMERA, snapshot: bytes = b"") -> Event:
    return Event("new", f"run-{number}", camera, time.time(), track(number), 0.97123, (480, 640), snapshot)


def result(*tracks: Track) -> StreamResult:
    photo = Photo(np.zeros((48, 64, 3), np.uint8), (48, 64))
    frame = CapturedFrame(CAMERA, 0, photo, time.time(), time.monotonic_ns())
    found = Localization(
        class_index=0,
        label="bird",
        score=0.9,
        scores=np.ones(1, np.float32),
        detections=tuple(Detection(one.box, one.class_index, one.label, one.score) for one in tracks),
        cam=np.zeros((7, 7), np.float32),
        fit=Fit((48, 64), (7, 7), "squash"),
    )
    return StreamResult(frame, found, tracks, 1.0)
