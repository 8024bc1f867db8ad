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
        return _with_background(load_shards(folder, split), background)
    read = reader_for(folder) or read_class_folders
    if read is read_class_folders:
        _refuse_collection(folder)
    found = read_oxford_pets(folder, split, boxes) if read is read_oxford_pets else read(folder, split)
    return open_photographs(folder.resolve().name, folder, found, background, LAYOUT.format(folder))
