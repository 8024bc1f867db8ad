"""What the live page knows and can do, apart from how it is served."""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import cv2
import numpy as np

from lightcam_edge.choices import METHODS, Method
from lightcam_edge.drawing import COLOURS, draw_boxes, draw_heat, to_jpeg
from lightcam_edge.streaming.messages import CameraFigures, Event, StreamResult
from lightcam_edge.streaming.page.encoding import TILE_SIDE, Kind, encode_result
from lightcam_edge.streaming.page.health import unhealthy
from lightcam_edge.streaming.page.history import Events, History, sample, state
from lightcam_edge.streaming.page.metrics import metrics_text
from lightcam_edge.streaming.page.settings import PageSettings
from lightcam_edge.streaming.page.viewers import Viewers
from lightcam_edge.streaming.ports import Controls

# Red, green and blue of each level of the heat, 0 to 255, as drawing has them.
HEAT = cv2.applyColorMap(np.arange(256, dtype=np.uint8), cv2.COLORMAP_TURBO).reshape(256, 3)[:, ::-1]
Record = Callable[[StreamResult], dict[str, Any]]


class PageState:
    """The newest results, who watches them, and the stream's controls; lives in the page's event loop.

    Only `took`, and reading `viewers.wants`, are for the stream's thread.

    Args:
        settings: sizes and times.
        controls: the running stream.
        record: makes a result's JSON line.
    """

    def __init__(self, settings: PageSettings, controls: Controls, record: Record) -> None:
        self.settings = settings
        self.controls = controls
        self.newest: dict[str, StreamResult] = {}
        self.viewers = Viewers(self.newest, self._encode, 1 / settings.max_fps, settings.patience)
        self._heard: dict[str, float] = {}
        self._record = record
        self._history = History(controls.cameras)
        self._events = Events()

    def took(self, result: StreamResult) -> None:
        """Keep the newest result of a camera."""
        self.newest[result.frame.camera] = result
        self._heard[result.frame.camera] = time.monotonic()

    def _encode(self, result: StreamResult, kind: Kind) -> bytes:
        side = min(TILE_SIDE, self.settings.max_side) if kind == "tile" else self.settings.max_side
        return encode_result(result, self.settings_of(result.frame.camera), side, self.settings.quality, kind)

    def settings_of(self, camera: str) -> dict[str, Any]:
        """Threshold and method of a camera, as JSON."""
        return {"threshold": self.controls.threshold(camera), "method": self.controls.method(camera)}

    def all_settings(self) -> dict[str, Any]:
        """Threshold and method of each camera, and the methods that the model has, as JSON."""
        methods = [method for method in METHODS if method == "cam" or self.controls.has_background]
        cameras = {camera: self.settings_of(camera) for camera in self.controls.cameras}
        return {"cameras": cameras, "methods": methods}

    def adjust(self, camera: str, threshold: float | None, method: Method | None) -> None:
        """Change a camera's settings, and tell all viewers.

        Raises:
            UsageError: see `Controls.adjust`.
        """
        self.controls.adjust(camera, threshold, method)
        self.viewers.tell(json.dumps({"settings": self.all_settings()}))

    def figures(self) -> dict[str, CameraFigures]:
        """Figures of each camera, now."""
        return {camera: self.controls.figures(camera) for camera in self.controls.cameras}

    def greeting(self) -> str:
        """The first message to a viewer: all that does not change, and what was before it came."""
        colours = [COLOURS[index % len(COLOURS)] for index in range(len(self.controls.labels))]
        return json.dumps(
            {
                "hello": {
                    "model": self.controls.model_name,
                    "labels": self.controls.labels,
                    "colours": colours,
                    "heat": HEAT.tobytes().hex(),
                    "cameras": self.controls.cameras,
                    "history": self._history.all(),
                    "events": self._events.all(),
                },
                "settings": self.all_settings(),
                "states": _states(self.figures()),
            },
            ensure_ascii=False,
        )

    def tick(self) -> None:
        """Take samples for the charts, tell the viewers, and cut off those who are stuck."""
        now, figures = time.time(), self.figures()
        samples = {camera: sample(taken, now) for camera, taken in figures.items()}
        for camera, taken in samples.items():
            self._history.add(camera, taken)
        if len(self.viewers):
            message = {"samples": samples, "states": _states(figures), "settings": self.all_settings()}
            self.viewers.tell(json.dumps(message, ensure_ascii=False))
            self.viewers.cut_off_the_slow()

    def tell_states(self) -> None:
        """Tell the viewers how the cameras are, without waiting for the next tick."""
        if len(self.viewers):
            self.viewers.tell(json.dumps({"states": _states(self.figures())}, ensure_ascii=False))

    def event(self, event: Event) -> None:
        """Remember an event and tell the viewers."""
        told = self._events.add(event)
        self.viewers.tell(json.dumps({"event": told}, ensure_ascii=False))

    def unhealthy(self) -> dict[str, str]:
        """Cameras that give no results, and why."""
        now = time.monotonic()
        statuses = {camera: figures.status for camera, figures in self.figures().items()}
        silent_s = {camera: now - heard for camera, heard in self._heard.items()}
        return unhealthy(statuses, silent_s, self.settings.stale_after)

    def metrics(self) -> str:
        """The figures for Prometheus."""
        return metrics_text(self.figures(), len(self.viewers))

    def records(self, cameras: Iterable[str]) -> str:
        """JSON lines of cameras' newest results."""
        newest = [self.newest[camera] for camera in cameras if camera in self.newest]
        return "".join(json.dumps(self._record(result)) + "\n" for result in newest)

    def snapshot(self, camera: str, boxes: bool, heat: bool) -> bytes | None:
        """The newest picture in full size as JPEG; None where there is none yet. Any thread may ask."""
        result = self.newest.get(camera)
        if result is None:
            return None
        pixels = result.frame.photo.pixels
        if heat:
            pixels = draw_heat(pixels, result.found)
        if boxes:
            pixels = draw_boxes(pixels, result.found)
        return to_jpeg(pixels)


def _states(figures: dict[str, CameraFigures]) -> dict[str, Any]:
    return {camera: state(taken) for camera, taken in figures.items()}
