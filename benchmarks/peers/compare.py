"""Our runtime beside what else could run the same network, or find the same thing.

    python benchmarks/peers/compare.py                        all of what follows
    python benchmarks/peers/compare.py prepare                installs the peers and makes their files
    python benchmarks/peers/compare.py measure lite-1         measures one group
    python benchmarks/peers/compare.py tables                 writes the results' tables beside them

Peers take turns, A B A B, each time in a fresh process, so that what slows the machine for a while slows all
of them. A peer that cannot be installed, or fails, has a row that says why.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any

import click
import network_way
import numpy as np
import photo_way
from environments import REPOSITORY, installed_mb, python_of, renew_own, versions
from tables import write_tables

from lightcam_edge.benchmarking.board import board_warnings, read_board, read_state
from lightcam_edge.drawing import to_jpeg
from lightcam_edge.model_file import write_atomically

Values = dict[str, Any]
HERE = Path(__file__).parent
WORK = REPOSITORY / "build" / "peers"
RESULTS = WORK / "results"
MODELS = ("light-cam", "lite")
THREADS = (1, 2)
NETWORK_GROUPS = {f"{model}-{threads}": (model, threads) for model in MODELS for threads in THREADS}
PHOTO = REPOSITORY / "lightcam_edge" / "samples" / "bird.jpg"
PHOTO_WH = (640, 480)
LEAST_CORRELATION, MOST_DIFFERENCE = 0.98, 0.05  # of quantizations that are calibrated differently
NETWORK_ENVIRONMENTS = {
    "lightcam-edge": "lightcam-edge",
    "LiteRT": "lightcam-edge",
    "tflite-runtime": "tflite-runtime",
    "ONNX Runtime": "onnxruntime",
    "OpenVINO": "openvino",
    "ncnn": "ncnn",
    "OpenCV DNN": "lightcam-edge",
}
PHOTO_ENVIRONMENTS = {
    "lightcam-edge, light-cam": "lightcam-edge",
    "lightcam-edge, lite": "lightcam-edge",
    "pytorch-grad-cam": "grad-cam",
    "torchcam": "torchcam",
    "tf-keras-vis": "tf-keras-vis",
    "YOLO26n, PyTorch, 640": "ultralytics",
    "YOLO26n, ONNX, 640": "ultralytics-exports",
    "YOLO26n, LiteRT, 640": "ultralytics-exports",
    "YOLO26n, LiteRT, 224": "ultralytics-exports",
    "MediaPipe ImageClassifier, lite int8": "mediapipe",
    "MediaPipe ImageClassifier, lite float32": "mediapipe",
}
PHOTO_GROUPS = {
    "maps": ("lightcam-edge, light-cam", "pytorch-grad-cam", "torchcam", "tf-keras-vis"),
    "boxes": (
        "lightcam-edge, lite",
        "YOLO26n, PyTorch, 640",
        "MediaPipe ImageClassifier, lite int8",
        "MediaPipe ImageClassifier, lite float32",
    ),
    "exports": (
        "lightcam-edge, lite",
        "YOLO26n, ONNX, 640",
        "YOLO26n, LiteRT, 640",
        "YOLO26n, LiteRT, 224",
    ),
}
GROUPS = (*NETWORK_GROUPS, *PHOTO_GROUPS)


def network_environment(way: str) -> str:
    return next(env for start, env in NETWORK_ENVIRONMENTS.items() if way.startswith(start))


def asked(script: str, python: Path, *arguments: object) -> Values:
    """What a script says in another environment, or `error` and why."""
    command = [python, HERE / script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        return {"error": f"it ends with {done.returncode}: {last}"}
    return json.loads(lines[-1])


def prepare(work: Path) -> dict[str, str]:
    """Install every peer and make every file; returns why a way cannot be measured, by way."""
    renew_own(work)
    for model in MODELS:
        rebuild = [python_of("host", work), HERE / "rebuild.py", model, work / "models" / model]
        subprocess.run(rebuild, check=True, capture_output=True)
    reasons = {}
    for model in MODELS:
        for way in network_way.WAYS:
            said = readied(network_environment(way), work, "network_way.py", way, work / "models" / model)
            reasons |= {way: said["error"]} if "error" in said else {}
    for way, environment in PHOTO_ENVIRONMENTS.items():
        said = readied(environment, work, "photo_way.py", way, work / "models" / MODELS[0])
        reasons |= {way: said["error"]} if "error" in said else {}
    write_atomically(work / "reasons.json", json.dumps(reasons, indent=1).encode())
    return reasons


def readied(environment: str, work: Path, script: str, way: str, folder: Path) -> Values:
    try:
        return asked(script, python_of(environment, work), "prepare", way, folder)
    except subprocess.CalledProcessError:
        return {"error": f"pip cannot install {environment} here"}


def in_turn(keys: Sequence[Any], rounds: int, measure: Callable[[Any], Values]) -> dict[Any, list[Values]]:
    """Measure each in every round; one that fails is left out from there on."""
    found: dict[Any, list[Values]] = {key: [] for key in keys}
    for number in range(rounds):
        for key in keys:
            if any("error" in one for one in found[key]):
                continue
            print(f"round {number + 1} of {rounds}: {key}", file=sys.stderr)
            found[key].append(measure(key))
    return found


def failed(rounds: Sequence[Values]) -> str | None:
    return next((one["error"] for one in rounds if "error" in one), None)


def measure_network(model: str, threads: int, work: Path, rounds: int, seconds: float) -> list[Values]:
    """Every runtime, and how far its answer is from the int8 file's."""
    folder = work / "models" / model
    reasons = known_reasons(work)

    def measure(way: str) -> Values:
        if way in reasons:
            return {"error": reasons[way]}
        python = python_of(network_environment(way), work)
        return asked("network_way.py", python, "measure", way, folder, threads, seconds)

    found = in_turn(tuple(network_way.WAYS), rounds, measure)
    return [network_row(way, each, found["lightcam-edge int8"][0]) for way, each in found.items()]


def network_row(way: str, rounds: Sequence[Values], own: Values) -> Values:
    if reason := failed(rounds):
        return {"way": way, "error": reason}
    alike = correlation(rounds[0]["map"], own["map"])
    difference = float(np.abs(np.subtract(rounds[0]["scores"], own["scores"])).max())
    if not (alike >= LEAST_CORRELATION and difference <= MOST_DIFFERENCE):
        return {
            "way": way,
            "error": f"its answer is another one: map {alike:.3f}, scores off by {difference:.3f}",
        }
    return {
        "way": way,
        "error": None,
        "p50_ms": [round(one["p50_ms"], 4) for one in rounds],
        "map_correlation": round(alike, 6),
        "score_difference": round(difference, 6),
    }


def correlation(a: Any, b: Any) -> float:
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])


def known_reasons(work: Path) -> dict[str, str]:
    return json.loads((work / "reasons.json").read_text())


def measure_photos(ways: Sequence[str], work: Path, rounds: int, seconds: float) -> list[Values]:
    """From a photograph's file to an annotated one in a fresh process, and again and again in one process."""
    folder, reasons = work / "models" / MODELS[0], known_reasons(work)
    photo = work / "photo.jpg"
    photo.write_bytes(to_jpeg(network_photo()))

    def measure(key: tuple[str, str]) -> Values:
        way, action = key
        if way in reasons:
            return {"error": reasons[way]}
        python = python_of(PHOTO_ENVIRONMENTS[way], work)
        if action == "warm":
            return asked("photo_way.py", python, "warm", way, folder, photo, seconds)
        with tempfile.TemporaryDirectory() as out:
            started = time.perf_counter()
            said = asked("photo_way.py", python, "cold", way, folder, photo, out)
            return said | {"seconds": round(time.perf_counter() - started, 4)}

    for way in ways:
        measure((way, "cold"))  # its files are in the page cache from here on
    found = in_turn([(way, action) for way in ways for action in ("cold", "warm")], rounds, measure)
    rows = [photo_row(way, found[way, "cold"], found[way, "warm"], work) for way in ways]
    if ways == PHOTO_GROUPS["maps"]:
        own = photo_way.ours(str(folder / "float32.tflite"), plain_cam=True)(folder)(str(photo))
        compare_maps(rows, {way: found[way, "warm"][0] for way in ways}, own)
    return rows


def network_photo() -> np.ndarray:
    from lightcam_edge.benchmarking.sweep import generated_frame

    return generated_frame(PHOTO_WH)


def photo_row(way: str, cold: Sequence[Values], warm: Sequence[Values], work: Path) -> Values:
    row: Values = {"way": way, "error": failed([*cold, *warm])}
    if row["error"] is None:
        row |= {
            "cold_s": [one["seconds"] for one in cold],
            "peak_mb": median(one["peak_bytes"] for one in cold) / 1e6,
            "images_per_s": [round(one["images_per_s"], 3) for one in warm],
            "installed_mb": installed_mb(PHOTO_ENVIRONMENTS[way], work),
        }
    return row


def compare_maps(rows: Sequence[Values], first_rounds: dict[str, Values], own: photo_way.Found) -> None:
    """Add how alike each map and box is to that of our float32 file, whose weights all others have.

    Its map is scaled up as theirs are.
    """
    from lightcam_edge.box import Box
    from lightcam_edge.cam import upsample

    for row in rows:
        said = first_rounds[row["way"]]
        if row["error"] is None:
            theirs = np.asarray(said["map"], np.float32)
            row["map_correlation"] = correlation(
                upsample(np.asarray(own.cam, np.float32), theirs.shape), theirs
            )
            row["box_iou"] = Box(*own.box).iou(Box(*said["box"]))


def measure_group(group: str, work: Path, results: Path, rounds: int | None, seconds: float | None) -> None:
    board, before = read_board(), read_state()
    if group in NETWORK_GROUPS:
        rows = measure_network(*NETWORK_GROUPS[group], work, rounds or 5, seconds or 0.4)
        environments = set(NETWORK_ENVIRONMENTS.values())
    else:
        ways = PHOTO_GROUPS[group]
        rows = measure_photos(ways, work, rounds or 3, seconds or 1.0)
        environments = {PHOTO_ENVIRONMENTS[way] for way in ways}
    values = {
        "group": group,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "board": asdict(board),
        "warnings": board_warnings(board, before, read_state()),
        "versions": {name: versions(name, work) for name in sorted(environments)},
        "rows": rows,
    }
    results.mkdir(parents=True, exist_ok=True)
    text = json.dumps(values, ensure_ascii=False, indent=1) + "\n"
    write_atomically(results / f"{group}.json", text.encode())


WORK_OPTION = click.option(
    "--work", type=click.Path(path_type=Path), default=WORK, help="Folder of the environments and files."
)
RESULTS_OPTION = click.option(
    "--results", type=click.Path(path_type=Path), default=RESULTS, help="Folder of what is measured."
)


@click.group(invoke_without_command=True)
@WORK_OPTION
@RESULTS_OPTION
@click.pass_context
def main(context: click.Context, work: Path, results: Path) -> None:
    """Install the peers, measure all of them beside us, and write the tables."""
    if context.invoked_subcommand is None:
        prepare(work)
        for group in GROUPS:
            measure_group(group, work, results, None, None)
        write_tables(results)


@main.command("prepare")
@WORK_OPTION
def prepare_command(work: Path) -> None:
    """Install the peers and make their files."""
    for way, reason in prepare(work).items():
        click.echo(f"{way}: {reason}")


@main.command("measure")
@click.argument("group", type=click.Choice(GROUPS))
@click.option("--rounds", type=click.IntRange(1), help="Default: 5 for networks, 3 for photographs.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Of each round, of each peer.")
@WORK_OPTION
@RESULTS_OPTION
def measure_command(group: str, rounds: int | None, seconds: float | None, work: Path, results: Path) -> None:
    """Measure one group of peers."""
    measure_group(group, work, results, rounds, seconds)


@main.command("tables")
@RESULTS_OPTION
def tables_command(results: Path) -> None:
    """Write the tables of all groups beside their results."""
    write_tables(results)


if __name__ == "__main__":
    main()
