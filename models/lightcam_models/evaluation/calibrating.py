"""How the map becomes a box, chosen on training photographs that were held out.

With true boxes the method, smoothing, component rule and threshold that are
right most often win, where they beat the card's by more than a standard error:
a few hundred photographs choose by chance otherwise. Without any, the threshold and the component rule win
whose box moves with the photograph: the photograph is put smaller and off
centre on a scene, and its box there should be its box alone, carried along. A
threshold too low catches scenery that stays behind, one too high catches
peaks that do not come along.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.box import COMPONENTS, Box, BoxRule, Component, boxes_from_map
from lightcam_edge.cam import Method, smooth, upsample
from lightcam_edge.card import CamSpec
from lightcam_edge.errors import UsageError
from lightcam_edge.geometry import Fit
from lightcam_edge.images import Photo, photo_from_array
from lightcam_edge.localizer import Localizer, Options
from lightcam_models.evaluation.evaluating import Request, test_set
from lightcam_models.evaluation.metrics import RIGHT_IOU, presence_level, presence_source
from lightcam_models.evaluation.observing import Observation, Shot, methods_of, observe
from lightcam_models.progress import Progress

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
UInt8 = npt.NDArray[np.uint8]

THRESHOLDS = (
    *(0.0, 0.01, 0.02, 0.03, 0.05, 0.075),
    *(percent / 100 for percent in (*range(10, 32, 2), *range(35, 100, 5))),
)
SMOOTHINGS = (0.0, 0.5, 1.0)
MOVED_SHARES = (0.5, 0.8)
NO_SCENE = 127


@dataclass(frozen=True, slots=True)
class Setting:
    """One way from a map to a box; those that change least come first."""

    method: Method
    smoothing: float
    component: Component
    threshold: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A setting, and what became of the held-out photographs under it.

    Args:
        setting: what was chosen.
        fitness: how good it is by its own measure, mean over photographs, in [0, 1].
        right: percent of photographs with the right box when told the class; None where no true box is known.
    """

    setting: Setting
    fitness: float
    right: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was chosen on held-out training photographs.

    Args:
        data: which photographs, in words.
        images: how many.
        chosen: the setting that counts.
        with_boxes: whether true boxes chose it.
        other: what true boxes would have chosen, to tell what doing without them costs; or None.
        before: percent of right boxes under the card's former setting, or None where no true box is known.
        scenes: how many photographs without objects were held out.
        presence: value of the map that nearly all of them stay below, or None without any.
    """

    data: str
    images: int
    chosen: Choice
    with_boxes: bool
    other: Choice | None
    before: float | None
    scenes: int = 0
    presence: float | None = None

    def spec(self, former: CamSpec) -> CamSpec:
        """The card's part, with the source of the threshold named."""
        setting = self.chosen.setting
        how = "most boxes right" if self.with_boxes else "boxes that move with the photograph, no box used"
        source = f"{how}: {self.images} {self.data}"
        if self.presence is not None:
            empty = f"{presence_source(self.scenes)}: {self.data}"
            former = replace(former, presence=self.presence, presence_source=empty)
        return replace(
            former,
            method=setting.method,
            threshold=setting.threshold,
            component=setting.component,
            smoothing=setting.smoothing,
            threshold_source=source,
        )


def calibrate(localizer: Localizer, request: Request, with_boxes: bool, progress: Progress) -> Calibration:
    """Choose how maps become boxes on held-out training photographs.

    Args:
        localizer: the model; without boxes, its card's method and smoothing stay.
        request: the data set's held-out part; share and seed are those of the training.
        with_boxes: let true boxes choose, or none.
        progress: told how far it is.

    Raises:
        UsageError: if there are no photographs of objects, or true boxes are to choose and none is known.
    """
    plain = _unsmoothed(localizer)
    test = test_set(request.load(), plain.card, request)
    background = plain.card.background.label if plain.card.background else None
    objects = [shot for shot in test.shots if shot.label != background]
    scenes = [shot for shot in test.shots if shot.label == background]
    located = [shot for shot in objects if len(shot.truths) == 1]
    if with_boxes:
        objects = located
    if not objects:
        kind = "with one true box" if with_boxes else "of objects"
        raise UsageError(f"{test.name} hold none {kind}: calibrate with no-boxes or more data")
    seen = observe(plain, objects, progress, "calibrating").seen
    known = np.array([len(observation.shot.truths) == 1 for observation in seen], bool)
    smoothing = localizer.card.cam.smoothing
    former = _former(localizer)
    settings = _settings(methods_of(plain.card), sorted({*SMOOTHINGS, smoothing}), former)
    truth_ious = _against_truth(seen, settings, progress)
    right = truth_ious[known] >= RIGHT_IOU
    kept = settings.index(former)
    by_truth = _choice_by_truth(settings, kept, truth_ious[known], right) if known.any() else None
    if with_boxes and by_truth:
        chosen, other = by_truth, None
    else:
        own = [
            index
            for index, one in enumerate(settings)
            if (one.method, one.smoothing) == (localizer.method, smoothing)
        ]
        candidates = [settings[index] for index in own]
        moved_ious = _against_moved(plain, seen, scenes, candidates, request.seed, progress)
        chosen, other = _choice_by_moving(candidates, moved_ious, right[:, own]), by_truth
    before = 100 * float(right[:, kept].mean()) if known.any() else None
    empty = observe(plain, scenes, progress, "looking at scenes").seen
    presence = _presence(empty, seen, chosen.setting)
    return Calibration(test.name, len(seen), chosen, with_boxes, other, before, len(scenes), presence)


def _presence(
    scenes: Sequence[Observation], objects: Sequence[Observation], setting: Setting
) -> float | None:
    def cams(seen: Sequence[Observation]) -> list[Float32]:
        return [smooth(observation.sights[setting.method].cam, setting.smoothing) for observation in seen]

    return presence_level(cams(scenes), cams(objects)) if scenes else None


def _unsmoothed(localizer: Localizer) -> Localizer:
    """The same network, whose maps come as they are."""
    card = localizer.card
    model = replace(localizer.model, card=replace(card, cam=replace(card.cam, smoothing=0.0)))
    return Localizer(model, options=Options(), network=localizer.interpreter)


def _former(localizer: Localizer) -> Setting:
    """What the card has."""
    cam = localizer.card.cam
    return Setting(cam.method, cam.smoothing, cam.component, cam.threshold)


def _settings(methods: Sequence[Method], smoothings: Sequence[float], former: Setting) -> list[Setting]:
    grid = [
        Setting(method, smoothing, component, threshold)
        for method in methods
        for smoothing in smoothings
        for component in COMPONENTS
        for threshold in THRESHOLDS
    ]
    return grid if former in grid else [*grid, former]


def _every_box(cams: dict[Method, Float32], fit: Fit, settings: Sequence[Setting]) -> list[Box | None]:
    """The box of each setting, with each smoothing upsampled once."""
    large = {
        (method, sigma): upsample(smooth(cams[method], sigma), fit.input_hw)
        for method, sigma in {(one.method, one.smoothing) for one in settings}
    }
    return [
        _boxed(large[one.method, one.smoothing], fit, BoxRule(one.threshold, one.component))
        for one in settings
    ]


def _boxed(large: Float32, fit: Fit, rule: BoxRule) -> Box | None:
    boxes = boxes_from_map(large, rule)
    return fit.to_image(boxes[0]) if boxes else None


def _cams(observation: Observation) -> dict[Method, Float32]:
    return {method: sight.cam for method, sight in observation.sights.items()}


def _rows(
    count: int, row: Callable[[int], list[float]], width: int, step: str, progress: Progress
) -> Float64:
    table = np.zeros((count, width))
    with ThreadPoolExecutor(cv2.getNumberOfCPUs()) as pool:
        for index, values in enumerate(pool.map(row, range(count))):
            table[index] = values
            progress(step, index + 1, count)
    return table


def _against_truth(seen: Sequence[Observation], settings: Sequence[Setting], progress: Progress) -> Float64:
    """IoU (N, settings) with the one true box; 0 where it is not known."""

    def row(index: int) -> list[float]:
        observation = seen[index]
        if len(observation.shot.truths) != 1:
            return [0.0] * len(settings)
        truth = observation.shot.truths[0]
        boxes = _every_box(_cams(observation), observation.fit, settings)
        return [box.iou(truth) if box else 0.0 for box in boxes]

    return _rows(len(seen), row, len(settings), "comparing with the truth", progress)


def _against_moved(
    localizer: Localizer,
    seen: Sequence[Observation],
    scenes: Sequence[Shot],
    settings: Sequence[Setting],
    seed: int,
    progress: Progress,
) -> Float64:
    """IoU (N, settings) of the box in the moved photograph with the box moved along."""
    rng, quiet = np.random.default_rng(seed), Progress(quiet=True)
    moved: list[tuple[Observation, tuple[int, int]]] = []
    for number, observation in enumerate(seen, start=1):
        photo = observation.shot.open(localizer).pixels
        scene = scenes[int(rng.integers(len(scenes)))].open(localizer).pixels if scenes else None
        canvas, corner = move(photo, scene, rng)
        shot = replace(observation.shot, open=partial(_canvas_photo, canvas))
        moved.append((observe(localizer, [shot], quiet).seen[0], corner))
        progress("moving photographs", number, len(seen))

    def row(index: int) -> list[float]:
        there, (dx, dy) = moved[index]
        pairs = zip(
            _every_box(_cams(seen[index]), seen[index].fit, settings),
            _every_box(_cams(there), there.fit, settings),
            strict=True,
        )
        return [Box(a.x0 + dx, a.y0 + dy, a.x1 + dx, a.y1 + dy).iou(b) if a and b else 0.0 for a, b in pairs]

    return _rows(len(seen), row, len(settings), "comparing moved boxes", progress)


def _canvas_photo(canvas: UInt8, _: Localizer) -> Photo:
    return photo_from_array(canvas, "rgb")


def move(photo: UInt8, scene: UInt8 | None, rng: np.random.Generator) -> tuple[UInt8, tuple[int, int]]:
    """Put a photograph on a scene that is stretched to be larger, and say where its corner lies.

    Args:
        photo: (h, w, 3) uint8.
        scene: (h, w, 3) uint8, or None for plain grey.
        rng: chooses size and place.

    Returns:
        (H, W, 3) uint8 canvas, and x and y of the photograph's corner on it.
    """
    height, width = photo.shape[:2]
    share = rng.uniform(*MOVED_SHARES)
    size_wh = (round(width / share), round(height / share))
    if scene is None:
        canvas = np.full((size_wh[1], size_wh[0], 3), NO_SCENE, np.uint8)
    else:
        canvas = np.asarray(cv2.resize(scene, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)
    x, y = int(rng.integers(0, size_wh[0] - width + 1)), int(rng.integers(0, size_wh[1] - height + 1))
    canvas[y : y + height, x : x + width] = photo
    return canvas, (x, y)


def _choice_by_truth(settings: Sequence[Setting], kept: int, ious: Float64, right: Bool) -> Choice:
    """The setting with most boxes right, of equals the one with the higher mean IoU; or the card's.

    Args:
        settings: to choose from.
        kept: index of the card's, which stays unless the best gains more than one standard error.
        ious: (N, settings) with the true box.
        right: (N, settings) whether that is enough.
    """
    means, shares = ious.mean(axis=0), right.mean(axis=0)
    best = max(range(len(settings)), key=lambda index: (shares[index], means[index]))
    gain = right[:, best].astype(float) - right[:, kept]
    if gain.mean() <= gain.std() / np.sqrt(len(gain)):
        best = kept
    return Choice(settings[best], float(shares[best]), 100 * float(shares[best]))


def _choice_by_moving(settings: Sequence[Setting], ious: Float64, right: Bool) -> Choice:
    """The threshold and component rule with the highest mean IoU, for one method and smoothing.

    Maps of two methods, or a map and its smoothed self, move alike whether they
    are right or not, so this cannot tell which is better. One box around all
    components is taken only where it gains more than one standard error over
    the paper's largest component.
    """
    means = ious.mean(axis=0)
    best = {
        component: max(
            (index for index, one in enumerate(settings) if one.component == component),
            key=lambda index: means[index],
        )
        for component in COMPONENTS
    }
    largest, every = best["largest"], best["all"]
    margin = float(ious[:, every].std() / np.sqrt(len(ious)))
    chosen = every if means[every] > means[largest] + margin else largest
    share = 100 * float(right[:, chosen].mean()) if len(right) else None
    return Choice(settings[chosen], float(means[chosen]), share)
