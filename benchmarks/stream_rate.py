"""How many frames a second a stream looks at, how old its results are, and whether cameras get the same.

    python benchmarks/stream_rate.py --model lite --seconds 20

A camera on loopback (stream_source.py) sends 640x480 JPEG. Capture and the network with all that follows
it are first measured alone, then together: a pipeline should reach the rate of its slower stage. The age
of a result counts from the arrival of its picture, before it is decoded.
"""

import threading
import time
from collections.abc import Sequence
from statistics import median

import click
from stream_source import camera, jpeg, pictures

from lightcam_edge.benchmarking.board import read_board
from lightcam_edge.images import decode_image
from lightcam_edge.localizer import Localizer
from lightcam_edge.streaming.figures import quantile
from lightcam_edge.streaming.json_lines import JsonLines
from lightcam_edge.streaming.listeners import describer
from lightcam_edge.streaming.messages import CameraStatus, CapturedFrame, Event, StreamResult
from lightcam_edge.streaming.pipeline import Pipeline
from lightcam_edge.streaming.sources.capture import CaptureThread
from lightcam_edge.streaming.sources.grammar import CaptureOptions, parse_source
from lightcam_edge.streaming.sources.newest import NewestFrames
from lightcam_edge.streaming.watched import CameraPlan, WatchedCamera

WARM_UP_S = 2.0


class Ages:
    """Keeps the age of each result, by camera."""

    def __init__(self) -> None:
        self.ages_ms: dict[str, list[float]] = {}

    def result(self, result: StreamResult) -> None:
        self.ages_ms.setdefault(result.frame.camera, []).append(result.age_ms)

    def event(self, event: Event) -> None: ...

    def status(self, status: CameraStatus) -> None: ...

    def close(self) -> None: ...


def capture_rate(seconds: float) -> float:
    """Pictures a second that are received and decoded, with nobody to take them."""
    frames = NewestFrames(["camera"])
    with camera(0) as url:
        capture = CaptureThread("camera", parse_source(url), CaptureOptions(), frames, lambda _: None)
        capture.start()
        time.sleep(WARM_UP_S)
        before, began = capture.counts().captured, time.monotonic()
        time.sleep(seconds)
        rate = (capture.counts().captured - before) / (time.monotonic() - began)
        capture.stop()
    return rate


def look_rate(localizer: Localizer, seconds: float) -> float:
    """Results a second of decoded pictures: the network, averages, boxes, tracks."""
    watched = WatchedCamera(CameraPlan("camera", parse_source("0")), localizer, snapshots=False)
    photos = [decode_image(jpeg(picture), "picture") for picture in pictures(60)]
    count, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        photo = photos[count % len(photos)]
        watched.look(CapturedFrame("camera", count, photo, time.time(), time.monotonic_ns()))
        count += 1
    return count / (time.monotonic() - began)


def stream(localizer: Localizer, fps: Sequence[float], seconds: float) -> dict[str, list[float]]:
    """Ages of the results of cameras that send so many pictures a second, by camera."""
    ages, done = Ages(), threading.Event()
    cameras = [camera(rate) for rate in fps]
    urls = [one.__enter__() for one in cameras]
    plans = [CameraPlan(f"camera-{number + 1}", parse_source(url)) for number, url in enumerate(urls)]
    pipeline = Pipeline(plans, localizer)
    lines = JsonLines("nowhere", lambda _: None, "all", describer(pipeline))
    pipeline.start([ages, lines])
    done.wait(WARM_UP_S)
    ages.ages_ms = {}
    done.wait(seconds)
    counted = ages.ages_ms
    pipeline.stop()
    for one in cameras:
        one.__exit__(None, None, None)
    return counted


def ages_text(ages_ms: Sequence[float], frame_ms: float) -> str:
    ordered = sorted(ages_ms)
    p50, p95 = median(ordered), quantile(ordered, 0.95)
    return f"{p50:.1f} / {p95:.1f} ms, {p50 / frame_ms:.2f} / {p95 / frame_ms:.2f} frame times"


@click.command()
@click.option("--model", default="lite")
@click.option("--threads", default=1)
@click.option("--seconds", default=20.0)
@click.option("--rounds", default=3, help="Of stages alone and together, in turn.")
def main(model: str, threads: int, seconds: float, rounds: int) -> None:
    board = read_board()
    click.echo(f"{board.model}, {board.cores} cores; {model}, {threads} thread, 640x480 JPEG")
    localizer = Localizer(model, threads=threads)
    for _ in range(rounds):
        captured, looked = capture_rate(seconds / 2), look_rate(localizer, seconds / 2)
        full = stream(localizer, [0], seconds)["camera-1"]
        rate = len(full) / seconds
        share = rate / min(captured, looked)
        click.echo(
            f"capture alone {captured:.1f}/s, network and boxes alone {looked:.1f}/s, "
            f"together {rate:.1f}/s ({share:.0%} of the slower); age {ages_text(full, 1e3 / rate)}"
        )
    steady = stream(localizer, [30], seconds)["camera-1"]
    click.echo(f"30 frames/s: {len(steady) / seconds:.1f} results/s; age {ages_text(steady, 1e3 / 30)}")
    for rates in ([0, 0], [0, 10], [30, 30]):
        shares = {name: len(ages) / seconds for name, ages in stream(localizer, rates, seconds).items()}
        told = ", ".join(f"{shares.get(f'camera-{n + 1}', 0):.1f}" for n in range(2))
        click.echo(
            f"two cameras, {' and '.join(map(str, rates))} frames/s (0: as fast as taken): {told} results/s"
        )


if __name__ == "__main__":
    main()
