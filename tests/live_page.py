"""A live page on a real stream: a generated video of a thing that moves, found by a real model."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import lightcam_edge
from lightcam_edge import Localizer
from lightcam_edge.streaming.json_lines import result_record
from lightcam_edge.streaming.messages import StreamResult
from lightcam_edge.streaming.page.server import Page
from lightcam_edge.streaming.page.settings import PageSettings
from lightcam_edge.streaming.pipeline import Pipeline
from lightcam_edge.streaming.sources.grammar import CaptureOptions, parse_source
from lightcam_edge.streaming.steering import Steering
from lightcam_edge.streaming.watched import CameraPlan

SAMPLES = Path(lightcam_edge.__file__).parent / "samples"
FPS = 10
TOKEN = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the page answered."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


@dataclass(frozen=True, slots=True)
class LivePage:
    """A running stream and its page."""

    pipeline: Pipeline
    page: Page

    @property
    def port(self) -> int:
        return int(self.page.address.rstrip("/").rpartition(":")[2])

    def url(self, path: str) -> str:
        return f"{self.page.address}{path.removeprefix('/')}"

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask(urllib.request.Request(self.url(path), headers=_named(headers)))

    def post(self, path: str, content: Any, **headers: str) -> Answer:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        named = {"Content-Type": "application/json", **_named(headers)}
        return self.ask(urllib.request.Request(self.url(path), body, named))

    def ask(self, request: urllib.request.Request) -> Answer:
        opener = urllib.request.build_opener(_Staying)
        try:
            with opener.open(request, timeout=20) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())


class _Staying(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def write_video(path: Path, hw: tuple[int, int] = (240, 320), seconds: float = 4) -> Path:
    """The sample bird goes from left to right and back over the sample landscape."""
    height, width = hw
    side = round(0.7 * height)
    landscape, bird = (cv2.imread(str(SAMPLES / f"{name}.jpg")) for name in ("landscape", "bird"))
    scene, thing = cv2.resize(landscape, (width, height)), cv2.resize(bird, (side, side))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (width, height))
    for number in range(round(seconds * FPS)):
        share = (1 - np.cos(2 * np.pi * number / (seconds * FPS))) / 2
        x, y = round(share * (width - side)), (height - side) // 2
        frame = scene.copy()
        frame[y : y + side, x : x + side] = thing
        writer.write(frame)
    writer.release()
    return path


@contextmanager
def live_page(
    video: Path, model: str | Path = "lite", names: tuple[str, ...] = ("door",), **settings: Any
) -> Iterator[LivePage]:
    """Stream a video round and round, and serve the page on a free port."""
    capture = CaptureOptions(loop=True)
    plans = [CameraPlan(name, parse_source(str(video)), capture) for name in names]
    pipeline = Pipeline(plans, Localizer(model, threads=1))

    def record(result: StreamResult) -> dict[str, Any]:
        watched = pipeline.watched[result.frame.camera]
        return result_record(result, str(watched.plan.spec), watched.localizer)

    page = Page(PageSettings(**{"port": 0, **settings}), Steering(pipeline), record)
    page.start()
    pipeline.start([page])
    try:
        yield LivePage(pipeline, page)
    finally:
        pipeline.stop()
