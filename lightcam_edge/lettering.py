"""Text in pictures, from drawn letters: OpenCV 5 takes 20 ms and 8 MB to open its own fonts."""

import unicodedata
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]

LETTERS = Path(__file__).with_name("letters.png")  # made by deploy/draw_letters.py
FIRST, LAST = 32, 126  # the characters in it, ASCII


@cache
def _letters() -> tuple[UInt8, ...]:
    """Each character from `FIRST` on, (h, w) uint8, white on black."""
    content = np.frombuffer(LETTERS.read_bytes(), np.uint8)
    row = np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), np.uint8)
    return tuple(np.split(row[1:], np.flatnonzero(row[0])[1:], axis=1))


def ink(under: UInt8, mask: UInt8, colour: tuple[int, int, int]) -> None:
    """Put a drawn line into a picture.

    Args:
        under: (h, w, 3) part of the picture, changed in place.
        mask: (h, w) uint8 from `text_mask`.
        colour: of the ink, in the picture's order of channels.
    """
    share = mask[..., None].astype(np.float32) / 255
    under[:] = under * (1 - share) + np.array(colour, np.float32) * share + 0.5


def text_mask(text: str, height: int, most_width: int) -> UInt8:
    """Draw a line of text.

    Args:
        text: what is not ASCII loses its accents, or is left out.
        height: of the line from ascender to descender, in pixels, at least 1.
        most_width: what is wider is drawn smaller, in pixels, at least 1.

    Returns:
        (h, w) uint8, h at most `height`: how much of each pixel is ink.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    codes = [ord(character) for character in plain if FIRST <= ord(character) <= LAST] or [ord("?")]
    line = np.concatenate([_letters()[code - FIRST] for code in codes], axis=1)
    scale = min(height / line.shape[0], most_width / line.shape[1])
    size_wh = max(1, round(line.shape[1] * scale)), max(1, round(line.shape[0] * scale))
    return np.asarray(cv2.resize(line, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
