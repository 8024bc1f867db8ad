"""Foreground masks of training photographs, from image-level labels only.

A network pre-trained on ImageNet already looks at the object, so its class
activation maps, averaged over input sizes, tell where it is; GrabCut (Rother
et al. 2004) carries them to the object's edges. No box is used anywhere.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt

from lightcam_edge.box import COMPONENTS, BoxRule, boxes_from_map
from lightcam_edge.cam import br_avgcam_weights, upsample
from lightcam_edge.errors import InputError, UsageError
from lightcam_models.architectures import build_model, imagenet_classifier, load_backbone, localization_head
from lightcam_models.augmentation import MASK_SIDE
from lightcam_models.objective import LEAST_PEAK

UInt8 = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]
Progress = Callable[[str, int, int], None]

SURE_FOREGROUND, PROBABLE_FOREGROUND, SURE_BACKGROUND = 0.4, 0.2, 0.1
CERTAIN = 0.3
GRABCUT_SIDE = 112
CHUNK = 16
READING_SIZE, MARKING_SIZE = 224, 320
TUTOR_SIZES = (1.0, 9 / 7)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a teacher says of photographs.

    Args:
        masks: (N, m, m) uint8, how sure a pixel is foreground, 0..255; zero for background photographs.
        scores: (N, C) class probabilities.
    """

    masks: UInt8
    scores: Float32


@dataclass(frozen=True, slots=True)
class Trunk:
    """The convolution stage of a network at one input size, and its classifier.

    Args:
        features: model from (B, size, size, 3) photographs to (B, h, w, K) features.
        size: side of its input, in pixels.
        kernel: (K, C) weights of the dense layer.
        bias: (C,) of the dense layer.
    """

    features: keras.Model
    size: int
    kernel: Float32
    bias: Float32

    @classmethod
    def of(cls, network: keras.Model) -> "Trunk":
        """Take a network that `localization_head` accepts apart."""
        head = localization_head(network)
        kernel, bias = (np.asarray(values, np.float32) for values in head.dense.get_weights())
        return cls(keras.Model(network.inputs[0], head.features), network.input_shape[1], kernel, bias)

    def run(self, pixels: UInt8) -> Float32:
        """Features of a few photographs: (B, side, side, 3) uint8 to (B, h, w, K)."""
        resized = [cv2.resize(one, (self.size, self.size), interpolation=cv2.INTER_LINEAR) for one in pixels]
        return np.asarray(
            keras.ops.convert_to_numpy(self.features.predict_on_batch(np.stack(resized).astype(np.float32))),
            np.float32,
        )


def teach_from_imagenet(pixels: UInt8, targets: Int64, background: int | None, progress: Progress) -> Lesson:
    """Let the whole EfficientNet-Lite0, frozen, show where the foreground is.

    ImageNet's classes are weighted by their probabilities, as the network has
    them at its own size, and the map is the weighted sum of theirs at a larger
    size with the last stride dilated. A linear classifier on the averaged
    features tells the wanted classes apart.

    Args:
        pixels: (N, side, side, 3) uint8 photographs.
        targets: (N,) class index of each.
        background: index of the background class, or None.
        progress: told the step, how many photographs are done, and of how many.
    """
    reader = Trunk.of(imagenet_classifier(input_size=READING_SIZE, dilated=False))
    everything = _chunks(np.arange(len(pixels)), "reading", progress)
    pooled = np.concatenate([reader.run(pixels[chunk]).mean(axis=(1, 2)) for chunk in everything])
    kernel, bias = fit_linear_classifier(pooled, targets, int(targets.max()) + 1)
    weights = softmax(pooled @ reader.kernel + reader.bias) @ reader.kernel.T
    marker = Trunk.of(imagenet_classifier(input_size=MARKING_SIZE))
    masks = np.zeros((len(pixels), MASK_SIDE, MASK_SIDE), np.uint8)
    with ThreadPoolExecutor(1) as pool:
        waiting = []
        for chunk in _chunks(np.flatnonzero(targets != background), "marking", progress):
            cams = np.einsum("bhwk,bk->bhw", marker.run(pixels[chunk]), weights[chunk])
            waiting.append((chunk, pool.map(refine, pixels[chunk], cams)))
        for chunk, refined in waiting:
            masks[chunk] = list(refined)
    return Lesson(masks, softmax(pooled @ kernel + bias))


def teach_from_networks(
    pixels: UInt8,
    targets: Int64,
    labels: Sequence[str],
    background: int | None,
    paths: Sequence[Path],
    progress: Progress,
) -> Lesson:
    """Let networks trained on the same classes show where the foreground is.

    Their maps, as probabilities, and their scores are averaged over networks and input sizes.

    Args:
        pixels: (N, side, side, 3) uint8 photographs.
        targets: (N,) class index of each.
        labels: the classes.
        background: index of the background class, or None.
        paths: `model.keras` files with their `training.json`.
        progress: told the step, how many photographs are done, and of how many.

    Raises:
        InputError: if a network's description cannot be read.
        UsageError: if it has other classes.
    """
    masks = np.zeros((len(pixels), MASK_SIDE, MASK_SIDE), np.float32)
    scores = np.zeros((len(pixels), len(labels)), np.float32)
    tutors = [tutor for path in paths for tutor in _tutors(path, labels)]
    for tutor in tutors:
        said, cams = localize_all(tutor.trunk, pixels, targets, background, progress)
        scores += said / len(tutors)
        for index in np.flatnonzero(targets != background):
            masks[index] += tutor.mark(pixels[index], cams[index]) / len(tutors)
    return Lesson(masks.astype(np.uint8), scores)


@dataclass(frozen=True, slots=True)
class Tutor:
    """A trained network at one input size.

    Args:
        trunk: the network.
        map_scale: turns its map into log-odds, see `Localizing`, or None if it was trained without masks.
    """

    trunk: Trunk
    map_scale: float | None

    def mark(self, pixels: UInt8, cam: Float32) -> UInt8:
        """How sure a pixel is foreground: (side, side, 3) photograph and (h, w) map to (m, m), 0..255."""
        if self.map_scale is None:
            return refine(pixels, cam)
        cut = BoxRule().threshold * max(float(cam.max()), LEAST_PEAK)
        sure = 255 / (1 + np.exp(-self.map_scale * (cam - cut)))
        return np.asarray(cv2.resize(sure, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_LINEAR)).astype(
            np.uint8
        )


def _tutors(path: Path, labels: Sequence[str]) -> list[Tutor]:
    note = path.with_name("training.json")
    try:
        known = json.loads(note.read_text())
        architecture, options, size = known["architecture"], known["options"], known["input_size"]
        scale = known["map_scale"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"cannot read how teacher {path} was trained from {note}: {error}") from error
    if tuple(known["labels"]) != tuple(labels):
        raise UsageError(f"teacher {path} knows {', '.join(known['labels'])}, not {', '.join(labels)}")
    sizes = [round(size * ratio / 32) * 32 for ratio in TUTOR_SIZES]
    networks = [build_model(architecture, len(labels), input_size=n, weights=None, **options) for n in sizes]
    for network in networks:
        load_backbone(network, path)
    return [Tutor(Trunk.of(network), scale) for network in networks]


def localize_all(
    trunk: Trunk, pixels: UInt8, targets: Int64, background: int | None, progress: Progress
) -> tuple[Float32, Float32]:
    """Scores and maps of many photographs.

    Args:
        trunk: the network.
        pixels: (N, side, side, 3) uint8 photographs.
        targets: (N,) class index of each; its CAM is taken where there is no background class.
        background: index of the background class, or None.
        progress: told the step, how many photographs are done, and of how many.

    Returns:
        (N, C) softmax scores, and (N, h, w) maps.
    """
    scores, cams = [], []
    for chunk in _chunks(np.arange(len(pixels)), f"mapping at {trunk.size} px", progress):
        features = trunk.run(pixels[chunk])
        scores.append(softmax(features.mean(axis=(1, 2)) @ trunk.kernel + trunk.bias))
        if background is None:
            cams.append(np.einsum("bhwk,kb->bhw", features, trunk.kernel[:, targets[chunk]]))
        else:
            cams.append(features @ br_avgcam_weights(trunk.kernel, background))
    return np.concatenate(scores), np.concatenate(cams)


def calibrate(cams: Float32, masks: UInt8, input_size: int) -> tuple[BoxRule, float]:
    """Choose the box rule whose boxes agree best with those of the teacher's masks.

    Args:
        cams: (N, h, w) maps.
        masks: (N, m, m) uint8; photographs with an empty one do not count.
        input_size: side of the model's input, in pixels.

    Returns:
        The rule, and the mean IoU of its boxes with the masks'.
    """
    hw = (input_size, input_size)
    pairs = [
        (upsample(cam, hw), upsample(mask.astype(np.float32), hw))
        for cam, mask in zip(cams, masks, strict=True)
    ]
    wanted = [(cam, box[0]) for cam, mask in pairs if (box := boxes_from_map(mask, BoxRule(0.5)))]
    rules = [BoxRule(cut / 20, part) for part in COMPONENTS for cut in range(1, 19)]

    def agreement(rule: BoxRule) -> float:
        found = ((boxes_from_map(cam, rule), box) for cam, box in wanted)
        return float(np.mean([boxes[0].iou(box) if boxes else 0.0 for boxes, box in found]))

    best = max(rules, key=agreement)
    return best, agreement(best)


def teach(
    pixels: UInt8,
    targets: Int64,
    labels: Sequence[str],
    background: int | None,
    teachers: Sequence[Path],
    progress: Progress,
) -> Lesson:
    """Masks and scores by the given networks, or by the ImageNet network if there are none."""
    if teachers:
        return teach_from_networks(pixels, targets, labels, background, teachers, progress)
    return teach_from_imagenet(pixels, targets, background, progress)


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
