"""Random views of training photographs and their foreground masks."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
Strip = tuple[float, float, float, float]
SIDE, MASK_SIDE = 256, 128
# How solid a cut-out is, by how sure its pixel is foreground.
OPACITIES = np.rint(255 * np.clip((np.arange(256) / 255 - 0.3) / 0.4, 0, 1)).astype(np.uint8)
FAINT = 25
STRIP_GAP = 0.03
LEAST_STRIP = 0.2


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much a training photograph is varied.

    Args:
        min_area: smallest share of the photograph a random crop keeps.
        aspect: largest change of aspect ratio, as a natural logarithm.
        blur: share of photographs scaled down and up again, so that sharpness tells no class.
        lightness: largest change of brightness and of contrast, as a share.
        surroundings: share of scenes that are cut from beside another object instead of from a
            background photograph.
        paste: share of objects cut out by their mask and placed on a background photograph.
        paste_side: smallest and largest side of a placed object's photograph, as a share of the frame's.
        several: share of those that get other objects beside them.
        several_most: how many objects at most.
        several_side: largest side of each then.
    """

    min_area: float = 0.45
    aspect: float = 0.2
    blur: float = 0.5
    lightness: float = 0.25
    surroundings: float = 0.5
    paste: float = 0.4
    paste_side: tuple[float, float] = (0.2, 0.95)
    several: float = 0.25
    several_most: int = 4
    several_side: float = 0.6


@dataclass(frozen=True, slots=True)
class View:
    """A training photograph as the network sees it.

    Args:
        pixels: (n, n, 3) uint8 RGB.
        mask: (m, m) uint8, how sure a pixel is foreground, 0..255; m is n or a fraction of it.
    """

    pixels: UInt8
    mask: UInt8


def random_crop(view: View, size: int, how: Augmentation, rng: np.random.Generator) -> View:
    """Cut a random part out, flip it or not, and resize it.

    Args:
        view: square photograph and mask.
        size: wanted side in pixels; the mask keeps its ratio to the photograph.
        how: the amounts.
        rng: source of randomness.
    """
    side = view.pixels.shape[0]
    ratio = side // view.mask.shape[0]
    area, aspect = rng.uniform(how.min_area, 1), np.exp(rng.uniform(-how.aspect, how.aspect))
    width = min(side, round(side * np.sqrt(area * aspect) / ratio) * ratio)
    height = min(side, round(side * np.sqrt(area / aspect) / ratio) * ratio)
    x = int(rng.integers(0, (side - width) // ratio + 1)) * ratio
    y = int(rng.integers(0, (side - height) // ratio + 1)) * ratio
    step = -1 if rng.random() < 0.5 else 1
    pixels = view.pixels[y : y + height, x : x + width][:, ::step]
    mask = view.mask[y // ratio : (y + height) // ratio, x // ratio : (x + width) // ratio][:, ::step]
    return View(_resize(pixels, size), _resize(mask, size // ratio))


def paste(view: View, scene: View, sides: tuple[float, float], rng: np.random.Generator) -> View:
    """Place a photograph's foreground, cut out by its mask, somewhere on a scene.

    The mask, made steeper, is the opacity, so its soft border blends and
    nothing that is probably background comes along.

    Args:
        view: photograph and mask of the object.
        scene: photograph of the same size, with the mask of what lies on it already.
        sides: smallest and largest side that the photograph takes, as a share of the scene's.
        rng: source of randomness.
    """
    side = scene.pixels.shape[0]
    ratio = side // view.mask.shape[0]
    small = round(side * rng.uniform(*sides) / ratio) * ratio
    x, y = (int(rng.integers(0, (side - small) // ratio + 1)) * ratio for _ in range(2))
    cut, mask = _resize(view.pixels, small), cv2.LUT(_resize(view.mask, small // ratio), OPACITIES)
    opacity = cv2.resize(mask, (small, small), interpolation=cv2.INTER_LINEAR)[..., None] / np.float32(255)
    pixels, masks = scene.pixels.copy(), scene.mask.copy()
    under = pixels[y : y + small, x : x + small]
    under[:] = np.rint(under + opacity * (cut.astype(np.float32) - under)).astype(np.uint8)
    marked = masks[y // ratio : (y + small) // ratio, x // ratio : (x + small) // ratio]
    np.maximum(marked, mask, out=marked)
    return View(pixels, masks)


def beside(mask: UInt8) -> Strip | None:
    """The largest strip of a photograph that holds nothing of its object.

    Where an object usually is, branches and rugs are too: landscapes alone do
    not teach that they are no part of it.

    Args:
        mask: (m, m) uint8, how sure a pixel is foreground.

    Returns:
        Rows and columns as shares of the side, or None where each strip is narrower than `LEAST_STRIP`.
    """
    side = len(mask)
    x, y, width, height = cv2.boundingRect((mask > FAINT).view(np.uint8))
    gap = round(side * STRIP_GAP)
    strips = [
        (0, max(0, y - gap), 0, side),
        (min(side, y + height + gap), side, 0, side),
        (0, side, 0, max(0, x - gap)),
        (0, side, min(side, x + width + gap), side),
    ]
    top, bottom, left, right = max(strips, key=lambda one: (one[1] - one[0]) * (one[3] - one[2]))
    if min(bottom - top, right - left) < LEAST_STRIP * side:
        return None
    return top / side, bottom / side, left / side, right / side


def random_look(pixels: UInt8, how: Augmentation, rng: np.random.Generator) -> UInt8:
    """Change sharpness, brightness, contrast and colour balance at random.

    Args:
        pixels: (n, n, 3) uint8.
        how: the amounts.
        rng: source of randomness.
    """
    if rng.random() < how.blur:
        side = pixels.shape[0]
        pixels = _resize(_resize(pixels, round(side * rng.uniform(0.25, 0.9))), side)
    contrast = 1 + rng.uniform(-how.lightness, how.lightness)
    brightness = 255 * rng.uniform(-how.lightness, how.lightness) / 2
    balance = 1 + rng.uniform(-how.lightness, how.lightness, 3) / 3
    levels = np.arange(256, dtype=np.float32)[:, None]
    table = np.clip((levels - 127.5) * contrast * balance + 127.5 + brightness, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, table[None]), np.uint8)


def _resize(pixels: UInt8, side: int) -> UInt8:
    how = cv2.INTER_AREA if side * 2 <= min(pixels.shape[:2]) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), (side, side), interpolation=how), np.uint8)
