"""Foreground masks of training photographs, from image-level labels only.

Networks pre-trained on ImageNet already look at the object, so their class
activation maps, averaged over networks and input sizes, tell where it is; GrabCut
(Rother et al. 2004) carries them to the object's edges. No box is used anywhere.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from zipfile import BadZipFile

import cv2
import keras
import numpy as np
import numpy.typing as npt

from lightcam_edge.box import COMPONENTS, Box, BoxRule, boxes_from_map
from lightcam_edge.cam import br_avgcam_weights, upsample
from lightcam_edge.errors import InputError, UsageError
from lightcam_edge.interpreter import Interpreter
from lightcam_edge.model_file import read_model
from lightcam_models.architectures import build_model, imagenet_classifier, load_backbone, localization_head
from lightcam_models.augmentation import MASK_SIDE

UInt8 = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]
Progress = Callable[[str, int, int], None]

SURE_FOREGROUND, PROBABLE_FOREGROUND, SURE_BACKGROUND = 0.4, 0.15, 0.1
CERTAIN = 0.2
GRABCUT_SIDE = 112
CHUNK = 16
IMAGENET = "imagenet"
TEACHERS = (".keras", ".tflite", ".npz")
# Variant of EfficientNet-Lite, input size and whether mirrored, of each look at a photograph.
IMAGENET_LOOKS = ((0, 320, False), (0, 384, True), (2, 320, False))
GRID = 48
TUTOR_SIZES = (1.0, 9 / 7)
STEEPNESS = 12.0
MASK_CUT = 0.4


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a teacher says of photographs.

    Args:
        masks: (N, m, m) uint8, how sure a pixel is foreground, 0..255; zero for background photographs.
        scores: (N, C) class probabilities.
        certainty: (N,) how well those who made a mask agree about its box, mean IoU in [0, 1];
            1 for background photographs, and where there is only one opinion.
    """

    masks: UInt8
    scores: Float32
    certainty: Float32

    def part(self, which: slice) -> "Lesson":
        """What it says of some of the photographs."""
        return Lesson(self.masks[which], self.scores[which], self.certainty[which])

    def save(self, path: Path, names: Sequence[str]) -> None:
        """Keep it, with a name for each photograph, so that `read_lesson` can find them again."""
        temporary = path.with_suffix(".part.npz")
        np.savez_compressed(
            temporary,
            names=np.array(names),
            masks=self.masks,
            scores=self.scores,
            certainty=self.certainty,
        )
        temporary.replace(path)


def read_lesson(path: Path, names: Sequence[str]) -> Lesson:
    """What was kept of photographs, in the order of their names.

    Raises:
        InputError: if it cannot be read.
        UsageError: if it tells nothing of one of the photographs.
    """
    try:
        with np.load(path) as arrays:
            rows = {name: row for row, name in enumerate(arrays["names"].tolist())}
            order = [rows[name] for name in names]
            return Lesson(*(arrays[part][order] for part in ("masks", "scores", "certainty")))
    except KeyError as error:
        raise UsageError(f"{path} tells nothing of {error}: it was made for other photographs") from error
    except (OSError, ValueError, BadZipFile) as error:
        raise InputError(f"cannot read the lesson {path}: {error}") from error


@dataclass(frozen=True, slots=True)
class Trunk:
    """The convolution stage of a network at one input size, and its classifier.

    Args:
        forward: from (B, H, W, 3) uint8 photographs to (B, h, w, K) features.
        input_hw: height and width of its input, in pixels.
        kernel: (K, C) weights of the dense layer.
        bias: (C,) of the dense layer.
    """

    forward: Callable[[UInt8], Float32]
    input_hw: tuple[int, int]
    kernel: Float32
    bias: Float32

    @classmethod
    def of(cls, network: keras.Model) -> "Trunk":
        """Take a network that `localization_head` accepts apart."""
        head = localization_head(network)
        kernel, bias = (np.asarray(values, np.float32) for values in head.dense.get_weights())
        features = keras.Model(network.inputs[0], head.features)
        return cls(partial(_predict, features), network.input_shape[1:3], kernel, bias)

    @classmethod
    def of_file(cls, network: Interpreter) -> "Trunk":
        """Take a model file that is loaded."""

        def forward(photographs: UInt8) -> Float32:
            return np.stack([network.invoke(one).features for one in photographs])

        return cls(forward, network.input_hw, network.gap_weights, network.gap_bias)

    def run(self, pixels: UInt8, mirrored: bool = False) -> Float32:
        """Features of a few photographs: (B, side, side, 3) uint8 to (B, h, w, K).

        Features of mirrored photographs are mirrored back.
        """
        step = -1 if mirrored else 1
        size_wh = self.input_hw[::-1]
        resized = np.stack([cv2.resize(one, size_wh, interpolation=cv2.INTER_LINEAR) for one in pixels])
        seen = np.ascontiguousarray(resized[:, :, ::step], np.uint8)
        return self.forward(seen)[:, :, ::step]


def _predict(features: keras.Model, photographs: UInt8) -> Float32:
    predicted = features.predict_on_batch(photographs.astype(np.float32))
    return np.asarray(keras.ops.convert_to_numpy(predicted), np.float32)


def teach_from_imagenet(pixels: UInt8, targets: Int64, background: int | None, progress: Progress) -> Lesson:
    """Let whole EfficientNet-Lites, frozen, show where the foreground is.

    ImageNet's classes are weighted by their probabilities, as Lite0 has them at
    its own size. A map is the weighted sum of theirs at a larger size with the
    last stride dilated; those of `IMAGENET_LOOKS`, each by its own maximum, are
    averaged. A linear classifier on the averaged features tells the wanted
    classes apart.

    Args:
        pixels: (N, side, side, 3) uint8 photographs.
        targets: (N,) class index of each.
        background: index of the background class, or None.
        progress: told the step, how many photographs are done, and of how many.
    """
    reader = Trunk.of(imagenet_classifier(dilated=False))
    pooled = _pooled(reader, pixels, progress)
    kernel, bias = fit_linear_classifier(pooled, targets, int(targets.max()) + 1)
    probabilities = softmax(pooled @ reader.kernel + reader.bias)
    objects = np.flatnonzero(targets != background)
    looks = []
    for number, look in enumerate(IMAGENET_LOOKS, start=1):
        step = f"marking {number}/{len(IMAGENET_LOOKS)}"
        looks.append(_look(look, pixels, objects, probabilities, step, progress))
    cams = np.sum(looks, axis=0)
    certainty = np.ones(len(pixels), np.float32)
    certainty[objects] = agreement(looks, BoxRule())
    masks = np.zeros((len(pixels), MASK_SIDE, MASK_SIDE), np.uint8)
    with ThreadPoolExecutor(cv2.getNumberOfCPUs()) as pool:
        refined = pool.map(lambda row: refine(pixels[objects[row]], cams[row]), range(len(objects)))
        for done, (index, mask) in enumerate(zip(objects, refined, strict=True), start=1):
            masks[index] = mask
            progress("carrying masks to edges", done, len(objects))
    return Lesson(masks, softmax(pooled @ kernel + bias), certainty)


def pooled_by_imagenet(pixels: UInt8, progress: Progress) -> Float32:
    """Averaged features of the whole Lite0: (N, side, side, 3) uint8 photographs to (N, 1280)."""
    return _pooled(Trunk.of(imagenet_classifier(dilated=False)), pixels, progress)


def _pooled(reader: Trunk, pixels: UInt8, progress: Progress) -> Float32:
    everything = _chunks(np.arange(len(pixels)), "reading", progress)
    return np.concatenate([reader.run(pixels[chunk]).mean(axis=(1, 2)) for chunk in everything])


def agreement(opinions: Sequence[Float32 | UInt8], rule: BoxRule) -> Float32:
    """How well several maps of each photograph agree about the box.

    Where two teachers box alike they are nearly always right, and where they do
    not, one of them is wrong.

    Args:
        opinions: (N, h, w) maps each, at least two.
        rule: from a map to its box.

    Returns:
        (N,) mean IoU over pairs of opinions.
    """

    def boxed(one: Float32 | UInt8) -> Box | None:
        return next(iter(boxes_from_map(one.astype(np.float32), rule)), None)

    boxes = [[boxed(one) for one in opinion] for opinion in opinions]
    pairs = [
        [a.iou(b) if a and b else 0.0 for a, b in zip(*pair, strict=True)] for pair in combinations(boxes, 2)
    ]
    return np.asarray(np.mean(pairs, axis=0), np.float32)


def _look(
    look: tuple[int, int, bool],
    pixels: UInt8,
    objects: Int64,
    probabilities: Float32,
    step: str,
    progress: Progress,
) -> Float32:
    """Maps (objects, GRID, GRID) of one look, each between 0 and 1."""
    variant, size, mirrored = look
    marker = Trunk.of(imagenet_classifier(variant, size))
    weights = probabilities @ marker.kernel.T
    cams = []
    for chunk in _chunks(objects, step, progress):
        found = np.einsum("bhwk,bk->bhw", marker.run(pixels[chunk], mirrored), weights[chunk])
        cams += [_to_one(upsample(cam, (GRID, GRID))) for cam in found]
    return np.stack(cams) if cams else np.zeros((0, GRID, GRID), np.float32)


def _to_one(cam: Float32) -> Float32:
    positive = np.clip(cam, 0, None)
    return np.asarray(positive / max(float(positive.max()), 1e-6), np.float32)


@dataclass(frozen=True, slots=True)
class Tutor:
    """A network trained on the wanted classes, at one input size.

    Args:
        trunk: the network.
        cut: share of its map's maximum at which the object ends; None for a network
            trained without masks, whose map GrabCut has to carry to the edges.
    """

    trunk: Trunk
    cut: float | None

    def mark(self, pixels: UInt8, cam: Float32) -> UInt8:
        """How sure a pixel is foreground: (side, side, 3) photograph and (h, w) map to (m, m), 0..255."""
        if self.cut is None:
            return refine(pixels, cam)
        share = cam / max(float(cam.max()), 1e-6)
        sure = 255 / (1 + np.exp(-STEEPNESS * (share - self.cut)))
        return np.asarray(cv2.resize(sure, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)


def teach_from_network(
    pixels: UInt8,
    targets: Int64,
    labels: Sequence[str],
    background: int | None,
    path: Path,
    progress: Progress,
) -> Lesson:
    """Let a network trained on the same classes show where the foreground is.

    What it says of a photograph and of its mirror image, at every size it can
    take, is averaged.

    Args:
        pixels: (N, side, side, 3) uint8 photographs.
        targets: (N,) class index of each.
        labels: the classes.
        background: index of the background class, or None.
        path: `model.keras` with its `training.json`, or a model file.
        progress: told the step, how many photographs are done, and of how many.

    Raises:
        InputError: if its description cannot be read.
        ModelFileError: if the model file is damaged.
        UsageError: if it has other classes.
    """
    masks = np.zeros((len(pixels), MASK_SIDE, MASK_SIDE), np.float32)
    scores = np.zeros((len(pixels), len(labels)), np.float32)
    tutors = _tutors_of_file(path, labels) if path.suffix == ".tflite" else _tutors(path, labels)
    looks = [(tutor, mirrored) for tutor in tutors for mirrored in (False, True)]
    for tutor, mirrored in looks:
        said, cams = localize_all(tutor.trunk, pixels, targets, background, progress, mirrored)
        scores += said / len(looks)
        for index in np.flatnonzero(targets != background):
            masks[index] += tutor.mark(pixels[index], cams[index]) / np.float32(len(looks))
    return Lesson(np.rint(masks).astype(np.uint8), scores, np.ones(len(pixels), np.float32))


def _tutors(path: Path, labels: Sequence[str]) -> list[Tutor]:
    note = path.with_name("training.json")
    try:
        known = json.loads(note.read_text())
        architecture, options, size = known["architecture"], known["options"], known["input_size"]
        cut = known["cam"]["threshold"] if known["map_scale"] is not None else None
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"cannot read how teacher {path} was trained from {note}: {error}") from error
    _refuse_other_classes(path, known["labels"], labels)
    sizes = [round(size * ratio / 32) * 32 for ratio in TUTOR_SIZES]
    networks = [build_model(architecture, len(labels), input_size=n, weights=None, **options) for n in sizes]
    for network in networks:
        load_backbone(network, path)
    return [Tutor(Trunk.of(network), cut) for network in networks]


def _tutors_of_file(path: Path, labels: Sequence[str]) -> list[Tutor]:
    model = read_model(path)
    if model.card is None:
        raise UsageError(f"teacher {path} has no model card that tells its classes: convert it again")
    _refuse_other_classes(path, model.card.labels, labels)
    network = Interpreter(model.flatbuffer, cv2.getNumberOfCPUs())
    return [Tutor(Trunk.of_file(network), model.card.cam.threshold)]


def _refuse_other_classes(path: Path, known: Sequence[str], labels: Sequence[str]) -> None:
    if tuple(known) != tuple(labels):
        raise UsageError(f"teacher {path} knows {', '.join(known)}, not {', '.join(labels)}")


def localize_all(
    trunk: Trunk,
    pixels: UInt8,
    targets: Int64,
    background: int | None,
    progress: Progress,
    mirrored: bool = False,
) -> tuple[Float32, Float32]:
    """Scores and maps of many photographs.

    Args:
        trunk: the network.
        pixels: (N, side, side, 3) uint8 photographs.
        targets: (N,) class index of each; its CAM is taken where there is no background class.
        background: index of the background class, or None.
        progress: told the step, how many photographs are done, and of how many.
        mirrored: look at mirror images; the maps are mirrored back.

    Returns:
        (N, C) softmax scores, and (N, h, w) maps.
    """
    scores, cams = [], []
    step = f"mapping at {trunk.input_hw[1]}x{trunk.input_hw[0]}{', mirrored' if mirrored else ''}"
    for chunk in _chunks(np.arange(len(pixels)), step, progress):
        features = trunk.run(pixels[chunk], mirrored)
        scores.append(softmax(features.mean(axis=(1, 2)) @ trunk.kernel + trunk.bias))
        if background is None:
            cams.append(np.einsum("bhwk,kb->bhw", features, trunk.kernel[:, targets[chunk]]))
        else:
            cams.append(features @ br_avgcam_weights(trunk.kernel, background))
    return np.concatenate(scores), np.concatenate(cams)


def calibrate(cams: Float32, masks: UInt8, input_hw: tuple[int, int]) -> tuple[BoxRule, float]:
    """Choose the box rule whose boxes agree best with those of the teacher's masks, to one percent.

    Args:
        cams: (N, h, w) maps.
        masks: (N, m, m) uint8; photographs with an empty one do not count.
        input_hw: height and width of the model's input, in pixels.

    Returns:
        The rule, and the mean IoU of its boxes with the masks'.
    """
    pairs = [
        (upsample(cam, input_hw), upsample(mask.astype(np.float32), input_hw))
        for cam, mask in zip(cams, masks, strict=True)
    ]
    wanted = [(cam, box[0]) for cam, mask in pairs if (box := boxes_from_map(mask, BoxRule(MASK_CUT)))]

    def agreement(rule: BoxRule) -> float:
        found = ((boxes_from_map(cam, rule), box) for cam, box in wanted)
        return float(np.mean([boxes[0].iou(box) if boxes else 0.0 for boxes, box in found]))

    coarse = max((BoxRule(cut / 20, part) for part in COMPONENTS for cut in range(1, 19)), key=agreement)
    percents = range(round(coarse.threshold * 100) - 4, round(coarse.threshold * 100) + 5)
    best = max((BoxRule(percent / 100, coarse.component) for percent in percents), key=agreement)
    return best, agreement(best)


def teach(
    pixels: UInt8,
    targets: Int64,
    names: Sequence[str],
    labels: Sequence[str],
    background: int | None,
    teachers: Sequence[str],
    progress: Progress,
) -> Lesson:
    """Masks and scores by every teacher together; by ImageNet's networks if none is named.

    Args:
        pixels: (N, side, side, 3) uint8 photographs.
        targets: (N,) class index of each.
        names: of the photographs, as `Lesson.save` was given them.
        labels: the classes.
        background: index of the background class, or None.
        teachers: each `imagenet`, a `model.keras`, a model file, or a lesson that was kept (`.npz`).
        progress: told the step, how many photographs are done, and of how many.

    Raises:
        InputError: if a teacher cannot be read.
        UsageError: if it knows other classes or photographs.
    """

    def lesson(teacher: str) -> Lesson:
        if teacher == IMAGENET:
            return teach_from_imagenet(pixels, targets, background, progress)
        if teacher.endswith(".npz"):
            return read_lesson(Path(teacher), names)
        return teach_from_network(pixels, targets, labels, background, Path(teacher), progress)

    lessons = [lesson(teacher) for teacher in teachers or (IMAGENET,)]
    return lessons[0] if len(lessons) == 1 else _mean(lessons, np.flatnonzero(targets != background))


def _mean(lessons: Sequence[Lesson], objects: Int64) -> Lesson:
    """The geometric mean of masks, so that all have to be sure, and the plain one of scores."""
    masks = np.zeros_like(lessons[0].masks)
    for index in objects:
        logs = [np.log(np.maximum(lesson.masks[index], 1, dtype=np.float32)) for lesson in lessons]
        masks[index] = np.exp(np.mean(logs, axis=0))
    scores = np.stack([lesson.scores for lesson in lessons]).mean(axis=0)
    certainty = np.ones(len(masks), np.float32)
    certainty[objects] = agreement([lesson.masks[objects] for lesson in lessons], BoxRule(MASK_CUT))
    return Lesson(masks, np.asarray(scores, np.float32), certainty)


def _chunks(indices: Int64, step: str, progress: Progress) -> Iterator[Int64]:
    for start in range(0, len(indices), CHUNK):
        progress(step, start, len(indices))
        yield indices[start : start + CHUNK]
    progress(step, len(indices), len(indices))


def softmax(logits: Float32) -> Float32:
    """Row-wise softmax: (N, C) to (N, C)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)


def fit_linear_classifier(
    features: Float32, targets: Int64, classes: int, decay: float = 1e-4
) -> tuple[Float32, Float32]:
    """Multinomial logistic regression with an L2 penalty, by L-BFGS.

    Args:
        features: (N, K) averaged features.
        targets: (N,) class indices.
        classes: number of classes C.
        decay: weight of the penalty on the kernel.

    Returns:
        (K, C) kernel and (C,) bias.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    count, maps = features.shape
    one_hot = np.eye(classes)[targets]

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        kernel, bias = flat[:-classes].reshape(maps, classes), flat[-classes:]
        logs = log_softmax(features @ kernel + bias, axis=1)
        error = (np.exp(logs) - one_hot) / count
        gradient = np.concatenate([(features.T @ error + 2 * decay * kernel).ravel(), error.sum(axis=0)])
        return -(one_hot * logs).sum() / count + decay * (kernel**2).sum(), gradient

    best = minimize(
        loss, np.zeros((maps + 1) * classes), jac=True, method="L-BFGS-B", options={"maxiter": 200}
    ).x
    return best[:-classes].reshape(maps, classes).astype(np.float32), best[-classes:].astype(np.float32)


def refine(pixels: UInt8, cam: Float32) -> UInt8:
    """Carry a map to the edges of the object by GrabCut, half and half with the map itself.

    Args:
        pixels: (side, side, 3) uint8 RGB photograph.
        cam: (h, w) map, any positive scale.

    Returns:
        (m, m) uint8, how sure a pixel is foreground, 0..255.
    """
    small = cv2.resize(pixels, (GRABCUT_SIDE, GRABCUT_SIDE), interpolation=cv2.INTER_AREA)
    cam = np.clip(cv2.resize(cam, (GRABCUT_SIDE, GRABCUT_SIDE), interpolation=cv2.INTER_LINEAR), 0, None)
    cam = cam / max(float(cam.max()), 1e-6)
    seeds = np.full(cam.shape, cv2.GC_PR_BGD, np.uint8)
    seeds[cam > PROBABLE_FOREGROUND] = cv2.GC_PR_FGD
    seeds[cam > SURE_FOREGROUND] = cv2.GC_FGD
    seeds[cam < SURE_BACKGROUND] = cv2.GC_BGD
    cut = cam > SURE_FOREGROUND
    if cut.any() and (seeds % 2 == cv2.GC_BGD).any():
        models = np.zeros((2, 1, 65))
        cv2.grabCut(
            np.ascontiguousarray(small), seeds, (0, 0, 1, 1), models[0], models[1], 3, cv2.GC_INIT_WITH_MASK
        )
        cut = seeds % 2 == cv2.GC_FGD
    sure = (cut + np.minimum(cam / CERTAIN, 1)) * 127.5
    return np.asarray(cv2.resize(sure, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_LINEAR)).astype(
        np.uint8
    )
