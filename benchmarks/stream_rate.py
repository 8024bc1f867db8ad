"""How many frames a second a stream looks at, how old its results are, and whether cameras get the same.

    python benchmarks/stream_rate.py --model lite --seconds 20

A camera on loopback (stream_source.py) sends 640x480 JPEG. Capture and the network with all that follows
it are first measured alone, then together: a pipeline should reach the rate of its slower stage. The age
of a result counts from the arrival of its picture, before it is decoded. Pictures are decoded to a size that
is enough for the network, as `stream` does where lines are all that is asked for; a page, a video and
snapshots need --whole ones. Memory is given back once in each measurement of a whole stream, about as often
as `stream` does.
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
from lightcam_edge.streaming import memory
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


def capture_rate(options: CaptureOptions, seconds: float) -> float:
    """Pictures a second that are received and decoded, with nobody to take them."""
    frames = NewestFrames(["camera"])
    with camera(0) as url:
        capture = CaptureThread("camera", parse_source(url), options, frames, lambda _: None)
        capture.start()
        time.sleep(WARM_UP_S)
        before, began = capture.counts().captured, time.monotonic()
        time.sleep(seconds)
        rate = (capture.counts().captured - before) / (time.monotonic() - began)
        capture.stop()
    return rate


def look_rate(localizer: Localizer, options: CaptureOptions, seconds: float) -> float:
    """Results a second of decoded pictures: the network, averages, boxes, tracks."""
    watched = WatchedCamera(CameraPlan("camera", parse_source("0")), localizer, snapshots=False)
    photos = [decode_image(jpeg(picture), "picture", options.enough_hw) for picture in pictures(60)]
    count, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        photo = photos[count % len(photos)]
        watched.look(CapturedFrame("camera", count, photo, time.time(), time.monotonic_ns()))
        count += 1
    return count / (time.monotonic() - began)


def stream(
    localizer: Localizer, options: CaptureOptions, fps: Sequence[float], seconds: float
) -> dict[str, list[float]]:
    """Ages of the results of cameras that send so many pictures a second, by camera."""
    ages, done = Ages(), threading.Event()
    cameras = [camera(rate) for rate in fps]
    urls = [one.__enter__() for one in cameras]
    plans = [
        CameraPlan(f"camera-{number + 1}", parse_source(url), options) for number, url in enumerate(urls)
    ]
    pipeline = Pipeline(plans, localizer)
    lines = JsonLines("nowhere", lambda _: None, "all", describer(pipeline))
    pipeline.start([ages, lines])
    done.wait(WARM_UP_S)
    ages.ages_ms = {plan.name: [] for plan in plans}
    memory.give_back()
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


def compare(localizer: Localizer, options: CaptureOptions, rounds: int, seconds: float) -> float:
    """Stages alone and together, in turn, so that what slows the machine for a while slows all of them.

    Returns:
        Looks a second of the network with all that follows it, alone.
    """
    captured = capture_rate(options, seconds)
    looked, together, shares, ages = [], [], [], []
    for _ in range(rounds):
        looked.append(look_rate(localizer, options, seconds))
        found = stream(localizer, options, [1.1 * min(looked[-1], captured)], seconds)["camera-1"]
        together.append(len(found) / seconds)
        shares.append(together[-1] / min(looked[-1], captured))
        ages += found
    click.echo(
        f"capture alone {captured:.0f}/s; network and boxes alone {median(looked):.1f}/s "
        f"({min(looked):.1f}..{max(looked):.1f}); together, of a tenth more pictures than that, "
        f"{median(together):.1f}/s ({min(together):.1f}..{max(together):.1f}): {median(shares):.1%} of the "
        f"slower ({min(shares):.0%}..{max(shares):.0%}); age {ages_text(ages, 1e3 / median(together))}"
    )
    return median(looked)


@click.command()
@click.option("--model", default="lite")
@click.option("--threads", default=1)
@click.option("--seconds", default=4.0, help="Of each measurement.")
@click.option("--rounds", default=7)
@click.option("--whole", is_flag=True, help="Decode whole pictures.")
def main(model: str, threads: int, seconds: float, rounds: int, whole: bool) -> None:
    board = read_board()
    localizer = Localizer(model, threads=threads)
    options = CaptureOptions(enough_hw=None if whole else localizer.input_hw)
    decoded = "whole" if whole else f"decoded to what {localizer.input_hw} needs"
    click.echo(f"{board.cores}; {model}, {threads} thread, 640x480 JPEG, {decoded}")
    more = 1.1 * compare(localizer, options, rounds, seconds)
    for rates in ([30], [0], [30, 30], [more / 2, more / 2], [0, 10], [0, 0]):
        found = stream(localizer, options, rates, seconds)
        told = [
            f"{len(ages) / seconds:.1f}/s, age {ages_text(ages, 1e3 / (rate or len(ages) / seconds))}"
            for rate, ages in zip(rates, found.values(), strict=True)
        ]
        sent = " and ".join(f"{rate:.0f} frames/s" if rate else "all that are taken" for rate in rates)
        click.echo(f"of {sent}: {'; '.join(told)}")


if __name__ == "__main__":
    main()
