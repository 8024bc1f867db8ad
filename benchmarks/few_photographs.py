"""What 40 photographs of each class give: cats, dogs and scenes, plain, by the masks, with unsorted ones.

    python benchmarks/few_photographs.py --data-root ../shared/datasets

Draws them, 180 others of each from the same sources that no training sees, to be
named, and 180 more that stand in for what nobody has sorted. Boxes are measured
on Oxford-IIIT Pet. What is there already in --work is not made again,
and a training that was cut off goes on.
"""

import json
import subprocess
from pathlib import Path

import click
import numpy as np
from build_models import COMMAND, Training, made

SOURCES = {
    "cat": "dogs_vs_cats/train/cat.*.jpg",
    "dog": "dogs_vs_cats/train/dog.*.jpg",
    "background": "landscape/train/*.jpg",
}
TRAININGS = {"plain": "--recipe plain", "masks": "", "all": "--unlabelled {unsorted}"}


def draw(data_root: Path, folder: Path, count: int, others: int, seed: int) -> None:
    """Link `count` photographs of each class into train/, `others` into test/ and as many into unsorted/."""
    parts = (("photos/train", count), ("photos/test", others), ("unsorted", others))
    rng = np.random.default_rng(seed)
    for name, pattern in SOURCES.items():
        files = rng.permutation(np.array(sorted(data_root.resolve().glob(pattern)), dtype=object))
        first = 0
        for part, number in parts:
            parent = folder / part / name
            parent.mkdir(parents=True, exist_ok=True)
            for file in files[first : first + number]:
                (parent / file.name).unlink(missing_ok=True)
                (parent / file.name).symlink_to(file)
            first += number


def evaluate(file: Path, *data: object) -> dict:
    """The verdicts of the model card's method."""
    words = [str(word) for word in (*COMMAND, "evaluate", file, *data, "--json", "--quiet")]
    model = json.loads(subprocess.check_output(words))["photographs"]["models"][0]
    return model["verdicts"][model["shipped"]]["overall"]


def percent(share: dict) -> str:
    """A share with half of its 95% interval."""
    return f"{share['percent']:.1f} ±{(share['high'] - share['low']) / 2:.1f}"


@click.command()
@click.option("--data-root", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/few"), show_default=True)
@click.option("--count", default=40, show_default=True, help="Photographs of each class.")
@click.option("--others", default=180, show_default=True, help="Of each class.")
@click.option("--seed", default=0, show_default=True, help="Of the draw.")
def main(data_root: Path, work: Path, count: int, others: int, seed: int) -> None:
    """Print a row for each training, in percent."""
    work = work.resolve() / f"{count}-seed-{seed}"
    photographs, unsorted = (work / part for part in ("photos", "unsorted"))
    draw(data_root, work, count, others, seed)
    print(f"{count} of each class, seed {seed}\ntraining  others: class  pets: class and box  box")
    for name, options in TRAININGS.items():
        options = f"--background background {options.format(unsorted=unsorted)}"
        file = made(Training(name, options, data=str(photographs)), data_root, work)
        named = evaluate(file, photographs, "--background", "background")
        pets = evaluate(file, "cat-dog", "--data-root", data_root)
        found, boxed = pets["top1_localization"], pets["gt_known"]["0.5"]
        print(f"{name:8} {percent(named['top1']):>14} {percent(found):>20} {percent(boxed):>12}", flush=True)


if __name__ == "__main__":
    main()
