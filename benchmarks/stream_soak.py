"""Memory of a stream at full speed over many minutes, with everything that it can write and send.

    python benchmarks/stream_soak.py --minutes 30 --out benchmarks/results/stream-soak

A camera on loopback (stream_source.py) sends pictures as fast as they are taken, and cuts the stream off
every few minutes. The stream prints JSON lines, writes a rotating log, annotated video in segments and
snapshots, serves its page, which is asked every few seconds, and tells a Mosquitto where there is one.
Writes OUT.json and OUT.png. Drift is the median of the last minute less that of the minute after warm-up;
the trend is what a straight line through all samples after the warm-up rises.
"""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

import click
from stream_source import camera

from lightcam_edge.benchmarking.board import read_board

MB = 1 << 20
WARM_UP_MINUTES = 5
STOPPED_S = 5.0  # a longer time between samples is that of a machine or a process that was stopped
OPTIONS = [
    *("--json", "--lines", "all", "--log-size", "1M", "--video-segment", "1m", "--video-keep", "2"),
    *("--snapshots-files", "50", "--serve", "0", "--threads", "1"),
]


@contextmanager
def broker(folder: Path) -> Iterator[tuple[str, ...]]:
    """Options that name a Mosquitto of our own; none where it is not installed."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        yield ()
        return
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    with subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            yield ("--mqtt", f"mqtt://127.0.0.1:{port}", "--queue", str(folder / "queue"))
        finally:
            process.kill()


def memory(pid: int) -> dict[str, float]:
    """Resident memory in MB, whole and its anonymous part."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    values = {line[0].rstrip(":"): line[1] for line in lines if len(line) > 1}
    return {name: int(values[name]) * 1024 / MB for name in ("VmRSS", "RssAnon")} | {
        "threads": float(values["Threads"])
    }


def ask(page: str) -> dict[str, float]:
    """Counts and rates from the stream's metrics, by their names."""
    with suppress(OSError), urllib.request.urlopen(f"{page}metrics", timeout=10) as answer:
        lines = [line.split() for line in answer.read().decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}
    return {}


def watch(process: "subprocess.Popen[bytes]", page: str, seconds: float) -> list[dict[str, float]]:
    """A sample every second, with the page's figures every ten; time while it was stopped does not count."""
    samples: list[dict[str, float]] = []
    running, before = 0.0, time.monotonic()
    while running < seconds and process.poll() is None:
        sample = {"seconds": round(running, 1), **memory(process.pid)}
        if len(samples) % 10 == 0:
            figures = ask(page)
            sample |= {name.partition("{")[0]: value for name, value in figures.items() if "_fps" in name}
            sample |= {name.partition("{")[0]: value for name, value in figures.items() if "_total" in name}
        samples.append(sample)
        time.sleep(1.0)
        now = time.monotonic()
        running, before = running + min(now - before, STOPPED_S), now
    return samples


def drift(samples: list[dict[str, float]], name: str, after_s: float) -> float:
    """Median of the last minute less that of the minute after the warm-up."""
    end = samples[-1]["seconds"]
    first = [one[name] for one in samples if after_s <= one["seconds"] < after_s + 60]
    last = [one[name] for one in samples if one["seconds"] >= end - 60]
    return median(last) - median(first or last)


def trend(samples: list[dict[str, float]], name: str, after_s: float) -> float:
    """What a straight line through the samples after the warm-up rises."""
    kept = [one for one in samples if one["seconds"] >= after_s]
    seconds = [one["seconds"] for one in kept]
    return linear_regression(seconds, [one[name] for one in kept]).slope * (seconds[-1] - seconds[0])


def stream(minutes: float, cut_s: float, model: str) -> tuple[list[dict[str, float]], int, list[str]]:
    """Run it. Returns samples, its exit code, and what it said."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(camera(0, cut_s))
        mqtt = stack.enter_context(broker(folder))
        files = (
            "--log",
            folder / "log.jsonl",
            "--video",
            folder / "seen.mkv",
            "--snapshots",
            folder / "seen",
        )
        command = ["-m", "lightcam_edge", "stream", url, "--model", model, *OPTIONS, *map(str, files), *mqtt]
        told = stack.enter_context((folder / "stderr").open("w+"))
        process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=told)
        stack.callback(process.kill)
        while "live page: " not in (said := (folder / "stderr").read_text()):
            time.sleep(0.2)
        samples = watch(process, said.partition("live page: ")[2].split()[0], minutes * 60)
        process.terminate()
        code = process.wait(30)
        return samples, code, (folder / "stderr").read_text().splitlines()


def draw(samples: list[dict[str, float]], path: Path, title: str) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (memory_axes, rate_axes) = pyplot.subplots(2, 1, figsize=(9, 6), sharex=True)
    minutes = [one["seconds"] / 60 for one in samples]
    memory_axes.plot(minutes, [one["VmRSS"] for one in samples], label="resident", color="#0072b2")
    memory_axes.plot(
        minutes, [one["RssAnon"] for one in samples], label="of that, anonymous", color="#e69f00"
    )
    memory_axes.axvspan(0, WARM_UP_MINUTES, color="0.92", label="warm-up")
    memory_axes.set(ylabel="MB", ylim=(0, None), title=title)
    memory_axes.legend(loc="lower right")
    rated = [one for one in samples if "process_fps" in one]
    for name, colour in (("camera_fps", "#999999"), ("process_fps", "#009e73")):
        at = [one["seconds"] / 60 for one in rated]
        rate_axes.plot(at, [one[name] for one in rated], label=name, color=colour)
    rate_axes.set(xlabel="minutes", ylabel="frames/s", ylim=(0, None))
    rate_axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


@click.command()
@click.option("--minutes", default=30.0)
@click.option(
    "--cut-s", default=300.0, help="Seconds after which the camera cuts the stream off; 0 is never."
)
@click.option("--model", default="lite")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Without ending.")
def main(minutes: float, cut_s: float, model: str, out: Path) -> None:
    samples, code, said = stream(minutes, cut_s, model)
    if samples[-1]["seconds"] < minutes * 60 - 2 * STOPPED_S:
        click.echo("\n".join([*said, f"ended too soon with exit code {code}"]), err=True)
    warm_up_s = min(WARM_UP_MINUTES * 60, minutes * 60 / 3)
    drifts = {name: round(drift(samples, name, warm_up_s), 2) for name in ("VmRSS", "RssAnon")}
    trends = {name: round(trend(samples, name, warm_up_s), 2) for name in drifts}
    last = [one for one in samples if "processed_frames_total" in one][-1]
    values: dict[str, Any] = {
        "board": asdict(read_board()),
        "options": ["lightcam-edge", "stream", "URL", "--model", model, *OPTIONS],
        "minutes": minutes,
        "warm_up_s": warm_up_s,
        "drift_mb": drifts,
        "trend_mb": trends,
        "frames": {name: last[name] for name in last if name.endswith("_total")},
        "exit_code": code,
        "said": said,
        "samples": [{name: round(value, 2) for name, value in one.items()} for one in samples[::10]],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(values, indent=1) + "\n")
    processed, took = last["processed_frames_total"], last["seconds"]
    rate = f"{processed:,.0f} frames in {took / 60:.0f} minutes, {processed / took:.0f} a second"
    title = f"{rate}; drift {drifts['VmRSS']:+.1f} MB, trend {trends['VmRSS']:+.1f} MB"
    draw(samples, out.with_suffix(".png"), title)
    click.echo(f"{title}, exit code {code}")


if __name__ == "__main__":
    main()
