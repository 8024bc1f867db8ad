"""Labelled photographs, and how a part of them is held out."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from lightcam_edge.box import Box
from lightcam_edge.errors import InputError

Split = Literal["train", "test"]


@dataclass(frozen=True, slots=True)
class Example:
    """One photograph and what is known of it.

    Args:
        path: the image file, or the shard that holds it.
        label: its class.
        boxes: where the objects are, in pixels of the upright image; for measuring only, never for training.
        mask: a segmentation file in the layout of its data set, or None.
        member: offset and size of the image inside the shard, in bytes, or None for an image file.
    """

    path: Path
    label: str
    boxes: tuple[Box, ...] = ()
    mask: Path | None = None
    member: tuple[int, int] | None = None

    def name_in(self, root: Path) -> str:
        """Its path below a folder, with its offset where it lies in a shard."""
        name = self.path.relative_to(root).as_posix()
        return name if self.member is None else f"{name}@{self.member[0]}"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Photographs of several classes.

    Args:
        name: what the set is called in reports and model cards.
        labels: the classes in the order of their index, the background last.
        background: which label is the background, or None.
        examples: the photographs.
        skipped: what could not be read, and why.
        terms: one sentence on how the data may be used, for the model card.
        root: the folder that `digest` takes paths relative to.
    """

    name: str
    labels: tuple[str, ...]
    background: str | None
    examples: tuple[Example, ...]
    skipped: tuple[tuple[Path, str], ...] = ()
    terms: str = ""
    root: Path = Path()

    @property
    def background_index(self) -> int | None:
        """Class index of the background, or None."""
        return None if self.background is None else self.labels.index(self.background)

    @property
    def digest(self) -> str:
        """SHA-256 over the sorted relative path, label and size of every photograph, in hex."""
        lines = sorted(self._line(example) for example in self.examples)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def absolute(self) -> "Dataset":
        """The same with absolute paths, so that photographs from elsewhere can join; links stay links."""
        examples = tuple(replace(example, path=example.path.absolute()) for example in self.examples)
        return replace(self, examples=examples, root=self.root.absolute())

    def _line(self, example: Example) -> str:
        offset, size = example.member or (0, example.path.stat().st_size)
        return "\t".join(
            (example.path.relative_to(self.root).as_posix(), str(offset), example.label, str(size))
        )


def read_bytes(example: Example) -> bytes:
    """Read the encoded image of an example, from its file or out of its shard.

    Raises:
        InputError: if the file cannot be read.
    """
    try:
        if example.member is None:
            return example.path.read_bytes()
        offset, size = example.member
        with example.path.open("rb") as shard:
            shard.seek(offset)
            return shard.read(size)
    except OSError as error:
        raise InputError(f"cannot read {example.path}: {error.strerror}") from error


def split_validation(dataset: Dataset, share: float = 0.1, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Hold out the same share of every class, the same photographs for the same seed.

    Args:
        dataset: the training photographs.
        share: how much to hold out, in [0, 1); at least one photograph of a class that has two.
        seed: of the choice.

    Returns:
        What is left for training, and what is held out, both in the order of the data set.

    Raises:
        ValueError: if the share is out of range.
    """
    if not 0 <= share < 1:
        raise ValueError(f"validation share {share} is outside [0, 1)")
    members_of: dict[str, list[int]] = {label: [] for label in dataset.labels}
    for index, example in enumerate(dataset.examples):
        members_of[example.label].append(index)
    held_out: set[int] = set()
    rng = np.random.default_rng(seed)
    for members in members_of.values():
        count = max(1, round(share * len(members))) if share and len(members) > 1 else 0
        held_out.update(rng.permutation(members)[:count].tolist())
    parts = (
        ([], [])
        if not dataset.examples
        else tuple(
            [example for i, example in enumerate(dataset.examples) if (i in held_out) == held]
            for held in (False, True)
        )
    )
    train, validation = (replace(dataset, examples=tuple(part)) for part in parts)
    return train, validation
