"""The photographs that int8 ranges come from, and those held back to check the result."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lightcam_edge.card import InputSpec
from lightcam_edge.errors import InputError
from lightcam_edge.geometry import Fit, fit_pixels
from lightcam_edge.images import decode_image
from lightcam_edge.inspection import generated_images
from lightcam_edge.sources import IMAGE_SUFFIXES

UInt8 = npt.NDArray[np.uint8]
CALIBRATION_IMAGES = 200
HELD_OUT_IMAGES = 100
ENOUGH_HELD_OUT = 32
GENERATED_IMAGES = 16


@dataclass(frozen=True, slots=True)
class Sample:
    """Images as the device feeds them to the network.

    Args:
        pixels: (N, H, W, 3) uint8 RGB.
        names: of the files they come from; empty where they are generated.
        digest: SHA-256 over the files' contents, in order; empty where they are generated.
    """

    pixels: UInt8
    names: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Samples:
    """What a conversion works with.

    Args:
        calibration: gives the ranges; empty where there are no photographs.
        held_out: checks the result.
        notes: what the user should know of them.
    """

    calibration: Sample
    held_out: Sample
    notes: tuple[str, ...] = ()


def find_images(source: Path) -> list[Path]:
    """List the images of a folder and all below it, or those that a text file names, one a line.

    Raises:
        InputError: if there are none.
    """
    try:
        if source.is_dir():
            below = (path for path in source.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
            found = sorted(path for path in below if not path.name.startswith("."))
        else:
            lines = source.read_text(encoding="utf-8").splitlines()
            found = [source.parent / line for line in lines if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read calibration images from {source} ({error}): give a folder, or a list of files"
        ) from error
    if not found:
        raise InputError(f"{source} holds no images: give --calibration a folder of training photographs")
    return found


def draw_samples(paths: Sequence[Path], spec: InputSpec, seed: int) -> Samples:
    """Draw calibration and held-out photographs at random, none in both.

    Photographs that cannot be read are left out, and said so.

    Args:
        paths: the photographs; none at all gives generated images to check with.
        spec: the network's input, to which the device's own code fits them.
        seed: of the draw.

    Raises:
        InputError: if none of them can be read.
    """
    if not paths:
        note = f"checked on {GENERATED_IMAGES} generated images: add --calibration for photographs"
        return Samples(
            Sample(_no_images(spec)),
            Sample(generated_images((spec.height, spec.width), GENERATED_IMAGES)),
            (note,),
        )
    held = min(HELD_OUT_IMAGES, len(paths) // 2)
    order = [paths[index] for index in np.random.default_rng(seed).permutation(len(paths))]
    unreadable: list[str] = []
    calibration = _read(order[held:], CALIBRATION_IMAGES, spec, unreadable.append)
    if not calibration.names:
        raise InputError(f"none of {len(paths)} calibration images can be read: {unreadable[0]}")
    held_out = _read(order[:held], HELD_OUT_IMAGES, spec, unreadable.append)
    notes = []
    if unreadable:
        notes.append(f"{len(unreadable)} images left out, the first: {unreadable[0]}")
    if not held_out.names:
        held_out = calibration
        notes.append("too few images to hold any out: checked on the calibration image")
    elif len(held_out.names) < ENOUGH_HELD_OUT:
        notes.append(f"only {len(held_out.names)} images held out: the figures are rough")
    return Samples(calibration, held_out, tuple(notes))


def _read(paths: Sequence[Path], wanted: int, spec: InputSpec, complain: Callable[[str], None]) -> Sample:
    pixels: list[UInt8] = []
    names: list[str] = []
    digest = hashlib.sha256()
    for path in paths:
        if len(names) == wanted:
            break
        try:
            content = path.read_bytes()
            pixels.append(_fitted(content, path, spec))
        except (OSError, InputError) as error:
            complain(str(error))
            continue
        names.append(str(path))
        digest.update(hashlib.sha256(content).digest())
    stacked = np.stack(pixels) if pixels else _no_images(spec)
    return Sample(stacked, tuple(names), digest.hexdigest())


def _fitted(content: bytes, path: Path, spec: InputSpec) -> UInt8:
    photo = decode_image(content, str(path), (spec.height, spec.width))
    return fit_pixels(photo.pixels, Fit(photo.image_hw, (spec.height, spec.width), spec.resize))


def _no_images(spec: InputSpec) -> UInt8:
    return np.zeros((0, spec.height, spec.width, 3), np.uint8)
