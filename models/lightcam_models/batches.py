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
from lightcam_models.augmentation import SIDE, Augmentation, View, paste, random_crop, random_look
from lightcam_models.datasets import Dataset, Example, read_bytes
from lightcam_models.progress import Progress

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]


def decode_photographs(
    dataset: Dataset, folder: Path, progress: Progress, side: int = SIDE
) -> tuple[UInt8, Dataset]:
    """Decode and squash every photograph once, through the device's own code.

    The pixels lie in a file mapped into memory, so a set may be larger than it.

    Args:
        dataset: the photographs; broken ones are reported and left out.
        folder: where the file is kept; one that fits the data is used again.
        progress: told how far it is, and of broken files.
        side: height and width to squash to, in pixels.

    Returns:
        (N, side, side, 3) uint8 RGB, and the data set without the broken ones.

    Raises:
        UsageError: if no photograph is left.
    """
    note, pixels_file = folder / "photographs.json", folder / "photographs.npy"
    key = {"digest": dataset.digest, "side": side}
    if note.exists() and pixels_file.exists():
        known = json.loads(note.read_text())
        if {name: known[name] for name in key} == key:
            return _kept(pixels_file, dataset, known["kept"])
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.lib.format.open_memmap(pixels_file, "w+", np.uint8, (len(dataset.examples), side, side, 3))
    kept: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        decoded = pool.map(lambda example: _squashed(example, side), dataset.examples)
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


def _squashed(example: Example, side: int) -> UInt8 | str:
    try:
        photo = decode_image(read_bytes(example), str(example.path), (side, side))
    except InputError as error:
        return str(error)
    return fit_pixels(photo.pixels, Fit(photo.image_hw, (side, side)))


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
        seed: int = 0,
        start_epoch: int = 0,
    ) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self.pixels, self.masks, self.targets, self.weights = pixels, masks, targets, weights
        self.background, self.size, self.batch_size, self.map_side = background, size, batch_size, map_side
        self.augmentation, self.soft_targets, self.seed = augmentation, soft_targets, seed
        self.scenes = np.flatnonzero(targets == background) if background is not None else np.zeros(0, int)
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
        views = [self._view(int(one), rng) for one in chosen]
        targets = self.targets[chosen]
        foreground = np.stack([_to_map(view.mask, self.map_side) for view in views])
        one_hot = np.eye(len(self.weights), dtype=np.float32)[targets]
        known = {
            "targets": one_hot,
            "teacher": one_hot if self.soft_targets is None else self.soft_targets[chosen],
            "weights": self.weights[targets],
            "foreground": foreground,
        }
        return np.stack([view.pixels for view in views]).astype(np.float32), known

    def _photograph(self, index: int) -> View:
        pixels = np.asarray(self.pixels[index])
        if self.masks is None:
            return View(pixels, np.zeros((len(pixels) // 2, len(pixels) // 2), np.uint8))
        return View(pixels, self.masks[index])

    def _view(self, index: int, rng: np.random.Generator) -> View:
        view, how = self._photograph(index), self.augmentation
        if how is None:
            return View(
                np.asarray(
                    cv2.resize(view.pixels, (self.size, self.size), interpolation=cv2.INTER_LINEAR), np.uint8
                ),
                view.mask,
            )
        is_object = self.masks is not None and self.targets[index] != self.background
        view = random_crop(view, self.size, how, rng)
        if is_object and len(self.scenes) and rng.random() < how.paste:
            scene = random_crop(self._photograph(int(rng.choice(self.scenes))), self.size, how, rng)
            view = paste(view, scene, how, rng)
        return View(random_look(view.pixels, how, rng), view.mask)


def _to_map(mask: UInt8, side: int) -> Float32:
    return np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA) / 255, np.float32)
