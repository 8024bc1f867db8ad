"""Reader for what people have: a folder with one sub-folder a class."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lightcam_edge.errors import UsageError
from lightcam_models.datasets.annotations import Annotation, named_objects, read_coco, read_csv, read_voc
from lightcam_models.datasets.dataset import Split
from lightcam_models.datasets.photographs import Entry, Found, image_files

ANNOTATIONS = "annotations"
LAYOUT = (
    "one sub-folder a class, for instance {0}/cat/*.jpg and {0}/dog/*.jpg, perhaps below train/ and test/"
)


def read_class_folders(folder: Path, split: Split) -> Found:
    """Read a folder with one sub-folder of images a class.

    With a train/ level `test` is test/ or val/; without it all photographs are
    given for either split. Boxes are taken where there are any: VOC files beside
    the images or in annotations/, COCO JSON or CSV in the folder or in
    annotations/. Where they use the names of the classes, only those of the
    image's own class count.

    Raises:
        UsageError: if there is a train/ level but none for the test, or a table of boxes is damaged.
    """
    level = _level(folder, split)
    entries: list[Entry] = []
    loose = len(image_files(level))
    skipped = [(level, f"{loose} images lie outside the class sub-folders")] if loose else []
    tables = _tables(folder, level)
    for sub in _class_folders(level):
        images = image_files(sub, nested=True)
        if not images:
            skipped.append((sub, "no images in this folder"))
        for path in images:
            try:
                annotation = _annotation(path, folder, level, tables)
            except ValueError as error:
                skipped.append((path, f"its VOC annotation is {error}; used without boxes"))
                annotation = Annotation(())
            entries.append(Entry(path, sub.name, annotation))
    return Found(_of_own_class(entries), tuple(skipped))


def _of_own_class(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    labels = {entry.label for entry in entries}
    if not labels & named_objects(entry.annotation for entry in entries):
        return tuple(entries)
    return tuple(replace(entry, annotation=entry.annotation.only(entry.label)) for entry in entries)


def _class_folders(level: Path) -> list[Path]:
    return sorted(
        sub
        for sub in level.iterdir()
        if sub.is_dir() and sub.name != ANNOTATIONS and not sub.name.startswith(".")
    )


def _level(folder: Path, split: Split) -> Path:
    train = folder / "train"
    names = {sub.name for sub in _class_folders(folder)}
    # A class may be called train: then it holds images and stands beside other classes.
    if "train" not in names or (image_files(train) and not names <= {"train", "test", "val"}):
        return folder
    if split == "train":
        return train
    for name in ("test", "val"):
        if (folder / name).is_dir():
            return folder / name
    raise UsageError(f"{folder} has train/, but neither test/ nor val/ beside it")


def _tables(folder: Path, level: Path) -> dict[str, Annotation]:
    tables: dict[str, Annotation] = {}
    for place in dict.fromkeys((folder, folder / ANNOTATIONS, level, level / ANNOTATIONS)):
        for path in sorted(place.glob("*.json")):
            tables |= read_coco(path)
        for path in sorted(place.glob("*.csv")):
            tables |= read_csv(path)
    return tables


def _annotation(path: Path, folder: Path, level: Path, tables: dict[str, Annotation]) -> Annotation:
    for base in dict.fromkeys((folder, level, path.parent.parent, path.parent)):
        name = path.relative_to(base).as_posix()
        if name in tables:
            return tables[name]
    places = (
        path.parent,
        path.parent / ANNOTATIONS,
        level / ANNOTATIONS / path.parent.name,
        level / ANNOTATIONS,
        folder / ANNOTATIONS,
    )
    voc = next((file for place in places if (file := place / f"{path.stem}.xml").exists()), None)
    return read_voc(voc) if voc else Annotation(())
