"""From what a user asks for to what is trained."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightcam_edge.errors import UsageError
from lightcam_models.datasets import load_dataset
from lightcam_models.datasets.photographs import image_files
from lightcam_models.evaluation.metrics import EMPTY_SHARE
from lightcam_models.progress import Progress
from lightcam_models.recipes import RECIPES
from lightcam_models.teacher import IMAGENET, TEACHERS
from lightcam_models.training import Order


def place(
    data: str,
    out: Path,
    recipe: str,
    *,
    architecture: str = "lite",
    background: str | None = None,
    data_root: Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    input_size: int | None = None,
    training_size: int | None = None,
    frozen_blocks: int | None = None,
    averaging: float | None = None,
    options: Sequence[str] = (),
    backbone: Path | None = None,
    unlabelled: Path | None = None,
    teachers: Sequence[str] = (),
    validation_share: float = 0.1,
    seed: int = 0,
    precision: str = "auto",
    empty_share: float = EMPTY_SHARE,
    progress: Progress | None = None,
) -> Order:
    """Read the data set, report what of it is broken, and settle the recipe.

    Raises:
        UsageError: if there is no such recipe, teacher, option or data set.
    """
    if recipe not in RECIPES:
        raise UsageError(f"no recipe {recipe!r}: choose from {', '.join(RECIPES)}")
    for teacher in teachers:
        _refuse_no_teacher(teacher)
    progress = progress or Progress()
    dataset = load_dataset(data, "train", background=background, root=data_root)
    for path, reason in dataset.skipped:
        progress.line(f"skipped {path}: {reason}")
    counts = {label: sum(example.label == label for example in dataset.examples) for label in dataset.labels}
    found = ", ".join(f"{count} {label}" for label, count in counts.items())
    progress.line(
        f"{dataset.name}: {found}; {len(dataset.skipped)} skipped; background: {dataset.background}"
    )
    others = len(image_files(unlabelled, nested=True)) if unlabelled else 0
    settled = RECIPES[recipe].resolved(
        round(len(dataset.examples) * (1 - validation_share)) + others,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        training_size=training_size,
        frozen_blocks=frozen_blocks,
        averaging=averaging,
    )
    if dataset.background is None:  # the map is that of one class, so objects of one class are shown
        settled = replace(settled, augmentation=replace(settled.augmentation, several=0.0))
    return Order(
        dataset,
        out,
        architecture,
        settled,
        input_size,
        dict(_option(text) for text in options),
        backbone,
        unlabelled,
        tuple(teachers),
        validation_share,
        seed,
        precision,
        empty_share,
    )


def _refuse_no_teacher(teacher: str) -> None:
    path = Path(teacher)
    if teacher == IMAGENET or (path.suffix in TEACHERS and path.is_file()):
        return
    kinds = ", ".join(TEACHERS)
    raise UsageError(f"no teacher {teacher}: name {IMAGENET}, or a file that is there ({kinds})")


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"option {text!r} is not NAME=VALUE, for instance blocks=9")
    try:
        return name, json.loads(value.lower())
    except json.JSONDecodeError:
        return name, value
