"""Training photographs on the way to the network: decoded once, varied anew each epoch."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt

from lightcam_edge.errors import InputError, UsageError
from lightcam_edge.geometry import Fit, fit_pixels
from lightcam_edge.images import decode_image
from lightcam_edge.model_file import write_atomically
from lightcam_models.augmentation import (
    SIDE,
    Augmentation,
    Strip,
    View,
    beside,
    paste,
    random_crop,
    random_look,
)
from lightcam_models.datasets import Dataset, Example, read_bytes
from lightcam_models.progress import Progress

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

DOUBTED, BELIEVED = 0.35, 0.7  # IoU of the teachers' boxes
CUT_BELIEF = 0.5


def decode_photographs(dataset: Dataset, folder: Path, progress: Progress) -> tuple[UInt8, Dataset]:
    """Decode and squash every photograph once, through the device's own code.

    The pixels lie in a file mapped into memory, so a set may be larger than it.

    Args:
        dataset: the photographs; broken ones are reported and left out.
        folder: where the file is kept; one that fits the data is used again.
        progress: told how far it is, and of broken files.

    Returns:
        (N, SIDE, SIDE, 3) uint8 RGB, and the data set without the broken ones.

    Raises:
        UsageError: if no photograph is left.
    """
    note, pixels_file = folder / "photographs.json", folder / "photographs.npy"
    key = {"digest": dataset.digest, "side": SIDE}
    if note.exists() and pixels_file.exists():
        known = json.loads(note.read_text())
        if {name: known[name] for name in key} == key:
            return _kept(pixels_file, dataset, known["kept"])
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.lib.format.open_memmap(pixels_file, "w+", np.uint8, (len(dataset.examples), SIDE, SIDE, 3))
    kept: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        decoded = pool.map(_squashed, dataset.examples)
        for index, photo in enumerate(decoded):
            progress("decoding", index + 1, len(dataset.examples))
            if isinstance(photo, str):
                progress.line(f"skipped: {photo}")
                continue
            pixels[len(kept)] = photo
            kept.append(index)
    if not kept:
        raise UsageError(f"{dataset.name}: none of {len(dataset.examples)} photographs can be read")
    pixels.flush()
    write_atomically(note, json.dumps({**key, "kept": kept}).encode())
    return _kept(pixels_file, dataset, kept)


def _squashed(example: Example) -> UInt8 | str:
    try:
        photo = decode_image(read_bytes(example), str(example.path), (SIDE, SIDE))
    except InputError as error:
        return str(error)
    return fit_pixels(photo.pixels, Fit(photo.image_hw, (SIDE, SIDE)))


def _kept(pixels_file: Path, dataset: Dataset, kept: Sequence[int]) -> tuple[UInt8, Dataset]:
    examples = tuple(dataset.examples[index] for index in kept)
    return np.load(pixels_file, mmap_mode="r")[: len(kept)], replace(dataset, examples=examples)


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Augmented batches, the same ones for the same seed and epoch.

    Args:
        pixels: (N, side, side, 3) uint8 photographs.
        masks: (N, m, m) uint8 foreground masks, or None where nobody made any.
        targets: (N,) class index of each photograph.
        weights: (C,) weight of each class in the loss.
        background: index of the background class, or None.
        size: side of the network's input, in pixels.
        batch_size: photographs a batch.
        map_side: side of the activation map, in cells.
        augmentation: the amounts, or None to show the photographs as they are.
        soft_targets: (N, C) class probabilities by a teacher, or None for the labels alone.
        certainty: (N,) how far each mask is to be believed, see `Lesson`; None believes all.
        seed: of order and augmentation.
        start_epoch: the first epoch to be served, when training goes on.
    """

    def __init__(
        self,
        pixels: UInt8,
        masks: UInt8 | None,
        targets: npt.NDArray[np.int64],
        weights: Float32,
        background: int | None,
        size: int,
        batch_size: int,
        map_side: int,
        augmentation: Augmentation | None,
        soft_targets: Float32 | None = None,
        certainty: Float32 | None = None,
        seed: int = 0,
        start_epoch: int = 0,
    ) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self.pixels, self.masks, self.targets, self.weights = pixels, masks, targets, weights
        self.background, self.size, self.batch_size, self.map_side = background, size, batch_size, map_side
        self.augmentation, self.soft_targets, self.seed = augmentation, soft_targets, seed
        is_scene = targets == (-1 if background is None else background)
        self.scenes = np.flatnonzero(is_scene)
        everything = np.ones(len(targets), np.float32)
        self.belief = everything if certainty is None else believed(certainty)
        self.can_be_cut = ~is_scene & (self.belief >= CUT_BELIEF) & (masks is not None)
        self.objects = np.flatnonzero(self.can_be_cut)
        self.strips = strips_of(masks, self.objects) if augmentation and masks is not None else []
        self.epoch = start_epoch
        self._shuffle()

    def __len__(self) -> int:
        """Batches an epoch; when training, an incomplete last one is left out, its photographs come again."""
        count = len(self.targets) / self.batch_size
        return max(1, int(count)) if self.augmentation else int(np.ceil(count))

    def on_epoch_end(self) -> None:
        """Take another order."""
        self.epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        rng = np.random.default_rng((self.seed, self.epoch))
        count = len(self.targets)
        self.order = rng.permutation(count) if self.augmentation else np.arange(count)

    def __getitem__(self, index: int) -> tuple[Float32, dict[str, Any]]:
        """The photographs and what is known of them, see `lightcam_models.training.Localizing`."""
        rng = np.random.default_rng((self.seed, self.epoch, index))
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        shown = [self._view(int(one), rng) for one in chosen]
        foreground = np.stack([_to_map(view.mask, self.map_side) for view, _ in shown])
        one_hot = np.eye(len(self.weights), dtype=np.float32)
        known = {
            "targets": np.stack([one_hot[present].mean(axis=0) for _, present in shown]),
            "single": np.array([len(set(present)) == 1 for _, present in shown], np.float32),
            "weights": self.weights[self.targets[chosen]],
            "foreground": foreground,
            "belief": self.belief[chosen],
        }
        known["teacher"] = known["targets"]
        if self.soft_targets is not None:  # of a scene with objects of several classes it knows nothing
            single = known["single"][:, None] > 0
            known["teacher"] = np.where(single, self.soft_targets[chosen], known["targets"])
        return np.stack([view.pixels for view, _ in shown]).astype(np.float32), known

    def _photograph(self, index: int) -> View:
        pixels = np.asarray(self.pixels[index])
        if self.masks is None:
            return View(pixels, np.zeros((len(pixels) // 2, len(pixels) // 2), np.uint8))
        return View(pixels, self.masks[index])

    def _view(self, index: int, rng: np.random.Generator) -> tuple[View, list[int]]:
        """A photograph as it is shown, and the class of each object on it."""
        view, how, present = self._photograph(index), self.augmentation, [int(self.targets[index])]
        if how is None:
            shape = (self.size, self.size)
            pixels = np.asarray(cv2.resize(view.pixels, shape, interpolation=cv2.INTER_LINEAR), np.uint8)
            return View(pixels, view.mask), present
        view = random_crop(view, self.size, how, rng)
        if self.can_be_cut[index] and (len(self.scenes) or self.strips) and rng.random() < how.paste:
            view, present = self._placed(view, present, how, rng)
        return View(random_look(view.pixels, how, rng), view.mask), present

    def _placed(
        self, view: View, present: list[int], how: Augmentation, rng: np.random.Generator
    ) -> tuple[View, list[int]]:
        """An object on a scene, perhaps with others beside it, the first drawn last."""
        scene = self._scene(how, rng)
        if rng.random() >= how.several:
            return paste(view, scene, how.paste_side, rng), present
        sides = (how.paste_side[0], how.several_side)
        others = rng.choice(self.objects, int(rng.integers(1, how.several_most)))
        for other in others:
            scene = paste(random_crop(self._photograph(int(other)), self.size, how, rng), scene, sides, rng)
        return paste(view, scene, sides, rng), [*self.targets[others].tolist(), *present]

    def _scene(self, how: Augmentation, rng: np.random.Generator) -> View:
        """Something to place objects on: a background photograph, or what lies beside another object."""
        use_strip = rng.random() < how.surroundings or not len(self.scenes)
        if not (self.strips and use_strip):
            return random_crop(self._photograph(int(rng.choice(self.scenes))), self.size, how, rng)
        index, strip = self.strips[int(rng.integers(len(self.strips)))]
        side = self.pixels.shape[1]
        top, bottom, left, right = (round(edge * side) for edge in strip)
        part = np.ascontiguousarray(self.pixels[index, top:bottom, left:right])
        shape = (self.size, self.size)
        pixels = np.asarray(cv2.resize(part, shape, interpolation=cv2.INTER_LINEAR), np.uint8)
        return View(pixels, np.zeros((self.size // 2, self.size // 2), np.uint8))


def strips_of(masks: UInt8, chosen: npt.NDArray[np.int64]) -> list[tuple[int, Strip]]:
    """What lies beside the objects of some photographs: the photograph's index, and the strip."""
    found = ((int(index), beside(masks[index])) for index in chosen)
    return [(index, strip) for index, strip in found if strip]


def believed(certainty: Float32) -> Float32:
    """Weight (N,) of masks in the loss, from 0 at `DOUBTED` to 1 at `BELIEVED` and above."""
    return np.asarray(np.clip((certainty - DOUBTED) / (BELIEVED - DOUBTED), 0, 1), np.float32)


def _to_map(mask: UInt8, side: int) -> Float32:
    return np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA) / 255, np.float32)
