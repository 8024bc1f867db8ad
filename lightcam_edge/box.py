"""Boxes, and the one rule that finds them in an activation map."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.choices import COMPONENTS as COMPONENTS
from lightcam_edge.choices import Component as Component

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]
PARENT = 3  # of OpenCV's hierarchy; a hole has one


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, half-open: x0 <= x < x1, y0 <= y < y1."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def area(self) -> float:
        """Area in square pixels; 0 for an empty box."""
        return max(0.0, self.x1 - self.x0) * max(0.0, self.y1 - self.y0)

    def iou(self, other: "Box") -> float:
        """Intersection over union with another box of the same frame, in [0, 1]."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + other.area - shared)


@dataclass(frozen=True, slots=True)
class BoxRule:
    """How a map becomes boxes.

    Args:
        threshold: share of the map's maximum above which a pixel counts, in [0, 1). The paper's is 0.2.
        component: `largest` boxes each connected component, the largest first
            (the paper's rule takes the first); `all` draws one box around every
            pixel that counts.

    Raises:
        ValueError: if a value is out of range.
    """

    threshold: float = 0.2
    component: Component = "largest"

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold {self.threshold} is outside [0, 1)")
        if self.component not in COMPONENTS:
            raise ValueError(f"component rule {self.component!r} is none of {', '.join(COMPONENTS)}")


def boxes_from_map(cam: Float32, rule: BoxRule, max_boxes: int = 1) -> list[Box]:
    """Box the parts of a map above a share of its maximum.

    Light-CAM (J. KICS 2022) and Zhou et al. 2016, section 3: keep the pixels
    above 20% of the maximum, box the largest connected component (8 neighbours).

    Args:
        cam: (h, w) map, any scale; the boxes come in its frame.
        rule: threshold and component rule.
        max_boxes: how many at most, the largest component first; 0 means all.

    Returns:
        Boxes; none where the map has no positive finite maximum.
    """
    peak = float(cam.max()) if cam.size else 0.0
    if not 0 < peak < math.inf:
        return []
    mask = (cam > rule.threshold * peak).view(np.uint8)
    if rule.component == "all":
        x, y, width, height = cv2.boundingRect(mask)
        return [Box(x, y, x + width, y + height)]
    rectangles = _components(mask)[: max_boxes or None]
    return [Box(x, y, x + width, y + height) for x, y, width, height in rectangles]


def _components(mask: UInt8) -> list[Sequence[int]]:
    """`x, y, width, height` of each connected component of a mask of 0 and 1.

    The largest comes first, and of two alike the upper one. Only where there
    are several does their area matter.
    """
    outlines, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    parents = hierarchy[0, :, PARENT].tolist()
    parts = [number for number, parent in enumerate(parents) if parent < 0]
    if len(parts) > 1:
        areas = _areas(outlines, parents)
        parts.sort(key=lambda number: (-areas[number], *outlines[number][0, 0, ::-1].tolist()))
    return [cv2.boundingRect(outlines[number]) for number in parts]


def _areas(outlines: Sequence[npt.NDArray[Any]], parents: Sequence[int]) -> list[float]:
    """Pixels of each component without its holes, at the place of its outline.

    Pick's theorem tells them from the outlines alone: a polygon whose corners
    are pixels has area - steps / 2 + 1 pixels inside. A hole's outline is made
    of pixels of the component around it.

    Args:
        outlines: (steps, 1, 2) pixels each, all that it passes.
        parents: for a hole the place of the outline around it, else negative.
    """
    areas = [0.0] * len(outlines)
    for number, (outline, parent) in enumerate(zip(outlines, parents, strict=True)):
        steps = len(outline) if len(outline) > 1 else 0  # a single pixel is left on no step
        inside = cv2.contourArea(outline) - steps / 2 + 1
        if parent < 0:
            areas[number] += inside + steps
        else:
            areas[parent] -= inside
    return areas
