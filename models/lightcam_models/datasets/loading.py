"""One call from what the user names to a data set."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from lightcam_edge.errors import UsageError
from lightcam_models.datasets.dataset import Dataset, Split
from lightcam_models.datasets.folder import LAYOUT, read_class_folders
from lightcam_models.datasets.photographs import Found, open_photographs
from lightcam_models.datasets.public import (
    BACKGROUND,
    PetBoxes,
    largest_breeds,
    read_cub,
    read_dogs_vs_cats,
    read_landscape,
    read_oxford_pets,
    read_stanford_dogs,
    reader_for,
)
from lightcam_models.datasets.shards import is_webdataset, load_shards

CUB, DOGS, PETS, CATS_AND_DOGS = "CUB_200_2011", "stanford_dogs", "oxford_pets", "dogs_vs_cats"
LANDSCAPE = "landscape"


def load_dataset(
    spec: str | Path,
    split: Split,
    background: str | None = None,
    root: Path | None = None,
    boxes: PetBoxes = "body",
) -> Dataset:
    """Read a data set: one of the paper's by name, or a folder in a layout that is recognised.

    Args:
        spec: a name from `NAMED`, or a folder: CUB-200-2011, Stanford Dogs,
            Oxford-IIIT Pet, Dogs vs. Cats, images/ with annotations/*.xml,
            WebDataset shards, or one sub-folder a class.
        split: which part; see each reader for what its layout has.
        background: which label is the background; a named set has its landscapes as `background`.
        root: the folder that holds CUB_200_2011/, stanford_dogs/, ..., for a named set.
        boxes: which boxes Oxford-IIIT Pet gives.

    Raises:
        UsageError: if there is no such data set or part of it, or fewer than two classes.
    """
    name, folder = str(spec), Path(spec)
    if name in NAMED and (root is not None or not folder.is_dir()):
        return _load_named(name, split, background or BACKGROUND, root, boxes)
    if not folder.is_dir():
        names = ", ".join(NAMED)
        raise UsageError(f"no data set {name}: give a folder that exists, or one of {names} with --data-root")
    if is_webdataset(folder):
        return load_shards(folder, split, background)
    read = reader_for(folder) or read_class_folders
    if read is read_class_folders:
        _refuse_collection(folder)
    found = read_oxford_pets(folder, split, boxes) if read is read_oxford_pets else read(folder, split)
    return open_photographs(folder.resolve().name, folder, found, background, LAYOUT.format(folder))


def _refuse_collection(folder: Path) -> None:
    inner = next((sub for sub in sorted(folder.iterdir()) if sub.is_dir() and reader_for(sub)), None)
    if inner:
        names = ", ".join(NAMED)
        raise UsageError(
            f"{folder} holds whole data sets: give {inner}, or {names} with --data-root {folder}"
        )


def _load_named(name: str, split: Split, background: str, root: Path | None, boxes: PetBoxes) -> Dataset:
    if root is None:
        raise UsageError(f"data set {name} is put together from public ones: say where with --data-root DIR")
    found = _together(NAMED[name](root, split, boxes))
    return open_photographs(name, root, found, background, f"the public data sets of {name}")


def _together(parts: list[Found]) -> Found:
    return Found(
        tuple(entry for part in parts for entry in part.entries),
        tuple(one for part in parts for one in part.skipped),
        " ".join(part.terms for part in parts),
        tuple(dict.fromkeys(label for part in parts for label in part.labels)),
    )


def _part(root: Path, name: str) -> Path:
    if not (root / name).is_dir():
        raise UsageError(f"{root} lacks {name}/: --data-root is the folder that holds it")
    return root / name


def _called(found: Found, label: str) -> Found:
    entries = tuple(replace(entry, label=label) for entry in found.entries)
    return replace(found, entries=entries, labels=(label,))


def _only(found: Found, labels: Iterable[str]) -> Found:
    kept = set(labels)
    entries = tuple(entry for entry in found.entries if entry.label in kept)
    return replace(found, entries=entries, labels=tuple(label for label in found.labels if label in kept))


def _scenes(root: Path, split: Split) -> Found:
    return read_landscape(_part(root, LANDSCAPE), split)


def _bird_dog(root: Path, split: Split, _: PetBoxes) -> list[Found]:
    birds = _called(read_cub(_part(root, CUB), split), "bird")
    dogs = _called(read_stanford_dogs(_part(root, DOGS), split), "dog")
    return [birds, dogs, _scenes(root, split)]


def _cat_dog(root: Path, split: Split, boxes: PetBoxes) -> list[Found]:
    if split == "test":
        return [read_oxford_pets(_part(root, PETS), split, boxes), _scenes(root, split)]
    both = read_dogs_vs_cats(_part(root, CATS_AND_DOGS), split)
    dogs = _called(read_stanford_dogs(_part(root, DOGS), split), "dog")
    return [both, dogs, _scenes(root, split)]


def _breeds(root: Path, split: Split, _: PetBoxes) -> list[Found]:
    return [read_stanford_dogs(_part(root, DOGS), split), _scenes(root, split)]


def _ten_breeds(root: Path, split: Split, boxes: PetBoxes) -> list[Found]:
    dogs, scenes = _breeds(root, split, boxes)
    return [_only(dogs, largest_breeds(_part(root, DOGS), 10)), scenes]


# The four data sets of the Light-CAM paper (J. KICS 2022), each with its background class.
NAMED: dict[str, Callable[[Path, Split, PetBoxes], list[Found]]] = {
    "bird-dog": _bird_dog,
    "cat-dog": _cat_dog,
    "stanford-dogs-10": _ten_breeds,
    "stanford-dogs": _breeds,
}
