"""Objects cut out of photographs: by their masks, by GrabCut in their boxes, or as PNG files with alpha."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from lightcam_edge.box import Box
from lightcam_edge.card import ModelCard
from lightcam_edge.errors import InputError, UsageError
from lightcam_edge.images import decode_image
from lightcam_models.datasets import Dataset, Example, read_bytes
from lightcam_models.evaluation.evaluating import Part, Request
from lightcam_models.progress import Progress

UInt8 = npt.NDArray[np.uint8]

SOLID = 128
TRIMAP_OBJECT, TRIMAP_BORDER, BORDER_FADE = 1, 3, 1.0
GRABCUT_SIDE, GRABCUT_ROUNDS = 160, 3
LEAST_FILLED, LEAST_EXTENT_IOU = 0.25, 0.8


@dataclass(frozen=True, slots=True)
class CutOut:
    """An object without its surroundings, cropped to its extent.

    Args:
        name: where it comes from.
        label: its class.
        pixels: (h, w, 3) uint8 RGB.
        alpha: (h, w) uint8, how solid it is.
    """

    name: str
    label: str
    pixels: UInt8
    alpha: UInt8


@dataclass(frozen=True, slots=True)
class CutOuts:
    """Cut-outs in an order by chance.

    Args:
        found: the cut-outs.
        name: of their data.
        skipped: what was left out, and why.
    """

    found: tuple[CutOut, ...]
    name: str
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Piece:
    """An object that is not cut out yet."""

    label: str
    cut: Callable[[], CutOut | None]


def object_labels(card: ModelCard) -> tuple[str, ...]:
    """The classes of a model without its background."""
    return tuple(label for label in card.labels if not card.background or label != card.background.label)


def gather_cut_outs(
    spec: str,
    card: ModelCard,
    count: int,
    rng: np.random.Generator,
    request: Request,
    progress: Progress,
    *,
    each_class: bool = False,
) -> CutOuts:
    """Cut out as many objects of a model's classes as are wanted, or as there are.

    Args:
        spec: what `load_dataset` takes, with masks or boxes, or a folder
            with one sub-folder of PNG files with alpha a class.
        card: of the model; other classes are left out.
        count: how many.
        rng: chooses them.
        request: their part: held-out photographs if those are asked for, test photographs if not.
        progress: told how far the cutting is.
        each_class: whether so many are wanted of each class, and not in all.

    Raises:
        UsageError: if there is none.
    """
    pieces, name, skipped = _pieces(spec, card, request)
    kinds = [piece.label if each_class else "" for piece in pieces]
    wanted = sum(min(count, there) for there in Counter(kinds).values())
    taken: Counter[str] = Counter()
    found: list[CutOut] = []
    poor = 0
    for index in rng.permutation(len(pieces)):
        if taken[kinds[index]] == count:
            continue
        cut = pieces[index].cut()
        poor += cut is None
        taken[kinds[index]] += cut is not None
        found += [cut] if cut else []
        progress("cutting out", len(found), wanted)
    if not found:
        raise UsageError(
            f"{spec} gives no cut-outs of {', '.join(object_labels(card))}: it needs masks or boxes"
        )
    return CutOuts(
        tuple(found), name, (*skipped, *([f"{poor} photographs: no clean cut-out"] if poor else []))
    )


def _pieces(spec: str, card: ModelCard, request: Request) -> tuple[list[_Piece], str, list[str]]:
    """What can be cut out, the name of its data, and which classes are left out."""
    labels = object_labels(card)
    files = _alpha_files(Path(spec), labels)
    if files:
        return (
            [_Piece(label, partial(cut_by_alpha, path, label)) for path, label in files],
            Path(spec).name,
            [],
        )
    part: Part = "held-out" if request.split == "held-out" else "test"
    dataset = replace(request, data=spec, background=None, split=part, pet_boxes="body").load()
    usable = [e for e in dataset.examples if e.label in labels and (e.mask or len(e.boxes) == 1)]
    others = sorted({example.label for example in dataset.examples} - set(card.labels))
    skipped = [f"class {label}: the model does not know it" for label in others]
    return [_Piece(e.label, partial(cut_out, e)) for e in usable], _source(dataset, usable), skipped


def _source(dataset: Dataset, usable: Sequence[Example]) -> str:
    return f"{dataset.name}, by {'mask' if all(example.mask for example in usable) else 'GrabCut in the box'}"


def _alpha_files(folder: Path, labels: Sequence[str]) -> list[tuple[Path, str]]:
    return [
        (path, label)
        for label in labels
        for path in sorted((folder / label).glob("*.png"))
        if _has_alpha(path)
    ]


def _has_alpha(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            return image.has_transparency_data
    except (UnidentifiedImageError, OSError):
        return False


def cut_by_alpha(path: Path, label: str) -> CutOut:
    """Take the solid part of an image with alpha.

    Raises:
        InputError: if the file cannot be read, or nothing in it is solid.
    """
    try:
        with Image.open(path) as image:
            rgba = np.asarray(ImageOps.exif_transpose(image).convert("RGBA"), np.uint8)
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    cut = _cropped(str(path), label, rgba[..., :3], rgba[..., 3])
    if cut is None:
        raise InputError(f"{path} is transparent everywhere: leave it out")
    return cut


def cut_out(example: Example) -> CutOut | None:
    """Cut an object out by its mask or, without one, by GrabCut inside its one true box.

    Returns:
        None where GrabCut leaves little of the box, or does not reach its edges.
    """
    pixels = decode_image(read_bytes(example), str(example.path)).pixels
    if example.mask is None:
        alpha = _grabcut(pixels, example.boxes[0])
        cut = _cropped(str(example.path), example.label, pixels, alpha)
        return cut if cut and _is_clean(alpha, example.boxes[0]) else None
    with Image.open(example.mask) as image:
        trimap = np.asarray(image.convert("L"), np.uint8)
    return _cropped(str(example.path), example.label, pixels, _trimap_alpha(trimap))


def _trimap_alpha(trimap: UInt8) -> UInt8:
    """Solid inside, fading out over the border, whose outer half is mostly background."""
    faded = cv2.GaussianBlur((trimap == TRIMAP_OBJECT).astype(np.float32), (0, 0), BORDER_FADE)
    alpha = np.where(trimap == TRIMAP_OBJECT, 1.0, np.where(trimap == TRIMAP_BORDER, faded, 0.0))
    return np.asarray(alpha * 255, np.uint8)


def _grabcut(pixels: UInt8, box: Box) -> UInt8:
    """GrabCut (Rother et al. 2004) with everything outside the box as background."""
    height, width = pixels.shape[:2]
    scale = min(1.0, GRABCUT_SIDE / max(height, width))
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x0, y0, x1, y1 = (round(edge * scale) for edge in (box.x0, box.y0, box.x1, box.y1))
    labels = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    labels[y0:y1, x0:x1] = cv2.GC_PR_FGD
    if (labels == cv2.GC_BGD).any() and (labels == cv2.GC_PR_FGD).any():
        models = np.zeros((2, 1, 65))
        cv2.setRNGSeed(0)
        cv2.grabCut(small, labels, (0, 0, 1, 1), models[0], models[1], GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    solid = (labels % 2 == cv2.GC_FGD).astype(np.float32)
    alpha = cv2.resize(cv2.GaussianBlur(solid, (0, 0), 0.7), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(alpha * 255, np.uint8)


def _is_clean(alpha: UInt8, box: Box) -> bool:
    extent = solid_extent(alpha)
    filled = (alpha >= SOLID).sum() / box.area
    return extent is not None and extent.iou(box) >= LEAST_EXTENT_IOU and filled >= LEAST_FILLED


def solid_extent(alpha: UInt8) -> Box | None:
    """The box around everything at least half solid, or None."""
    x, y, width, height = cv2.boundingRect((alpha >= SOLID).view(np.uint8))
    return Box(x, y, x + width, y + height) if width else None


def _cropped(name: str, label: str, pixels: UInt8, alpha: UInt8) -> CutOut | None:
    extent = solid_extent(alpha)
    if extent is None:
        return None
    rows, columns = slice(int(extent.y0), int(extent.y1)), slice(int(extent.x0), int(extent.x1))
    return CutOut(name, label, pixels[rows, columns].copy(), alpha[rows, columns].copy())
