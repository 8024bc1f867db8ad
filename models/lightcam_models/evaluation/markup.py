"""Parts of an HTML page that loads nothing from anywhere."""

import base64
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.box import Box
from lightcam_edge.drawing import to_jpeg
from lightcam_models.evaluation.tables import Row

T = TypeVar("T")
UInt8 = npt.NDArray[np.uint8]

SHOWN = 6
PICTURE_SIDE = 256


def folded(title: str, content: str) -> str:
    """Content under a title that opens it."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def table(rows: Sequence[Row]) -> str:
    """A heading and rows; those whose name is indented are parts of the one above."""
    head, *body = rows
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = [f"<tr>{cells}</tr>"]
    for row in body:
        part = ' class="part"' if row[0].startswith(" ") else ""
        cells = "".join(f"<td>{escape(cell.strip())}</td>" for cell in row)
        lines.append(f"<tr{part}>{cells}</tr>")
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def data_url(content: bytes, kind: str) -> str:
    """An image as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def picture(chart: Mapping[str, bytes], alt: str) -> str:
    """A chart as PNG for light and for dark pages."""
    light, dark = (data_url(chart[name], "png") for name in ("light", "dark"))
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img alt="{alt}" src="{light}"></picture>'
    )


def rect(box: Box, kind: str) -> str:
    """A box of an image as SVG; its kind is `truth` or `found`."""
    place = f'x="{box.x0:g}" y="{box.y0:g}" width="{box.x1 - box.x0:g}" height="{box.y1 - box.y0:g}"'
    return f'<rect class="edge" {place}/><rect class="{kind}" {place}/>'


def shrunk(pixels: UInt8, image_hw: tuple[int, int]) -> UInt8:
    """An image whose long side is `PICTURE_SIDE` pixels, from any size that it was decoded to."""
    height, width = image_hw
    scale = PICTURE_SIDE / max(height, width)
    size_wh = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def figure(pixels: UInt8, image_hw: tuple[int, int], drawn: Sequence[str], caption: str) -> str:
    """An image with shapes of its frame over it, and a caption in HTML."""
    height, width = image_hw
    image = f'<image href="{data_url(to_jpeg(pixels), "jpeg")}" width="{width}" height="{height}"/>'
    return (
        f'<figure><svg viewBox="0 0 {width} {height}">{image}{"".join(drawn)}</svg>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def gallery(ranked: Sequence[T], show: Callable[[T], str]) -> str:
    """The best, the median and the worst of what is ranked from worst to best."""
    middle = max(0, (len(ranked) - SHOWN) // 2)
    chosen = {
        "best": ranked[::-1][:SHOWN],
        "median": ranked[middle : middle + SHOWN],
        "worst": ranked[:SHOWN],
    }
    return "".join(
        f'<p>{name}</p><div class="pictures">{"".join(show(one) for one in some)}</div>'
        for name, some in chosen.items()
    )
