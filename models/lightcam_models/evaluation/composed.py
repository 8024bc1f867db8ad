"""Scenes with several cut-outs of all classes on each, none of which fills the picture."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, cycle
from pathlib import Path

import numpy as np

from lightcam_edge.box import Box
from lightcam_edge.card import ModelCard
from lightcam_edge.images import Photo, photo_from_array
from lightcam_edge.localizer import Localizer
from lightcam_models.evaluation.canvas import (
    Placement,
    Scenes,
    canvas_hw,
    compose,
    digest_of,
    open_canvas,
    place,
    visible_boxes,
)
from lightcam_models.evaluation.cut_outs import CutOut, gather_cut_outs, object_labels
from lightcam_models.evaluation.detecting import Picture, PictureSet
from lightcam_models.evaluation.detection_metrics import TrueObject
from lightcam_models.evaluation.evaluating import Request
from lightcam_models.progress import Progress

SHARES = (0.15, 0.50)
SIZES = (("15-27% of the side", 0.27), ("27-38% of the side", 0.38), ("38-50% of the side", 1.0))
PICTURES = 500
LEAST_OBJECTS, MOST_OBJECTS = 2, 5
MOST_SHARED = 0.1
PLACES_TRIED, ROUNDS_TRIED = 30, 20

Sized = tuple[CutOut, float]


def composed_set(
    cut_outs: str,
    scenes: Scenes,
    card: ModelCard,
    request: Request,
    progress: Progress,
) -> PictureSet:
    """Put 2 to 5 cut-outs on each of many scenes, of different classes as far as there are.

    Args:
        cut_outs: see `gather_cut_outs`.
        scenes: photographs without any object.
        card: of the model; other classes are left out.
        request: which photographs are cut out; at most so many pictures; seed of scenes, objects and places.
        progress: told how far the cutting is.

    Raises:
        UsageError: if there is no cut-out.
    """
    backgrounds = scenes.files
    limit, seed = request.limit, request.seed
    rng = np.random.default_rng(seed)
    number_of = PICTURES if limit is None else min(limit, PICTURES)
    cut = gather_cut_outs(cut_outs, card, number_of, rng, request, progress, each_class=True)
    order = rng.permutation(len(backgrounds))
    kinds = {label: [one for one in cut.found if one.label == label] for label in object_labels(card)}
    stock = {label: cycle(some) for label, some in kinds.items() if some}
    chosen = [choose(stock, np.random.default_rng((seed, number))) for number in range(number_of)]
    pictures = [
        _picture(some, backgrounds[order[number % len(order)]], np.random.default_rng((seed, number, 1)))
        for number, some in enumerate(chosen)
    ]
    used = [one for some in chosen for one, _ in some]
    lost = len(used) - sum(len(picture.truths) for picture in pictures)
    skipped = [f"class {label}: no cut-outs" for label, some in kinds.items() if not some]
    skipped += [f"{lost} objects: no room in their scene"] if lost else []
    where = f"{scenes.name} (seed {seed})"
    title = f"{len(cut.found)} cut-outs ({cut.name}), {LEAST_OBJECTS} to {MOST_OBJECTS} together, on {where}"
    digest = _digest(digest_of(used, backgrounds, seed), pictures)
    return PictureSet(title, digest, tuple(pictures), (*cut.skipped, *skipped))


def _digest(materials: str, pictures: Sequence[Picture]) -> str:
    places = [(truth.label, truth.box) for picture in pictures for truth in picture.truths]
    return hashlib.sha256(f"{materials} {places}".encode()).hexdigest()


def choose(stock: Mapping[str, Iterator[CutOut]], rng: np.random.Generator) -> list[Sized]:
    """Take 2 to 5 cut-outs and their shares of the side: first one of each class, then of any."""
    number_of = int(rng.integers(LEAST_OBJECTS, MOST_OBJECTS + 1))
    labels = rng.permutation(sorted(stock))[:number_of].tolist()
    labels += rng.choice(sorted(stock), number_of - len(labels)).tolist()
    return [(next(stock[label]), float(rng.uniform(*SHARES))) for label in labels]


def arrange(
    chosen: Sequence[Sized], canvas_hw: tuple[int, int], rng: np.random.Generator
) -> list[tuple[Placement, float]]:
    """Find places for cut-outs so that none shares more than `MOST_SHARED` of the smaller with another.

    Places are drawn again where they do not fit, then all places anew. After
    that those that found no place are left out, but two always remain: each
    takes at most half of either side, so opposite corners have room for both.

    Returns:
        Placements, the largest first, with their shares of the side.
    """
    best: list[tuple[Placement, float]] = []
    for tried in count():
        if len(best) == len(chosen) or (tried >= ROUNDS_TRIED and len(best) >= LEAST_OBJECTS):
            break
        best = max(best, _places(chosen, canvas_hw, rng), key=len)
    return best


def _places(
    chosen: Sequence[Sized], canvas_hw: tuple[int, int], rng: np.random.Generator
) -> list[tuple[Placement, float]]:
    placed: list[tuple[Placement, float]] = []
    for one, share in sorted(chosen, key=lambda sized: -sized[1]):
        tries = (place(one, canvas_hw, share, rng) for _ in range(PLACES_TRIED))
        fits = next((t for t in tries if all(_apart(t.frame, other.frame) for other, _ in placed)), None)
        placed += [(fits, share)] if fits else []
    return placed


def _apart(a: Box, b: Box) -> bool:
    return shared_area(a, b) <= MOST_SHARED * min(a.area, b.area)


def shared_area(a: Box, b: Box) -> float:
    """Area that two boxes have in common, in square pixels."""
    return Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)).area


def _picture(chosen: Sequence[Sized], scene: Path, rng: np.random.Generator) -> Picture:
    size_hw = canvas_hw(scene)
    arranged = arrange(chosen, size_hw, rng)
    placements = [placement for placement, _ in arranged]

    def draw(_: Localizer) -> Photo:
        return photo_from_array(compose(open_canvas(scene), placements), "rgb")

    truths = tuple(
        TrueObject(placement.cut_out.label, box, next(name for name, most in SIZES if share <= most))
        for (placement, share), box in zip(arranged, visible_boxes(placements, size_hw), strict=True)
    )
    return Picture(f"{len(truths)} objects on {scene.name}", truths, draw)
