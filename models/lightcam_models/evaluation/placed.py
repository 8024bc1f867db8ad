"""Objects cut out and placed anywhere on scenes: what a camera sees, and what a constant box misses."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from lightcam_edge.box import Box
from lightcam_edge.card import ModelCard
from lightcam_edge.errors import InputError, UsageError
from lightcam_edge.images import Photo, decode_image, photo_from_array, read_image
from lightcam_edge.localizer import Localizer
from lightcam_models.datasets import Dataset, Example, load_dataset, read_bytes
from lightcam_models.datasets.photographs import image_files
from lightcam_models.evaluation.evaluating import TestSet
from lightcam_models.evaluation.observing import Shot
from lightcam_models.progress import Progress

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

SHARES = (0.25, 0.70)
SIZES = (("25-40% of the side", 0.40), ("40-55% of the side", 0.55), ("55-70% of the side", 1.0))
PLACEMENTS = 1000
CANVAS = 224
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


def placed_set(
    cut_outs: str,
    scenes: Path,
    card: ModelCard,
    progress: Progress,
    *,
    data_root: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> TestSet:
    """Place cut-outs on scenes, and add the scenes themselves with nothing on them.

    Args:
        cut_outs: what `load_dataset` takes, with masks or boxes, or a folder
            with one sub-folder of PNG files with alpha a class.
        scenes: folder of photographs without any object.
        card: of the model; other classes are left out.
        progress: told how far the cutting is.
        data_root: folder of the public data sets.
        limit: at most so many placements, and so many scenes.
        seed: of scenes, places and sizes.

    Raises:
        UsageError: if there is no cut-out or no scene, or the model has no background class.
    """
    if card.background is None:
        raise UsageError(f"{card.name} has no background class: it finds an object on every scene")
    backgrounds = image_files(scenes, nested=True) if scenes.is_dir() else []
    if not backgrounds:
        raise UsageError(f"{scenes} holds no images: --scenes is a folder of photographs without objects")
    rng = np.random.default_rng(seed)
    count = PLACEMENTS if limit is None else min(limit, PLACEMENTS)
    found, name, skipped = _cut_outs(cut_outs, card, data_root, count, rng, progress)
    if not found:
        raise UsageError(f"{cut_outs} gives no cut-outs of {', '.join(card.labels)}: it needs masks or boxes")
    order = rng.permutation(len(backgrounds))
    empty = order if limit is None else order[:limit]
    chosen = [found[number % len(found)] for number in range(count)]
    placed = [
        _placed_shot(one, backgrounds[order[number % len(order)]], (seed, number))
        for number, one in enumerate(chosen)
    ]
    alone = [_scene_shot(backgrounds[index], card.background.label) for index in sorted(empty)]
    where = f"{scenes.parent.name}/{scenes.name} (seed {seed})"
    title = f"{len(placed)} placements of {len(found)} cut-outs ({name}) on {where}"
    return TestSet(title, _digest(chosen, backgrounds, seed), "", (*placed, *alone), skipped)


def _digest(chosen: Sequence[CutOut], scenes: Sequence[Path], seed: int) -> str:
    digest = hashlib.sha256(f"{seed} {[path.name for path in scenes]}".encode())
    for one in chosen:
        digest.update(one.label.encode() + one.pixels.tobytes() + one.alpha.tobytes())
    return digest.hexdigest()


def _cut_outs(
    spec: str,
    card: ModelCard,
    data_root: Path | None,
    count: int,
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[list[CutOut], str, tuple[str, ...]]:
    """As many cut-outs as are wanted, the name of their data, and what was left out."""
    files = _alpha_files(Path(spec), card)
    if files:
        chosen = [files[index] for index in rng.permutation(len(files))[:count]]
        return [cut_by_alpha(path, label) for path, label in chosen], Path(spec).name, ()
    dataset = load_dataset(spec, "test", root=data_root)
    usable = [e for e in dataset.examples if e.label in card.labels and (e.mask or len(e.boxes) == 1)]
    others = sorted({example.label for example in dataset.examples} - set(card.labels))
    found: list[CutOut] = []
    poor = 0
    for index in rng.permutation(len(usable)):
        if len(found) == count:
            break
        cut = cut_out(usable[index])
        poor += cut is None
        found += [cut] if cut else []
        progress("cutting out", len(found), min(count, len(usable)))
    skipped = [f"class {label}: the model does not know it" for label in others]
    skipped += [f"{poor} photographs: no clean cut-out"] if poor else []
    return found, _source(dataset, usable), tuple(skipped)


def _source(dataset: Dataset, usable: Sequence[Example]) -> str:
    return f"{dataset.name}, by {'mask' if all(example.mask for example in usable) else 'GrabCut in the box'}"


def _alpha_files(folder: Path, card: ModelCard) -> list[tuple[Path, str]]:
    return [
        (path, label)
        for label in card.labels
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


@dataclass(frozen=True, slots=True)
class Placement:
    """A cut-out, and the corner and size it takes on a canvas, in pixels."""

    cut_out: CutOut
    corner_xy: tuple[int, int]
    size_wh: tuple[int, int]

    def scaled(self) -> tuple[Float32, Float32]:
        """Pixels times alpha (h, w, 3), and alpha (h, w) in [0, 1], at the size taken.

        Multiplied before scaling, so that no transparent pixel's colour bleeds into the edge.
        """
        alpha = self.cut_out.alpha.astype(np.float32) / 255
        layers = np.dstack((self.cut_out.pixels * alpha[..., None], alpha))
        shrinks = self.size_wh[0] < alpha.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        scaled = np.asarray(cv2.resize(layers, self.size_wh, interpolation=how), np.float32)
        return scaled[..., :3], scaled[..., 3]

    @property
    def box(self) -> Box:
        """Where the solid part lies on the canvas."""
        x, y = self.corner_xy
        alpha = np.rint(self.scaled()[1] * 255).astype(np.uint8)
        extent = solid_extent(alpha) or Box(0, 0, *self.size_wh)
        return Box(extent.x0 + x, extent.y0 + y, extent.x1 + x, extent.y1 + y)


def place(cut_out: CutOut, canvas_hw: tuple[int, int], share: float, rng: np.random.Generator) -> Placement:
    """Choose a place where a cut-out takes a share of the canvas's width or height, whichever is more."""
    height, width = cut_out.alpha.shape
    scale = share * min(canvas_hw[0] / height, canvas_hw[1] / width)
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    x = int(rng.integers(0, canvas_hw[1] - size_wh[0] + 1))
    y = int(rng.integers(0, canvas_hw[0] - size_wh[1] + 1))
    return Placement(cut_out, (x, y), size_wh)


def compose(scene: UInt8, placements: Sequence[Placement]) -> UInt8:
    """Draw cut-outs on a scene, the later over the earlier."""
    canvas = scene.copy()
    for placement in placements:
        pixels, alpha = placement.scaled()
        (x, y), (width, height) = placement.corner_xy, placement.size_wh
        under = canvas[y : y + height, x : x + width]
        under[:] = np.rint(pixels + under * (1 - alpha[..., None]))
    return canvas


def open_canvas(path: Path) -> UInt8:
    """A scene whose short side is `CANVAS` pixels."""
    pixels = read_image(path).pixels
    height, width = pixels.shape[:2]
    scale = CANVAS / min(height, width)
    size_wh = (round(width * scale), round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size_wh, interpolation=how), np.uint8)


def _placed_shot(one: CutOut, scene: Path, seed: tuple[int, int]) -> Shot:
    with Image.open(scene) as image:
        width, height = image.size
    scale = CANVAS / min(height, width)
    rng = np.random.default_rng(seed)
    share = float(rng.uniform(*SHARES))
    placement = place(one, (round(height * scale), round(width * scale)), share, rng)

    def draw(_: Localizer) -> Photo:
        return photo_from_array(compose(open_canvas(scene), [placement]), "rgb")

    group = next(name for name, most in SIZES if share <= most)
    return Shot(f"{one.name} on {scene.name}", one.label, (placement.box,), draw, group)


def _scene_shot(scene: Path, label: str) -> Shot:
    return Shot(str(scene), label, (), lambda localizer: localizer.open(scene))
