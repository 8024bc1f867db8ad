"""Localization against multiply-accumulates and latency, of the bundled models and their relatives.

    python benchmarks/family.py --data-root ../shared/datasets

Trains what is not bundled, under the masks of the bundled `lite`: `lite` at
320 px, the whole Lite0, `light-cam` at half its width. What is there already is
not made again. Then `lightcam-edge benchmark` measures all of them, and
results/family.json, family.md and family.png are written.
"""

import json
from pathlib import Path
from typing import Any

import click
from build_models import BUNDLED, DATA_SET, LIGHT_CAM, Training, call, made, train

from lightcam_edge.model_file import write_atomically

RESULTS = Path(__file__).parent / "results"
NAMES = ("nano", "tiny", "lite", "light-cam")
FIRST_ROUND = Training(
    "lite-320-first-round",
    "--input-size 320 --training-size 224 --epochs 4",
    (BUNDLED / "lite.tflite",),
)
LESSON = (f"{FIRST_ROUND.name}/lesson.npz",)  # the same masks, made once
RELATIVES = (
    Training(
        "lite-320",
        "--input-size 320 --training-size 320 --epochs 2 --learning-rate 5e-4",
        LESSON,
        FIRST_ROUND.name,
    ),
    Training("lite0", "--option blocks=16 --frozen-blocks 16 --epochs 2 --training-size 160", LESSON),
    Training(
        "light-cam-half",
        f"{LIGHT_CAM} --option width=0.5 --epochs 8 --training-size 128 --learning-rate 2e-3",
        LESSON,
    ),
)
HEAD = ("model", "parameters", "multiply-accumulates", "file", "1 thread", "class and box", "box", "density")
UNITS = ("", "M", "M", "MB", "ms", "%", "%", "%/M")


def row(result: dict[str, Any]) -> tuple[float, tuple[str, ...]]:
    """Multiply-accumulates, and the cells of the table."""
    model, accuracy = result["model"], result["accuracy"]
    macs = model["macs"]
    return macs, (
        model["name"],
        f"{model['parameters'] / 1e6:.2f}",
        f"{macs / 1e6:.0f}",
        f"{model['size'] / 1e6:.2f}",
        f"{result['stages']['total']['p50']:.2f}",
        f"{accuracy['top1_localization'][0]:.1f}",
        f"{accuracy['gt_known'][0]:.1f}",
        f"{accuracy['information_density']:.0f}",
    )


def table(benchmark: dict[str, Any]) -> str:
    """Markdown, from few multiply-accumulates to many."""
    rows = [cells for _, cells in sorted(row(result) for result in benchmark["results"])]
    head = [f"{name}, {unit}" if unit else name for name, unit in zip(HEAD, UNITS, strict=True)]
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


@click.command()
@click.option("--data-root", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/family"), show_default=True)
def main(data_root: Path, work: Path) -> None:
    train(FIRST_ROUND, data_root, work)
    files = [*NAMES, *(made(training, data_root, work) for training in RELATIVES)]
    output, data = RESULTS / "family.json", ("--data", DATA_SET, "--data-root", data_root)
    shown = ("--json", output, "--plot", output.with_suffix(".png"))
    call("benchmark", *files, "--in-memory", "--threads", "1", *data, *shown)
    benchmark = json.loads(output.read_text())
    for result in benchmark["results"]:
        result["model"]["path"] = Path(result["model"]["path"]).name
    write_atomically(output, json.dumps(benchmark, indent=1).encode())
    write_atomically(output.with_suffix(".md"), table(benchmark).encode())


if __name__ == "__main__":
    main()
