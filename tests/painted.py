"""Photographs of grey with one red or blue rectangle, which the tiny model knows, and their true boxes."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from lightcam_edge.box import Box

LABELS = ("red", "blue", "background")
COLOURS = {"red": (230, 40, 40), "blue": (40, 40, 230)}
GREY = (120, 120, 120)


def paint(hw: tuple[int, int], *objects: tuple[str, Box]) -> np.ndarray:
    """Pixels (h, w, 3) uint8."""
    pixels = np.full((*hw, 3), GREY, np.uint8)
    for label, box in objects:
        pixels[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = COLOURS[label]
    return pixels


def save(path: Path, pixels: np.ndarray) -> Path:
    """Write a PNG, with the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_photographs(folder: Path, count: int = 6) -> Path:
    """Write train/ and test/, one sub-folder a class, objects near the left upper corner, boxes as CSV."""
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        rows = ["filename,x0,y0,x1,y1"]
        for label in LABELS:
            for number in range(count):
                height, width = (int(side) for side in rng.integers(96, 160, 2))
                box = Box(8, 6, 8 + width // 2, 6 + height // 2)
                objects = [(label, box)] if label in COLOURS else []
                path = save(folder / part / label / f"{number}.png", paint((height, width), *objects))
                name = path.relative_to(folder / part).as_posix()
                rows += [f"{name},{box.x0},{box.y0},{box.x1},{box.y1}" for _ in objects]
        (folder / part / "boxes.csv").write_text("\n".join(rows) + "\n")
    return folder


def save_cut_out(path: Path, colour: tuple[int, int, int]) -> Path:
    """A disc in a transparent picture."""
    pixels = np.zeros((60, 80, 4), np.uint8)
    cv2.circle(pixels, (40, 30), 20, (*colour, 255), cv2.FILLED)
    return save(path, pixels)


def write_cut_outs(folder: Path) -> Path:
    """Write a disc a class, as PNG with alpha."""
    for label, colour in COLOURS.items():
        save_cut_out(folder / label / "one.png", colour)
    return folder


def write_scenes(folder: Path, count: int = 4) -> Path:
    """Write scenes without any object, each of another grey."""
    for number in range(count):
        save(folder / f"{number}.png", np.full((60, 90, 3), 90 + 10 * number, np.uint8))
    return folder
