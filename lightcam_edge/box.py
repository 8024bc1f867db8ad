"""Boxes, and the one rule that finds them in an activation map."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    if not (np.isfinite(peak) and peak > 0):
        return []
    mask = (cam > rule.threshold * peak).view(np.uint8)
    if rule.component == "all":
        x, y, width, height = cv2.boundingRect(mask)
        return [Box(x, y, x + width, y + height)]
    rectangles = _components(mask)[: max_boxes or None]
    return [Box(x, y, x + width, y + height) for x, y, width, height in rectangles]


def _components(mask: UInt8) -> list[Sequence[int]]:
    """`x, y, width, height` of each connected component of a mask of 0 and 1, the largest first.

    Outlines tell where the parts are, and counting their pixels takes half the
    time of OpenCV's statistics; where there is only one, nothing is counted.
    """
    found, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outer = [contour for contour, own in zip(found, hierarchy[0], strict=True) if own[PARENT] < 0]
    if len(outer) > 1:
        _, labels = cv2.connectedComponents(mask, connectivity=8, ltype=cv2.CV_32S)
        label_of = [int(labels[y, x]) for x, y in (contour[0, 0] for contour in outer)]
        area_of = [np.count_nonzero(labels == label) for label in label_of]
        outer = [outer[i] for i in sorted(range(len(outer)), key=lambda i: (-area_of[i], label_of[i]))]
    return [cv2.boundingRect(contour) for contour in outer]
