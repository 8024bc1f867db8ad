"""Films with known motion: animals cut out of the sample photographs move over the sample landscape.

A camera's sensor noise and the flicker of lamps lie over every picture. Animals enter, stand, bob as
they go, come nearer, are hidden for a while and leave. All of it is drawn by chance from a seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from lightcam_edge.box import Box
from lightcam_edge.images import read_image
from lightcam_models.datasets import Example
from lightcam_models.evaluation.cut_outs import CutOut, cut_out

SAMPLES = Path(__file__).resolve().parents[1] / "lightcam_edge" / "samples"
EXTENTS = {"bird": Box(72, 76, 512, 470), "dog": Box(40, 80, 470, 512)}
FRAME_HW = (480, 640)
FRAME_RATE = 25.0
NOISE = 6.0  # standard deviation, of 255
FLICKER = 0.03  # of the brightness
TREES = Box(60, 150, 260, 280)  # of the sample landscape


@dataclass(frozen=True)
class Stop:
    """Where an animal's centre is at a time: seconds, and shares of the frame's width and height."""

    seconds: float
    x: float
    y: float


@dataclass(frozen=True)
class Animal:
    """An animal that goes from stop to stop, slowing down at each.

    Args:
        label: of its sample.
        side: of its longer side, as a share of the frame's height.
        stops: by time; it is out of the picture before the first and after the last.
    """

    label: str
    side: float
    stops: tuple[Stop, ...]


@dataclass(frozen=True)
class Film:
    """What happens in a film.

    Args:
        animals: who.
        seconds: how long.
        hidden: from when until when a bush hides the first animal.
        seed: of noise and flicker.
    """

    animals: tuple[Animal, ...]
    seconds: float
    hidden: tuple[float, float] = (0.0, 0.0)
    seed: int = 0


@dataclass(frozen=True)
class Shot:
    """One picture and what is true of it.

    Args:
        pixels: (h, w, 3) uint8 RGB.
        boxes: of each animal, the part in the picture; None where it is not in it.
        clear: whether each animal is whole in the picture and not hidden.
    """

    pixels: np.ndarray
    boxes: tuple[Box | None, ...]
    clear: tuple[bool, ...]


def one_animal(seed: int, label: str = "dog") -> Film:
    """Twelve seconds with one animal that enters, stands, is hidden for half a second, goes and leaves."""
    rng = np.random.default_rng(seed)

    def near(seconds: float, x: float, y: float) -> Stop:
        dx, dy, dt = rng.uniform(-1, 1, 3) * (0.04, 0.05, 0.2)
        return Stop(seconds + dt, x + dx, y + dy)

    first, second = near(2.6, 0.32, 0.6), near(6.8, 0.66, 0.45)
    stops = (
        Stop(0.8, -0.35, 0.62),
        first,
        Stop(4.8, first.x, first.y),
        second,
        near(8.2, 0.42, 0.55),
        Stop(9.4, 0.5, 0.55),
        Stop(11.2, 1.35, 0.55),
    )
    return Film((Animal(label, rng.uniform(0.45, 0.6), stops),), 12.0, (3.6, 4.1), seed)


def three_animals(seed: int) -> Film:
    """Twelve seconds with a bird that leaves, a dog that stays, and a bird that comes later."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(0.5, 0.6, 3)
    x = rng.uniform(-0.03, 0.03, 3)
    first = (
        Stop(0, 0.22 + x[0], y[0]),
        Stop(2, 0.24 + x[0], y[0]),
        Stop(3.5, 0.24, y[0] - 0.14),
        Stop(5, 0.22, y[0]),
        Stop(6.5, -0.3, y[0]),
    )
    second = (
        Stop(0.5, 1.3, y[1]),
        Stop(2.5, 0.74 + x[1], y[1]),
        Stop(5, 0.74 + x[1], y[1]),
        Stop(7, 0.6 + x[1], y[1] - 0.12),
        Stop(9, 0.76, y[1]),
        Stop(12.1, 0.76, y[1]),
    )
    third = (Stop(7.5, -0.3, y[2]), Stop(9.5, 0.24 + x[2], y[2]), Stop(12.1, 0.28, y[2] - 0.1))
    animals = (Animal("bird", 0.42, first), Animal("dog", 0.5, second), Animal("bird", 0.4, third))
    return Film(animals, 12.0, seed=seed)


def shots(film: Film, frame_rate: float = FRAME_RATE) -> Iterator[Shot]:
    """Play a film."""
    rng = np.random.default_rng(film.seed)
    scene = _scene()
    noises = rng.normal(0, NOISE, (8, *scene.shape)).astype(np.float32)
    for index in range(round(film.seconds * frame_rate)):
        seconds = index / frame_rate
        picture = scene.copy()
        boxes, clear = [], []
        for number, animal in enumerate(film.animals):
            box = _paint(picture, animal, seconds)
            hidden = number == 0 and film.hidden[0] <= seconds < film.hidden[1]
            if hidden and box:
                _hide(picture, box)
            seen = box and _seen(box)
            boxes.append(seen if seen and seen.area > 0 else None)
            clear.append(bool(seen) and seen == box and not hidden)
        light = 1 + FLICKER * (rng.standard_normal() + np.sin(seconds * 46))
        noise = np.roll(noises[rng.integers(len(noises))], rng.integers(1, 400, 2), axis=(0, 1))
        pixels = np.clip(picture * light + noise, 0, 255).astype(np.uint8)
        yield Shot(pixels, tuple(boxes), tuple(clear))


@cache
def _scene() -> np.ndarray:
    pixels = read_image(SAMPLES / "landscape.jpg").pixels
    return cv2.resize(pixels, FRAME_HW[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)


@cache
def _cut(label: str) -> CutOut:
    found = cut_out(Example(SAMPLES / f"{label}.jpg", label, (EXTENTS[label],)))
    assert found is not None
    return found


@cache
def _piece(label: str, side: int) -> tuple[np.ndarray, Box]:
    """An animal at some size, (h, w, 4) of premultiplied colours and alpha, and its true extent in it."""
    cut = _cut(label)
    scale = side / max(cut.alpha.shape)
    alpha = np.pad(cut.alpha, 8)[..., None].astype(np.float32) / 255
    colours = np.pad(cut.pixels, ((8, 8), (8, 8), (0, 0)), mode="edge").astype(np.float32)
    whole = np.concatenate([colours * alpha, alpha], axis=2)
    small = cv2.resize(whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x, y, width, height = cv2.boundingRect((small[..., 3] > 0.5).view(np.uint8))
    return small, Box(x, y, x + width, y + height)


def _paint(picture: np.ndarray, animal: Animal, seconds: float) -> Box | None:
    """Lay an animal over a picture, at a fraction of a pixel; its box may stand out over the edge."""
    if not animal.stops[0].seconds <= seconds <= animal.stops[-1].seconds:
        return None
    x, y = _place(animal.stops, seconds)
    piece, extent = _piece(animal.label, 320)
    scale = animal.side * picture.shape[0] / 320 * (1 + 0.06 * np.sin(seconds * 0.9))
    left = x * picture.shape[1] - scale * (extent.x0 + extent.x1) / 2
    top = y * picture.shape[0] - scale * (extent.y0 + extent.y1) / 2
    matrix = np.array([[scale, 0, left + (scale - 1) / 2], [0, scale, top + (scale - 1) / 2]])
    laid = cv2.warpAffine(piece, matrix, picture.shape[1::-1], flags=cv2.INTER_LINEAR)
    picture *= 1 - laid[..., 3:]
    picture += laid[..., :3]
    return Box(
        left + scale * extent.x0, top + scale * extent.y0, left + scale * extent.x1, top + scale * extent.y1
    )


def _hide(picture: np.ndarray, box: Box) -> None:
    """Lay a bush over a box."""
    rows, columns = slice(int(TREES.y0), int(TREES.y1)), slice(int(TREES.x0), int(TREES.x1))
    bush = cv2.flip(read_image(SAMPLES / "landscape.jpg").pixels[rows, columns], 1)
    y0, y1 = max(0, round(box.y0) - 12), min(picture.shape[0], round(box.y1) + 12)
    x0, x1 = max(0, round(box.x0) - 12), min(picture.shape[1], round(box.x1) + 12)
    picture[y0:y1, x0:x1] = cv2.resize(bush, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)


def _place(stops: tuple[Stop, ...], seconds: float) -> tuple[float, float]:
    """Centre, as shares of the frame; bobbing at two steps a second while it goes."""
    for before, after in pairwise(stops):
        if before.seconds <= seconds <= after.seconds:
            share = (seconds - before.seconds) / (after.seconds - before.seconds)
            eased = share * share * (3 - 2 * share)
            speed = 6 * share * (1 - share) * np.hypot(after.x - before.x, after.y - before.y)
            bob = 0.012 * min(speed, 1.0) * np.sin(seconds * 12.6)
            return before.x + eased * (after.x - before.x), before.y + eased * (after.y - before.y) + bob
    raise ValueError(f"{seconds} s is not between the stops")


def _seen(box: Box) -> Box:
    height, width = FRAME_HW
    return Box(max(box.x0, 0.0), max(box.y0, 0.0), min(box.x1, float(width)), min(box.y1, float(height)))
