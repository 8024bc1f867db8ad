"""From what a reader found to photographs that open."""

import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from lightcam_edge.errors import UsageError
from lightcam_models.datasets.annotations import Annotation
from lightcam_models.datasets.dataset import Dataset, Example

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"))
EXIF_ORIENTATION = 0x0112
NO_BOXES = Annotation(())


@dataclass(frozen=True, slots=True)
class Entry:
    """One photograph as a reader found it, not opened yet.

    Args:
        path: the image file.
        label: its class.
        annotation: its boxes, in the frame they were drawn in.
        mask: a segmentation file, or None.
    """

    path: Path
    label: str
    annotation: Annotation = NO_BOXES
    mask: Path | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a reader found in a folder.

    Args:
        entries: the photographs.
        skipped: what it could not use, and why.
        terms: one sentence on how the data may be used.
        labels: every class, where the data set lists them; a split may lack some.
    """

    entries: tuple[Entry, ...]
    skipped: tuple[tuple[Path, str], ...] = ()
    terms: str = ""
    labels: tuple[str, ...] = ()


def image_files(folder: Path, *, nested: bool = False) -> list[Path]:
    """Image files by their suffix, sorted; hidden ones are left out."""
    return sorted(
        path
        for path in (folder.rglob("*") if nested else folder.glob("*"))
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def upright_hw(path: Path) -> tuple[int, int]:
    """Height and width of an image, turned upright by its EXIF orientation, without decoding it.

    Raises:
        OSError: if it is no image.
    """
    with Image.open(path) as image:
        width, height = image.size
        turned = image.getexif().get(EXIF_ORIENTATION, 1) >= 5
    return (width, height) if turned else (height, width)


def open_photographs(name: str, root: Path, found: Found, background: str | None, layout: str) -> Dataset:
    """Look at every photograph's header and settle the classes.

    A file cut off behind its header is found when it is decoded, not here.

    Args:
        name: of the data set.
        root: the folder that holds all of it.
        found: the photographs.
        background: which label is the background, or None.
        layout: what was expected, for the message.

    Raises:
        UsageError: if there are not two classes, or the background is none of them.
    """
    examples: list[Example] = []
    skipped = list(found.skipped)
    with warnings.catch_warnings():
        # Pillow warns of odd EXIF data and of very large images; both are read all the same.
        warnings.simplefilter("ignore")
        for entry in found.entries:
            opened = _opened(entry)
            if isinstance(opened, str):
                skipped.append((entry.path, opened))
            else:
                examples.append(opened)
    try:
        labels = settle_labels(
            root, (example.label for example in examples), background, layout, found.labels
        )
    except UsageError as error:
        path, reason = skipped[0] if skipped else (root, "")
        skips = f" ({len(skipped)} skipped, the first {path}: {reason})" if skipped else ""
        raise UsageError(f"{error}{skips}") from None
    return Dataset(name, labels, background, tuple(examples), tuple(skipped), found.terms, root)


def settle_labels(
    folder: Path,
    found: Iterable[str],
    background: str | None,
    layout: str,
    known: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Order the classes: those known beforehand as they come, others sorted, the background last.

    Raises:
        UsageError: if photographs of fewer than two classes were found, or the background is no class.
    """
    counts = Counter(found)
    if len(counts) < 2:
        what = ", ".join(f"only the class {label!r}, {n} images" for label, n in counts.items())
        raise UsageError(
            f"{folder} holds {what or 'no class with images that can be read'}: expected {layout}"
        )
    labels = [*known, *sorted(set(counts) - set(known))]
    if background is not None:
        if background not in labels:
            raise UsageError(f"background {background!r} is no class of {folder}: {', '.join(labels)}")
        labels.remove(background)
        labels.append(background)
    return tuple(labels)


def _opened(entry: Entry) -> Example | str:
    try:
        with Image.open(entry.path) as image:
            stored_wh = image.size
            # PNG's own getexif decodes the whole image, after which verify refuses.
            orientation = Image.Image.getexif(image).get(EXIF_ORIENTATION, 1)
            image.verify()
    except FileNotFoundError:
        return "there is no such file"
    except UnidentifiedImageError:
        return "no image that can be read" if entry.path.stat().st_size else "the file is empty"
    except Exception as error:  # Pillow's readers raise nearly anything on a damaged file.
        return f"damaged ({error})"
    boxes = entry.annotation.boxes(stored_wh, orientation if orientation in range(1, 9) else 1)
    return Example(entry.path, entry.label, boxes, entry.mask)
