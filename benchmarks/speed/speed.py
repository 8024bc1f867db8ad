"""Measure how near the product comes to what the bare interpreter and decoder take.

    python benchmarks/speed/speed.py [ROW...] [--json FILE]

Each row is a ratio of two things that take turns, block by block, so that what
slows the machine slows both; the median of the blocks' ratios is told, and the
range that half of them lie in. Rows: memory, network, cold, large, folder,
flat; all of them without a name.
"""

import json
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import cache
from importlib.metadata import version
from pathlib import Path

import click
import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter as LiteRT

from lightcam_edge.benchmarking.board import read_board, read_state
from lightcam_edge.catalogue import bundled_models
from lightcam_edge.images import photo_from_array
from lightcam_edge.localizer import Localizer, physical_cores
from lightcam_edge.model_file import write_atomically
from lightcam_edge.native_log import native_log_hushed

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLES = ROOT / "lightcam_edge" / "samples"
BARE = Path(__file__).with_name("bare.py")
START = Path(__file__).with_name("start.py")
PROGRAM = str(Path(sysconfig.get_path("scripts")) / "lightcam-edge")
PHOTO_WH = (640, 480)
LARGE_TILES_HW = (6, 8)  # of 512x512: 12.6 megapixels with the detail of photographs
FOLDER = 1000
BLOCKS = 12
PAIRS = 4  # interpreters of each side: where one lies in memory alone moves a ratio by some hundredths
Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One ratio.

    Args:
        what: is measured.
        against: what it is divided by.
        ours: median, in the unit that `what` names.
        theirs: median, in the same unit.
        ratio: median of the blocks.
        half: range of the middle half of them.
        target: and whether it is the most or the least.
    """

    what: str
    against: str
    ours: float
    theirs: float
    ratio: float
    half: tuple[float, float]
    target: str


def in_turn(ours: Call, theirs: Call, calls: int, blocks: int = BLOCKS) -> tuple[list[float], list[float]]:
    """Milliseconds a call of each, a median a block."""
    for _ in range(calls):
        ours(), theirs()
    pairs = [(block_ms(ours, calls), block_ms(theirs, calls)) for _ in range(blocks)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def block_ms(call: Call, calls: int) -> float:
    times = []
    for _ in range(calls):
        started = time.perf_counter_ns()
        call()
        times.append((time.perf_counter_ns() - started) / 1e6)
    return statistics.median(times)


def row(what: str, against: str, ours: list[float], theirs: list[float], target: str) -> Row:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return Row(what, against, statistics.median(ours), statistics.median(theirs), middle, (low, high), target)


def raw_interpreter(model: Path, threads: int) -> LiteRT:
    with native_log_hushed():
        interpreter = LiteRT(str(model), num_threads=threads)
        interpreter.allocate_tensors()
    return interpreter


def photo(folder: Path, size_wh: tuple[int, int], name: str = "bird") -> Path:
    path = folder / f"{name}-{size_wh[0]}.jpg"
    pixels = cv2.imread(str(SAMPLES / f"{name}.jpg"))
    cv2.imwrite(
        str(path),
        cv2.resize(pixels, size_wh, interpolation=cv2.INTER_CUBIC),
        [cv2.IMWRITE_JPEG_QUALITY, 90],
    )
    return path


def mosaic(folder: Path) -> Path:
    """A large photograph out of small ones: enlarged, one has too little detail and decodes too fast."""
    path = folder / "large.jpg"
    samples = [cv2.imread(str(SAMPLES / f"{name}.jpg")) for name in ("bird", "dog")]
    tiles = [cv2.resize(one, (512, 512)) for one in samples]
    rows, columns = LARGE_TILES_HW
    pixels = np.vstack([np.hstack([tiles[(y + x) % 2] for x in range(columns)]) for y in range(rows)])
    cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return path


def memory_rows(folder: Path) -> Iterator[Row]:
    found = photo_from_array(cv2.imread(str(photo(folder, PHOTO_WH))), "bgr")
    for name, target in (("lite", "<= 1.20"), ("tiny", ""), ("nano", ""), ("light-cam", "<= 1.10")):
        for threads in sorted({1, physical_cores()}):
            ours, theirs = [], []
            for _ in range(PAIRS):
                localizer = Localizer(name, threads=threads)
                raw = raw_interpreter(bundled_models()[name], threads)
                sides = in_turn(lambda one=localizer: one.localize(found), raw.invoke, 30, BLOCKS // PAIRS)
                ours += sides[0]
                theirs += sides[1]
            yield row(
                f"{name}, {threads} thread(s): frame in memory to box, ms",
                "invoke of the bare interpreter",
                ours,
                theirs,
                target,
            )


def network_rows(_: Path) -> Iterator[Row]:
    for name in ("lite", "light-cam"):
        localizer = Localizer(name, threads=1)
        raw = raw_interpreter(bundled_models()[name], 1)
        pixels = np.zeros((*localizer.input_hw, 3), np.uint8)
        tensors = raw.get_signature_runner("localize")
        image = tensors.get_input_details()["image"]["index"]
        read = [tensors.get_output_details()[name]["index"] for name in ("scores", "features")]
        del tensors  # it is taken for a pointer into the tensors

        def bare(raw: LiteRT = raw, image: int = image, read: list[int] = read) -> None:
            raw.set_tensor(image, pixels[None])  # noqa: B023
            raw.invoke()
            for index in read:
                raw.get_tensor(index)

        ours, theirs = in_turn(lambda one=localizer: one.interpreter.invoke(pixels), bare, 40)  # noqa: B023
        yield row(
            f"{name}, 1 thread: pixels to scores and features, ms",
            "set, invoke and get of the bare interpreter",
            ours,
            theirs,
            "<= 1.02",
        )


def cold_rows(folder: Path) -> Iterator[Row]:
    path, threads = str(photo(folder, PHOTO_WH)), str(physical_cores())
    run = [PROGRAM, "run", path, "--out", str(folder / "out")]
    bare = [sys.executable, str(BARE), str(bundled_models()["lite"]), threads]
    pairs = [(process(run), process(bare)) for _ in range(20)]
    seconds = [[one.seconds for one in side] for side in zip(*pairs, strict=True)]
    peaks = [[one.peak_mb for one in side] for side in zip(*pairs, strict=True)]
    what = "`lightcam-edge run photo.jpg --out DIR`, 640x480"
    against = "a process that imports numpy, cv2 and the interpreter, and invokes once"
    yield row(f"{what}: cold, s", against, *seconds, "<= 1.6")
    yield row(f"{what}: peak RSS, MB", against, *peaks, "<= 1.25")


@dataclass(frozen=True, slots=True)
class Process:
    """What a process took."""

    seconds: float
    peak_mb: float


def process(command: list[str], lines: str = "") -> Process:
    seconds, peak_mb, code = json.loads(_ask(json.dumps([command, lines])))
    if code:
        raise click.ClickException(f"{' '.join(command)} ended with {code}")
    return Process(seconds, peak_mb)


def _ask(question: str) -> str:
    starter = _starter()
    if starter.stdin is None or starter.stdout is None:
        raise ValueError("a process without pipes")
    starter.stdin.write(question + "\n")
    starter.stdin.flush()
    return starter.stdout.readline()


@cache
def _starter() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-S", str(START)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def large_rows(folder: Path) -> Iterator[Row]:
    path = mosaic(folder)
    localizer = Localizer("lite")

    def decode() -> object:
        return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_REDUCED_COLOR_8)

    ours, theirs = in_turn(lambda: localizer(path), decode, 5)
    yield row(
        "12-megapixel JPEG to box, warm, ms", "its decoding at an eighth alone", ours, theirs, "<= 1.25"
    )


def folder_rows(folder: Path) -> Iterator[Row]:
    many = folder / "many"
    many.mkdir()
    content = [photo(folder, PHOTO_WH, name).read_bytes() for name in ("bird", "dog", "landscape")]
    for number in range(FOLDER):
        (many / f"{number:04d}.jpg").write_bytes(content[number % 3])
    localizers = [Localizer("lite", threads=1) for _ in range(physical_cores())]
    few = sorted(many.iterdir())[:90]
    ours, theirs, side_by_side = [], [], []
    for _ in range(8):
        laps = [localizers[0](path).latency_ms for path in few]
        needed = sum(
            statistics.median(lap[stage] for lap in laps) for stage in ("decode", "preprocess", "inference")
        )
        theirs.append(physical_cores() / needed * 1e3)
        start = process([PROGRAM, "run", str(few[0]), "--json"]).seconds
        whole = process([PROGRAM, "run", str(many), "--json"]).seconds
        ours.append((FOLDER - 1) / (whole - start))
        side_by_side.append(networks_alone(localizers, few))
    yield row(
        f"{FOLDER} photographs, 640x480, all cores, less the start, images/s",
        "cores / (decode + preprocess + inference with 1 thread)",
        ours,
        theirs,
        ">= 0.90",
    )
    yield row("the same", "decode + preprocess + inference on all cores at once", ours, side_by_side, "")


def networks_alone(localizers: Sequence[Localizer], paths: Sequence[Path]) -> float:
    """Images/s where each core decodes and runs the network, and nothing is made of it.

    The cores share memory and its cache: so many at once do less than so many times one.
    """

    def look(localizer: Localizer) -> None:
        for path in paths:
            localizer.infer(localizer.open(path))

    with ThreadPoolExecutor(len(localizers)) as pool:
        started = time.perf_counter()
        list(pool.map(look, localizers))
        return len(localizers) * len(paths) / (time.perf_counter() - started)


def flat_rows(folder: Path) -> Iterator[Row]:
    path = photo(folder, PHOTO_WH)
    command = [PROGRAM, "run", "-", "--json", "--quiet"]
    few, many = (process(command, f"{path}\n" * count).peak_mb for count in (1_000, 10_000))
    yield Row("peak RSS after 10,000 images, MB", "after 1,000", many, few, many / few, (0, 0), "flat")


ROWS = {
    "memory": memory_rows,
    "network": network_rows,
    "cold": cold_rows,
    "large": large_rows,
    "folder": folder_rows,
    "flat": flat_rows,
}


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.argument("names", nargs=-1, type=click.Choice(list(ROWS)))
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False))
def main(names: tuple[str, ...], json_path: Path | None) -> None:
    before, found = read_state(), []
    click.echo("| what | ours | bare | ratio | middle half | target |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in names or ROWS:
            for one in ROWS[name](Path(folder)):
                found.append(one)
                click.echo(shown(one))
    if json_path is not None:
        values = {
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "board": asdict(read_board()),
            "load": before.load,
            "python": sys.version.split()[0],
            "versions": {
                name: version(name) for name in ("numpy", "opencv-python-headless", "ai-edge-litert")
            },
            "rows": [asdict(one) for one in found],
        }
        write_atomically(json_path, (json.dumps(values, indent=1) + "\n").encode())


def shown(one: Row) -> str:
    half = f"{one.half[0]:.2f}-{one.half[1]:.2f}" if any(one.half) else ""
    return (
        f"| {one.what}, against {one.against} | {one.ours:.3g} | {one.theirs:.3g} "
        f"| **{one.ratio:.2f}** | {half} | {one.target} |"
    )


if __name__ == "__main__":
    main()
