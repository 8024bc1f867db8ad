"""How many boxes of the masks that teach are right, on training photographs with one true box.

    python benchmarks/lesson_boxes.py bird-dog ../shared/datasets runs/*/lesson.npz
    python benchmarks/lesson_boxes.py bird-dog ../shared/datasets runs/tiny/lesson.npz --advise lite

No box is used in training; this tells how good a training without any can be.
With several lessons their vote is judged too, as `train --teacher` takes it.
`--advise` tells the box rule that the last lesson gives a model instead, of the
photographs that a training with seed 0 holds out, as `train` chooses one.
"""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import numpy as np
from PIL import Image

from lightcam_edge.box import COMPONENTS, Box, BoxRule, boxes_from_map
from lightcam_edge.cam import upsample
from lightcam_edge.interpreter import Interpreter
from lightcam_edge.model_file import read_model
from lightcam_models.batches import decode_photographs
from lightcam_models.datasets import Dataset, load_dataset, split_validation
from lightcam_models.progress import Progress
from lightcam_models.teacher import Lesson, Trunk, calibrate, localize_all, read_lesson, teach

CUTS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.6)
SIDE = 224


def truth(path: Path, box: Box) -> Box:
    """A true box of an upright photograph, in the frame of the squashed one."""
    with Image.open(path) as image:
        width, height = image.size
    x, y = SIDE / width, SIDE / height
    return Box(box.x0 * x, box.y0 * y, box.x1 * x, box.y1 * y)


def judge(name: str, lesson: Lesson, dataset: Dataset) -> None:
    located = [index for index, example in enumerate(dataset.examples) if len(example.boxes) == 1]
    truths = [truth(dataset.examples[index].path, dataset.examples[index].boxes[0]) for index in located]
    labels = np.array([dataset.examples[index].label for index in located])
    maps = [upsample(lesson.masks[index].astype(np.float32), (SIDE, SIDE)) for index in located]
    print(f"{name}: {len(located)} photographs")
    for component in COMPONENTS:
        rows = {cut: ious(maps, truths, BoxRule(cut, component)) for cut in CUTS}
        cut = max(rows, key=lambda one: (rows[one] >= 0.5).mean())
        right = rows[cut] >= 0.5
        parts = "  ".join(f"{label} {right[labels == label].mean():.1%}" for label in np.unique(labels))
        iou = f"IoU 0.7 {(rows[cut] >= 0.7).mean():.1%}, mean {rows[cut].mean():.3f}"
        print(f"  {component} above {cut}: right {right.mean():.1%}  {parts}  {iou}")
    for low, high in ((0, 0.6), (0.6, 0.7), (0.7, 1.01)):
        some = (lesson.certainty[located] >= low) & (lesson.certainty[located] < high)
        if some.any() and not some.all():
            print(
                f"  agreement {low}..{min(high, 1)}: {some.sum()} photographs, right {right[some].mean():.1%}"
            )


def ious(maps: list[np.ndarray], truths: list[Box], rule: BoxRule) -> np.ndarray:
    found = (boxes_from_map(cam, rule) for cam in maps)
    return np.array([boxes[0].iou(box) if boxes else 0.0 for boxes, box in zip(found, truths, strict=True)])


def advise(model: str, lesson: Path, dataset: Dataset) -> None:
    held_out = split_validation(dataset)[1]
    with tempfile.TemporaryDirectory() as folder:
        pixels, held_out = decode_photographs(held_out, Path(folder), Progress(quiet=True))
        targets = np.array([held_out.labels.index(example.label) for example in held_out.examples])
        trunk = Trunk.of_file(Interpreter(read_model(model).flatbuffer))
        background = held_out.background_index
        _, cams = localize_all(trunk, pixels, targets, background, Progress(quiet=True))
    masks = read_lesson(lesson, [example.name_in(held_out.root) for example in held_out.examples]).masks
    rule, agreement = calibrate(cams, masks, trunk.input_hw)
    print(f"{model}: {rule.component} above {rule.threshold}, mean IoU {agreement:.3f} with the masks' boxes")


@click.command()
@click.argument("data")
@click.argument("root", type=click.Path(path_type=Path, exists=True))
@click.argument("lessons", nargs=-1, required=True)
@click.option("--advise", "models", multiple=True, help="Model file or bundled model.")
def main(data: str, root: Path, lessons: tuple[str, ...], models: tuple[str, ...]) -> None:
    dataset = load_dataset(data, "train", root=root)
    for model in models:
        advise(model, Path(lessons[-1]), dataset)
    if models:
        return
    names = [example.name_in(dataset.root) for example in dataset.examples]
    for path in lessons:
        judge(path, read_lesson(Path(path), names), dataset)
    if len(lessons) > 1:
        targets = np.array([dataset.labels.index(example.label) for example in dataset.examples])
        pixels = np.zeros((len(targets), 1, 1, 3), np.uint8)
        vote = teach(
            pixels, targets, names, dataset.labels, dataset.background_index, lessons, Progress(quiet=True)
        )
        judge("their vote", vote, dataset)


if __name__ == "__main__":
    main()
