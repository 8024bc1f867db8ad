"""What ten open live pages cost the stream: its results a second with them and without, in turn.

    python benchmarks/page_viewers.py [--viewers 10] [--rounds 6] [--seconds 5]

The viewers are real WebSocket clients that take each picture as a browser does, in a process of
their own at nice 19: on a board they would be other machines. Once the stream plays at a camera's
rate, and once as fast as the network goes, where whatever the page takes is missed.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import cv2
import numpy as np
from tornado.websocket import websocket_connect

import lightcam_edge
from lightcam_edge import Localizer
from lightcam_edge.streaming.page.server import Page
from lightcam_edge.streaming.page.settings import PageSettings
from lightcam_edge.streaming.pipeline import Pipeline
from lightcam_edge.streaming.sources.grammar import CaptureOptions, parse_source
from lightcam_edge.streaming.steering import Steering
from lightcam_edge.streaming.watched import CameraPlan

SAMPLES = Path(lightcam_edge.__file__).parent / "samples"
FPS = 30


async def look(url: str, seen: list[int]) -> None:
    """Take pictures, and tell of each, until cancelled."""
    connection = await websocket_connect(url)
    try:
        await connection.write_message(json.dumps({"watch": {"camera": "full"}}))
        while (message := await connection.read_message()) is not None:
            if isinstance(message, bytes):
                seen[0] += 1
                await connection.write_message(json.dumps({"drawn": "camera"}))
    finally:
        connection.close()


async def look_when_told(url: str, viewers: int) -> None:
    """For each two lines on stdin, look from the first to the second, then print pictures a second."""
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        seen, started = [0], time.perf_counter()
        looking = [asyncio.create_task(look(url, seen)) for _ in range(viewers)]
        await loop.run_in_executor(None, sys.stdin.readline)
        rate = seen[0] / (time.perf_counter() - started) / viewers
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
        print(rate, flush=True)


def write_video(path: Path, seconds: float = 4) -> None:
    """The sample bird goes to and fro over the sample landscape, 640x480."""
    landscape, bird = (cv2.imread(str(SAMPLES / f"{name}.jpg")) for name in ("landscape", "bird"))
    scene, thing = cv2.resize(landscape, (640, 480)), cv2.resize(bird, (320, 320))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (640, 480))
    for number in range(round(seconds * FPS)):
        x = round(160 * (1 - np.cos(2 * np.pi * number / (seconds * FPS))))
        frame = scene.copy()
        frame[80:400, x : x + 320] = thing
        writer.write(frame)
    writer.release()


class Clients:
    """The viewers' process."""

    def __init__(self, address: str, viewers: int) -> None:
        url = f"{address.replace('http', 'ws', 1)}api/live"
        command = ["nice", "-n", "19", sys.executable, __file__, "--look", url, "--viewers", str(viewers)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def toggle(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def rate(self) -> float:
        """Pictures a second and viewer of the turn that has ended."""
        return float(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def results_a_second(pipeline: Pipeline, seconds: float) -> float:
    meters = pipeline.watched["camera"].meters
    time.sleep(1)  # until connections stand, or have gone
    before, started = meters.processed, time.perf_counter()
    time.sleep(seconds)
    return (meters.processed - before) / (time.perf_counter() - started)


def measure(video: Path, every_frame: bool, viewers: int, rounds: int, seconds: float) -> dict[str, float]:
    capture = CaptureOptions(loop=True, every_frame=every_frame)
    plan = CameraPlan("camera", parse_source(str(video)), capture)
    pipeline = Pipeline([plan], Localizer("lite", threads=1))
    page = Page(PageSettings(port=0), Steering(pipeline))
    page.start()
    pipeline.start([page])
    clients = Clients(page.address, viewers)
    alone, watched, seen = [], [], []
    results_a_second(pipeline, 2)  # warm-up
    for _ in range(rounds):
        alone.append(results_a_second(pipeline, seconds))
        clients.toggle()
        watched.append(results_a_second(pipeline, seconds))
        clients.toggle()
        seen.append(clients.rate())
    clients.close()
    pipeline.stop()
    ratios = [one / other for one, other in zip(watched, alone, strict=True)]
    return {
        "alone": statistics.median(alone),
        "watched": statistics.median(watched),
        "ratio": statistics.median(ratios),
        "worst": min(ratios),
        "seen": statistics.median(seen),
    }


@click.command()
@click.option("--viewers", default=10)
@click.option("--rounds", default=6)
@click.option("--seconds", default=5.0)
@click.option("--look", "url", hidden=True)
def main(viewers: int, rounds: int, seconds: float, url: str | None) -> None:
    if url:
        asyncio.run(look_when_told(url, viewers))
        return
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; lite, 1 thread, 640x480")
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "bird.avi"
        write_video(video)
        for name, every_frame in ((f"at {FPS} frames/s", False), ("as fast as it goes", True)):
            found = measure(video, every_frame, viewers, rounds, seconds)
            print(
                f"{name}: {found['alone']:.1f} results/s without and {found['watched']:.1f} with {viewers} "
                f"viewers, ratio {found['ratio']:.3f} (worst round {found['worst']:.3f}); each viewer got "
                f"{found['seen']:.1f} pictures/s"
            )


if __name__ == "__main__":
    main()
