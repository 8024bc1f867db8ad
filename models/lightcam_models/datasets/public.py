"""Readers for public data sets, each in the layout it is published in.

Splits are those of the data set's own files, so that no test photograph is ever
trained on; `read_landscape` makes one where there is none, `read_voc_folder` has none.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from PIL import Image

from lightcam_edge.box import Box
from lightcam_edge.errors import RuntimeMissingError, UsageError
from lightcam_models.datasets.annotations import Annotation, read_voc
from lightcam_models.datasets.dataset import Split
from lightcam_models.datasets.photographs import Entry, Found, image_files

PetBoxes = Literal["body", "head"]
BACKGROUND = "background"
PETS = ("cat", "dog")
LANDSCAPE_TEST_PERCENT = 30


def read_cub(folder: Path, split: Split) -> Found:
    """Read CUB-200-2011, one class a species; boxes hold the whole bird.

    Wah et al., Caltech-UCSD Birds-200-2011, CNS-TR-2011-001.
    """
    columns = {
        name: dict(line.split(maxsplit=1) for line in _lines(folder / f"{name}.txt"))
        for name in ("images", "classes", "image_class_labels", "train_test_split", "bounding_boxes")
    }
    wanted = "1" if split == "train" else "0"
    entries = []
    for number, path in columns["images"].items():
        if columns["train_test_split"][number] == wanted:
            species = columns["classes"][columns["image_class_labels"][number]].partition(".")[2]
            x, y, width, height = map(float, columns["bounding_boxes"][number].split())
            bird = Annotation((("bird", Box(x, y, x + width, y + height)),))
            entries.append(Entry(folder / "images" / path, species, bird))
    return Found(
        tuple(entries),
        terms="CUB-200-2011: non-commercial research and education only.",
        labels=tuple(name.partition(".")[2] for name in columns["classes"].values()),
    )


def read_stanford_dogs(folder: Path, split: Split) -> Found:
    """Read Stanford Dogs, one class a breed; boxes hold the whole dog, a few images several dogs.

    Khosla et al., Novel dataset for fine-grained image categorization, FGVC 2011.

    Raises:
        RuntimeMissingError: if scipy, which reads the lists, is not installed.
    """
    files = _dog_files(folder, split)
    annotated = _with_voc((folder / "Images" / file, folder / "Annotation" / file[:-4]) for file in files)
    entries = tuple(
        Entry(entry.path, _breed(file), entry.annotation)
        for file, entry in zip(files, annotated.entries, strict=True)
    )
    terms = "Stanford Dogs: ImageNet photographs, non-commercial research and education only."
    return Found(entries, annotated.skipped, terms, tuple(_breed(name) for name in _dog_counts(folder)))


def largest_breeds(folder: Path, count: int) -> tuple[str, ...]:
    """The breeds with the most images in both lists together; the first by folder name where equal."""
    images = _dog_counts(folder)
    return tuple(_breed(name) for name in sorted(images, key=lambda name: (-images[name], name))[:count])


def _dog_counts(folder: Path) -> dict[str, int]:
    """How many images each breed's folder has in both lists, by folder name."""
    files = (file for split in ("train", "test") for file in _dog_files(folder, split))
    return dict(sorted(Counter(file.split("/")[0] for file in files).items()))


def _breed(file: str) -> str:
    return file.split("/")[0].partition("-")[2]


def _dog_files(folder: Path, split: str) -> list[str]:
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise RuntimeMissingError(
            "Stanford Dogs' .mat lists need scipy: pip install 'lightcam-edge[train]'"
        ) from error
    path = folder / f"{split}_list.mat"
    if not path.exists():
        raise UsageError(f"{folder} lacks {path.name}: Stanford Dogs' lists.tar holds it")
    return [str(item.item()) for item in loadmat(path)["file_list"].ravel()]


def read_oxford_pets(folder: Path, split: Split, boxes: PetBoxes = "body") -> Found:
    """Read Oxford-IIIT Pet as cats and dogs.

    Args:
        folder: with images/ and annotations/.
        split: `train` is the file trainval.txt, `test` test.txt.
        boxes: `body` is the extent of the trimap without its background, the
            uncertain border included; `head` the published box, for about half of the images.

    Raises:
        UsageError: if the split's list is missing.
    """
    path = folder / "annotations" / ("trainval.txt" if split == "train" else "test.txt")
    if not path.exists():
        raise UsageError(f"{folder} has no {split} part: {path.name} is not in annotations/")
    rows = [line.split() for line in _lines(path) if not line.startswith("#")]
    labels = [{"1": "cat", "2": "dog"}[species] for _, _, species, _ in rows]
    images = [folder / "images" / f"{name}.jpg" for name, *_ in rows]
    trimaps = [folder / "annotations" / "trimaps" / f"{name}.png" for name, *_ in rows]
    heads = [folder / "annotations" / "xmls" / f"{name}.xml" for name, *_ in rows]
    if boxes == "head":
        found = _with_voc(zip(images, heads, strict=True))
        annotations = [entry.annotation for entry in found.entries]
    else:
        found, annotations = Found(()), [_trimap_extent(trimap) for trimap in trimaps]
    entries = tuple(
        Entry(image, label, annotation, trimap if trimap.exists() else None)
        for image, label, annotation, trimap in zip(images, labels, annotations, trimaps, strict=True)
    )
    terms = "Oxford-IIIT Pet: CC BY-SA 4.0, photographs of their owners."
    return Found(entries, found.skipped, terms, PETS)


def _trimap_extent(path: Path) -> Annotation:
    if not path.exists():
        return Annotation(())
    with Image.open(path) as trimap:
        extent = trimap.point([int(value in (1, 3)) for value in range(256)]).getbbox()
    return Annotation((("", Box(*extent)),) if extent else ())


def read_dogs_vs_cats(folder: Path, split: Split) -> Found:
    """Read Kaggle Dogs vs. Cats: `cat.N.jpg` and `dog.N.jpg`, for training only; no boxes.

    Raises:
        UsageError: if its test part is asked for, which has no labels.
    """
    if split == "test":
        raise UsageError(f"{folder} has no test part with labels: Dogs vs. Cats is for training only")
    train = folder / "train" if (folder / "train").is_dir() else folder
    entries = [Entry(path, path.name.split(".")[0]) for path in image_files(train)]
    known = tuple(entry for entry in entries if entry.label in PETS)
    terms = "Dogs vs. Cats: Microsoft Research's Asirra photographs, for research only."
    return Found(known, terms=terms, labels=PETS)


def read_voc_folder(folder: Path) -> Found:
    """Read images/ with annotations/*.xml, as Kaggle Dog and Cat Detection; objects name the label.

    The layout has no split: train and test are the same photographs.
    """
    images = image_files(folder / "images")
    found = _with_voc((path, folder / "annotations" / f"{path.stem}.xml") for path in images)
    entries, skipped = [], list(found.skipped)
    for entry in found.entries:
        if entry.annotation.objects:
            label = entry.annotation.objects[0][0]
            entries.append(Entry(entry.path, label, entry.annotation.only(label)))
        else:
            skipped.append((entry.path, "no object in annotations/ gives it a label"))
    return Found(tuple(entries), tuple(skipped))


def read_landscape(folder: Path, split: Split) -> Found:
    """Read a folder of scenes as the background class; no boxes.

    Without train/ and test/ sub-folders three in ten photographs are for
    testing, chosen by the digest of their name, so that they never change sides.
    """
    if (folder / split).is_dir():
        paths = image_files(folder / split)
    else:
        paths = [path for path in image_files(folder) if _is_test(path.name) == (split == "test")]
    entries = tuple(Entry(path, BACKGROUND) for path in paths)
    return Found(entries, terms="Landscape pictures: gathered from the web, for research only.")


def _is_test(name: str) -> bool:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 100 < LANDSCAPE_TEST_PERCENT


def _with_voc(pairs: Iterable[tuple[Path, Path]]) -> Found:
    entries, skipped = [], []
    for image, path in pairs:
        annotation = Annotation(())
        if path.exists():
            try:
                annotation = read_voc(path)
            except ValueError as error:
                skipped.append((path, f"{error}; its image goes without boxes"))
        entries.append(Entry(image, "", annotation))
    return Found(tuple(entries), tuple(skipped))


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        raise UsageError(f"{path.parent} lacks {path.name}, which its layout has") from None


def reader_for(folder: Path) -> Callable[[Path, Split], Found] | None:
    """Recognise a public layout by its files; None if it is none."""
    if (folder / "image_class_labels.txt").exists():
        return read_cub
    if any((folder / f"{split}_list.mat").exists() for split in ("train", "test")):
        return read_stanford_dogs
    if (folder / "annotations" / "trimaps").is_dir():
        return read_oxford_pets
    if any((folder / "annotations").glob("*.xml")) and image_files(folder / "images"):
        return lambda folder, _: read_voc_folder(folder)
    if any(_cats_beside_dogs(place) for place in (folder / "train", folder)):
        return read_dogs_vs_cats
    return None


def _cats_beside_dogs(folder: Path) -> bool:
    return all(any(folder.glob(f"{label}.[0-9]*.jpg")) for label in PETS)
