"""Photographs that nobody labelled, named by a network that learnt from those that somebody did."""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lightcam_edge.errors import InputError, UsageError
from lightcam_edge.model_file import write_atomically
from lightcam_models.batches import decode_photographs
from lightcam_models.datasets import Dataset, Example
from lightcam_models.datasets.photographs import image_files
from lightcam_models.progress import Progress
from lightcam_models.teacher import fit_linear_classifier, pooled_by_imagenet, softmax

SURE = 0.9
HEAD = ("path", "label", "probability")


def add_pseudo_labels(
    labelled: Dataset, held_out: Dataset, folder: Path, out: Path, progress: Progress
) -> Dataset:
    """Labelled photographs, and after them those of a folder whose class is sure.

    A linear classifier on the whole ImageNet network's averaged features learns
    the labelled photographs and names the others (pseudo-labels, Lee 2013). What
    it is less sure of than `SURE` is left out, and so are photographs that somebody
    labelled, which may lie in the same folder. All it said is kept in
    `pseudo-labels.csv`, to be looked at, and read again where the file is there.

    Args:
        labelled: the training photographs, by absolute paths.
        held_out: those that training must not see, the same way.
        folder: the others, sub-folders included.
        out: where the table is written, and pixels for the while in `state/`.
        progress: told how far it is.

    Raises:
        UsageError: if the folder holds no other image.
        InputError: if the table cannot be read, or names what is not there.
    """
    table = out / "pseudo-labels.csv"
    if not table.exists():
        known = {example.path.resolve() for example in labelled.examples + held_out.examples}
        found = map(Path.absolute, image_files(folder, nested=True))
        files = [path for path in found if path.resolve() not in known]
        if not files:
            raise UsageError(f"--unlabelled {folder} holds no image that is not labelled already")
        write_atomically(table, _name(labelled, files, folder, out / "state", progress).encode())
    try:
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        sure = [_example(row, labelled) for row in rows if float(row["probability"]) >= SURE]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"cannot read {table} ({error}): remove it to have it made again") from error
    counts = ", ".join(f"{sum(one.label == label for one in sure)} {label}" for label in labelled.labels)
    progress.line(f"unlabelled: {len(sure)} of {len(rows)} named: {counts}; see {table}")
    root = Path(os.path.commonpath([labelled.root, folder.absolute()]))
    return replace(labelled, examples=labelled.examples + tuple(sure), root=root)


def _example(row: dict[str, str], labelled: Dataset) -> Example:
    path = Path(row["path"])
    path.stat()  # raises where it is gone
    if row["label"] not in labelled.labels:
        raise ValueError(f"{row['label']} is no class")
    return Example(path, row["label"])


def _name(labelled: Dataset, files: Sequence[Path], folder: Path, state: Path, progress: Progress) -> str:
    """The table: path, class and its probability of photographs below a folder."""
    others = replace(
        labelled, examples=tuple(Example(path, labelled.labels[0]) for path in files), root=folder.absolute()
    )
    known_pixels, labelled = decode_photographs(labelled, state / "labelled", progress)
    other_pixels, others = decode_photographs(others, state / "unlabelled", progress)
    targets = np.array([labelled.labels.index(example.label) for example in labelled.examples])
    known, asked = (pooled_by_imagenet(pixels, progress) for pixels in (known_pixels, other_pixels))
    kernel, bias = fit_linear_classifier(known, targets, len(labelled.labels))
    scores = softmax(asked @ kernel + bias)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(HEAD)
    for example, score in zip(others.examples, scores, strict=True):
        rows.writerow((example.path, labelled.labels[int(score.argmax())], f"{score.max():.4f}"))
    return text.getvalue()
