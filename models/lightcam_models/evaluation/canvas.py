"""Scenes as canvases, and cut-outs drawn on them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.box import Box
from lightcam_edge.errors import InputError, UsageError
from lightcam_edge.images import read_image
from lightcam_models.datasets.photographs import image_files, upright_hw
from lightcam_models.evaluation.cut_outs import SOLID, CutOut, solid_extent

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

CANVAS = 224


@dataclass(frozen=True, slots=True)
class Scenes:
    """Photographs without objects, to put some on.

    Args:
        name: where they come from.
        files: at least one.
    """

    name: str
    files: tuple[Path, ...]

    @classmethod
    def in_folder(cls, folder: Path) -> "Scenes":
        """Those of a folder, and of the folders in it.

        Raises:
            UsageError: if there is none.
        """
        found = image_files(folder, nested=True) if folder.is_dir() else []
        if not found:
            raise UsageError(f"{folder} holds no images: --scenes is a folder of photographs without objects")
        return cls(f"{folder.parent.name}/{folder.name}", tuple(found))


def digest_of(chosen: Sequence[CutOut], scenes: Sequence[Path], seed: int) -> str:
    """SHA-256 of what pictures are made of: cut-outs in the order of their use, scenes' names, and a seed."""
    digest = hashlib.sha256(f"{seed} {[path.name for path in scenes]}".encode())
    for one in chosen:
        digest.update(one.label.encode() + one.pixels.tobytes() + one.alpha.tobytes())
    return digest.hexdigest()


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
    def solid(self) -> Bool:
        """Which of its pixels (h, w) are at least half solid."""
        return np.rint(self.scaled()[1] * 255) >= SOLID

    @property
    def box(self) -> Box:
        """Where the solid part lies on the canvas."""
        x, y = self.corner_xy
        extent = solid_extent(_alpha(self.solid)) or Box(0, 0, *self.size_wh)
        return Box(extent.x0 + x, extent.y0 + y, extent.x1 + x, extent.y1 + y)

    @property
    def frame(self) -> Box:
        """All of it on the canvas."""
        (x, y), (width, height) = self.corner_xy, self.size_wh
        return Box(x, y, x + width, y + height)


def place(cut_out: CutOut, canvas_hw: tuple[int, int], share: float, rng: np.random.Generator) -> Placement:
    """Choose a place where a cut-out takes a share of the canvas's width or height, whichever is more."""
    height, width = cut_out.alpha.shape
    scale = share * min(canvas_hw[0] / height, canvas_hw[1] / width)
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    x = int(rng.integers(0, canvas_hw[1] - size_wh[0] + 1))
    y = int(rng.integers(0, canvas_hw[0] - size_wh[1] + 1))
    return Placement(cut_out, (x, y), size_wh)


def visible_boxes(placements: Sequence[Placement], canvas_hw: tuple[int, int]) -> list[Box]:
    """Where the solid part of each cut-out lies, as far as no later one's covers it."""
    owners = np.full(canvas_hw, -1)
    for number, placement in enumerate(placements):
        (x, y), (width, height) = placement.corner_xy, placement.size_wh
        owners[y : y + height, x : x + width][placement.solid] = number
    seen = (solid_extent(_alpha(owners == number)) for number in range(len(placements)))
    return [box or placement.box for box, placement in zip(seen, placements, strict=True)]


def _alpha(solid: Bool) -> UInt8:
    return np.where(solid, 255, 0).astype(np.uint8)


def compose(scene: UInt8, placements: Sequence[Placement]) -> UInt8:
    """Draw cut-outs on a scene, the later over the earlier."""
    canvas = scene.copy()
    for placement in placements:
        pixels, alpha = placement.scaled()
        (x, y), (width, height) = placement.corner_xy, placement.size_wh
        under = canvas[y : y + height, x : x + width]
        under[:] = np.rint(pixels + under * (1 - alpha[..., None]))
    return canvas


def canvas_hw(path: Path) -> tuple[int, int]:
    """Height and width of a scene whose short side is `CANVAS` pixels, without decoding it.

    Raises:
        InputError: if it is no image.
    """
    try:
        height, width = upright_hw(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error}") from error
    scale = CANVAS / min(height, width)
    return round(height * scale), round(width * scale)


def open_canvas(path: Path) -> UInt8:
    """A scene whose short side is `CANVAS` pixels."""
    pixels = read_image(path).pixels
    height, width = canvas_hw(path)
    how = cv2.INTER_AREA if width < pixels.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.uint8)
