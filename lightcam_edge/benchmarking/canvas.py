"""A drawing of a few simple shapes, as SVG or PNG; a board has no plotting library."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.lettering import ink, text_mask

UInt8 = npt.NDArray[np.uint8]
Anchor = Literal["start", "middle", "end"]

INK, FAINT, PAPER = "#1c2024", "#d5d9dd", "#ffffff"
TEXT_SIZE = 13
LINE_SHARE = 1.25  # of a letter's size, from ascender to descender
LETTER_SHARE = 0.52  # mean width of a letter, of its size
PNG_SCALE = 2


@dataclass(frozen=True, slots=True)
class Rect:
    """A filled rectangle, in pixels from the top left."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line one pixel wide."""

    x0: float
    y0: float
    x1: float
    y1: float
    colour: str = FAINT


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    radius: float
    colour: str


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; `y` is its middle."""

    x: float
    y: float
    text: str
    anchor: Anchor = "start"


Shape = Rect | Line | Dot | Text


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes on a sheet, the later ones above the earlier, in pixels.

    Args:
        title: what it shows, for those who cannot see it.
    """

    title: str
    width: int
    height: int
    shapes: Sequence[Shape]


def text_width(text: str) -> float:
    """About how wide a line is, in pixels."""
    return len(text) * TEXT_SIZE * LETTER_SHARE


def to_svg(drawing: Drawing) -> str:
    """An element for an HTML page; ink, faint and paper are the page's `--ink`, `--faint` and `--paper`."""
    size = f'viewBox="0 0 {drawing.width} {drawing.height}" width="{drawing.width}"'
    inner = "".join(_element(shape) for shape in drawing.shapes)
    title = escape(drawing.title)
    return f'<svg {size} role="img" aria-label="{title}" font-size="{TEXT_SIZE}">{inner}</svg>'


def _paint(colour: str) -> str:
    names = {INK: "var(--ink)", FAINT: "var(--faint)", PAPER: "var(--paper)"}
    return names.get(colour, colour)


def _element(shape: Shape) -> str:
    match shape:
        case Rect(x, y, width, height, colour):
            return (
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
                f'fill="{_paint(colour)}"/>'
            )
        case Line(x0, y0, x1, y1, colour):
            return f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" stroke="{_paint(colour)}"/>'
        case Dot(x, y, radius, colour):
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{_paint(colour)}"/>'
        case Text(x, y, text, anchor):
            return (
                f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" dominant-baseline="central" '
                f'fill="var(--ink)">{escape(text)}</text>'
            )


def to_png(drawing: Drawing) -> bytes:
    """A picture on white, twice as fine as the drawing says."""
    picture = np.full((drawing.height * PNG_SCALE, drawing.width * PNG_SCALE, 3), 255, np.uint8)
    for shape in drawing.shapes:
        _draw(picture, shape)
    _, content = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])  # nearly half the bytes
    return content.tobytes()


def stacked(drawings: Sequence[Drawing]) -> Drawing:
    """One below the other."""
    shapes: list[Shape] = []
    top = 0
    for drawing in drawings:
        shapes += [_lowered(shape, top) for shape in drawing.shapes]
        top += drawing.height
    title = "; ".join(drawing.title for drawing in drawings)
    return Drawing(title, max(drawing.width for drawing in drawings), top, shapes)


def _lowered(shape: Shape, by: float) -> Shape:
    match shape:
        case Rect(x, y, width, height, colour):
            return Rect(x, y + by, width, height, colour)
        case Line(x0, y0, x1, y1, colour):
            return Line(x0, y0 + by, x1, y1 + by, colour)
        case Dot(x, y, radius, colour):
            return Dot(x, y + by, radius, colour)
        case Text(x, y, text, anchor):
            return Text(x, y + by, text, anchor)


def _bgr(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return blue, green, red


def _draw(picture: UInt8, shape: Shape) -> None:
    def at(x: float, y: float) -> tuple[int, int]:
        return round(x * PNG_SCALE), round(y * PNG_SCALE)

    match shape:
        case Rect(x, y, width, height, colour):
            (left, top), (right, bottom) = at(x, y), at(x + width, y + height)
            picture[top:bottom, left:right] = _bgr(colour)
        case Line(x0, y0, x1, y1, colour):
            cv2.line(picture, at(x0, y0), at(x1, y1), _bgr(colour), PNG_SCALE, cv2.LINE_AA)
        case Dot(x, y, radius, colour):
            cv2.circle(picture, at(x, y), round(radius * PNG_SCALE), _bgr(colour), -1, cv2.LINE_AA)
        case Text(x, y, text, anchor):
            _write(picture, at(x, y), text, anchor)


def _write(picture: UInt8, place: tuple[int, int], text: str, anchor: Anchor) -> None:
    mask = text_mask(text, round(TEXT_SIZE * LINE_SHARE * PNG_SCALE), picture.shape[1])
    height, width = mask.shape
    x = place[0] - {"start": 0, "middle": width // 2, "end": width}[anchor]
    x, y = max(0, min(x, picture.shape[1] - width)), max(0, place[1] - height // 2)
    under = picture[y : y + height, x : x + width]
    ink(under, mask[: under.shape[0]], _bgr(INK))
