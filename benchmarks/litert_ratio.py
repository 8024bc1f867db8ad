"""Whether `lightcam-edge benchmark` and LiteRT's own `litert-benchmark` tell the same of one file.

    python benchmarks/litert_ratio.py --out benchmarks/results/litert_ratio.json

They take turns, each in fresh processes with as many threads, and the ratio of their medians of the
network's time should lie within 10% of 1. Ours copies the picture in and scores and maps out of the
runtime, as whoever uses them must; theirs runs on buffers that stay where they are.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any

import click

from lightcam_edge.benchmarking.board import board_warnings, read_board, read_state
from lightcam_edge.benchmarking.comparing import ratio
from lightcam_edge.benchmarking.report import aligned
from lightcam_edge.benchmarking.sweep import software_versions
from lightcam_edge.model_file import read_model, write_atomically

MODELS = ("light-cam", "lite", "tiny", "nano")
THREADS = (1, 2)
WARM_UP, RUNS = 10, 60
AGREE = 0.10
THEIRS = "from ai_edge_litert.tools.benchmark_litert_model import main; main()"


def ours(model: str, threads: int, out: Path) -> float:
    """Median of the inference stage in ms."""
    command = [sys.executable, "-m", "lightcam_edge", "benchmark", model, "--in-memory", "--quiet"]
    options = ["--threads", threads, "--warmup", WARM_UP, "--runs", RUNS, "--rounds", 1, "--json", out]
    (result,) = measured([*command, *options], out)["results"]
    return result["stages"]["inference"]["p50"]


def theirs(model: str, threads: int, out: Path) -> float:
    """Median of a run in ms."""
    command = [sys.executable, "-c", THEIRS, "--model", read_model(model).path, "--num_threads", threads]
    options = ["--warmup_runs", WARM_UP, "--num_runs", RUNS, "--result_json", out]
    return measured([*command, *options], out)["latency"]["median_ms"]


def measured(command: list[Any], out: Path) -> dict[str, Any]:
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return json.loads(out.read_text())


def compare(model: str, threads: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        pairs = [(ours(model, threads, out), theirs(model, threads, out)) for _ in range(rounds)]
    own, other = zip(*pairs, strict=True)
    found = ratio(other, own)
    return {
        "model": model,
        "threads": threads,
        "lightcam_edge_ms": own,
        "litert_benchmark_ms": other,
        "ratio": round(found.value, 4),
        "interval": [round(found.low, 4), round(found.high, 4)],
        "agrees": abs(found.value - 1) <= AGREE,
    }


def row(result: dict[str, Any]) -> tuple[str, ...]:
    low, high = result["interval"]
    return (
        f"{result['model']}, {result['threads']} thread{'s' * (result['threads'] > 1)}",
        *(f"{median(result[name]):.3f}" for name in ("lightcam_edge_ms", "litert_benchmark_ms")),
        f"{result['ratio']:.3f}",
        f"{low:.3f}..{high:.3f}",
        "agree" if result["agrees"] else "DIFFER",
    )


@click.command()
@click.option("--rounds", type=click.IntRange(3), default=7, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="JSON file for all of it.")
def main(rounds: int, out: Path | None) -> None:
    """Compare both benchmarks on the bundled files; fails where they differ by more than 10%."""
    board, before = read_board(), read_state()
    results = [compare(model, threads, rounds) for model in MODELS for threads in THREADS]
    values = {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "board": asdict(board),
        "software": software_versions(),
        "warnings": board_warnings(board, before, read_state()),
        "results": results,
    }
    if out:
        write_atomically(out, (json.dumps(values, indent=1) + "\n").encode())
    head = ("", "lightcam-edge ms", "litert-benchmark ms", "ratio", "95% interval", "")
    rows = [head, *map(row, results)]
    click.echo("\n".join(aligned(rows)))
    sys.exit(not all(one["agrees"] for one in results))


if __name__ == "__main__":
    main()
