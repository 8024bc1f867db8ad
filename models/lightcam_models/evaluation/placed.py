"""Objects cut out and placed anywhere on scenes: what a camera sees, and what a constant box misses."""

from pathlib import Path

import numpy as np

from lightcam_edge.card import ModelCard
from lightcam_edge.errors import UsageError
from lightcam_edge.images import Photo, photo_from_array
from lightcam_edge.localizer import Localizer
from lightcam_models.evaluation.canvas import Scenes, canvas_hw, compose, digest_of, open_canvas, place
from lightcam_models.evaluation.cut_outs import CutOut, gather_cut_outs
from lightcam_models.evaluation.evaluating import Request, TestSet
from lightcam_models.evaluation.observing import Shot
from lightcam_models.progress import Progress

SHARES = (0.25, 0.70)
SIZES = (("25-40% of the side", 0.40), ("40-55% of the side", 0.55), ("55-70% of the side", 1.0))
PLACEMENTS = 1000


def placed_set(
    cut_outs: str,
    scenes: Scenes,
    card: ModelCard,
    request: Request,
    progress: Progress,
) -> TestSet:
    """Place cut-outs on scenes, and add the scenes themselves with nothing on them.

    Args:
        cut_outs: see `gather_cut_outs`.
        scenes: photographs without any object.
        card: of the model; other classes are left out.
        request: which photographs are cut out; at most so many pictures; seed of scenes, objects and places.
        progress: told how far the cutting is.

    Raises:
        UsageError: if there is no cut-out, or the model has no background class.
    """
    if card.background is None:
        raise UsageError(f"{card.name} has no background class: it finds an object on every scene")
    backgrounds = scenes.files
    limit, seed = request.limit, request.seed
    rng = np.random.default_rng(seed)
    count = PLACEMENTS if limit is None else min(limit, PLACEMENTS)
    cut = gather_cut_outs(cut_outs, card, count, rng, request, progress)
    order = rng.permutation(len(backgrounds))
    empty = order if limit is None else order[:limit]
    chosen = [cut.found[number % len(cut.found)] for number in range(count)]
    placed = [
        _placed_shot(one, backgrounds[order[number % len(order)]], (seed, number))
        for number, one in enumerate(chosen)
    ]
    alone = [_scene_shot(backgrounds[index], card.background.label) for index in sorted(empty)]
    where = f"{scenes.name} (seed {seed})"
    title = f"{len(placed)} placements of {len(cut.found)} cut-outs ({cut.name}) on {where}"
    return TestSet(title, digest_of(chosen, backgrounds, seed), "", (*placed, *alone), cut.skipped)


def _placed_shot(one: CutOut, scene: Path, seed: tuple[int, int]) -> Shot:
    rng = np.random.default_rng(seed)
    share = float(rng.uniform(*SHARES))
    placement = place(one, canvas_hw(scene), share, rng)

    def draw(_: Localizer) -> Photo:
        return photo_from_array(compose(open_canvas(scene), [placement]), "rgb")

    group = next(name for name, most in SIZES if share <= most)
    return Shot(f"{one.name} on {scene.name}", one.label, (placement.box,), draw, group)


def _scene_shot(scene: Path, label: str) -> Shot:
    return Shot(str(scene), label, (), lambda localizer: localizer.open(scene))
