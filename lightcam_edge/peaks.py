"""Boxes of several objects in one map: one around each peak."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.box import Box
from lightcam_edge.cam import upsample

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

FINENESS = 2  # places a map cell, along each side
SADDLE = 0.5  # of the lower peak: objects between which the map dips less are one
FLOOR = 0.75  # of the threshold
CLIMB = 1 / 8  # of the way from the threshold to the peak


def boxes_by_peaks(cam: Float32, frame_hw: tuple[int, int], threshold: float) -> list[Box]:
    """Box every peak of a map, so that objects that touch get a box each.

    A watershed: each place belongs to the peak that the steepest way up leads
    to, and two peaks are one where the way between them never falls below
    `SADDLE` of the lower. A weak object beside a strong one must not drown under
    the strong one's threshold, so a box holds what is above `FLOOR` of it, and
    above the threshold, plus `CLIMB`, of the object's own peak.

    Args:
        cam: (h, w) map over the whole frame.
        frame_hw: height and width of the frame, in pixels.
        threshold: share of the maximum at which a single object ends, in [0, 1).

    Returns:
        Boxes in the frame's pixels, the largest object first; none where the map has no
        positive finite maximum.
    """
    peak = float(cam.max()) if cam.size else 0.0
    if not 0 < peak < math.inf:
        return []
    fine = upsample(cam, (cam.shape[0] * FINENESS, cam.shape[1] * FINENESS))
    basins = _merged(fine, _basins(fine), fine > FLOOR * threshold * peak)
    large = upsample(cam, frame_hw)
    owners = cv2.resize(basins, frame_hw[::-1], interpolation=cv2.INTER_NEAREST)
    found = []
    for basin in np.unique(basins[basins >= 0]).tolist():
        own_peak = float(fine[basins == basin].max())
        own_share = threshold + CLIMB * (1 - threshold)
        cut = max(FLOOR * threshold * peak, own_share * own_peak)
        mask = ((owners == basin) & (large > cut)).view(np.uint8)
        x, y, width, height = cv2.boundingRect(mask)
        if width:
            found.append((int(mask.sum()), Box(x, y, x + width, y + height)))
    return [box for _, box in sorted(found, key=lambda one: -one[0])]


def _basins(fine: Float32) -> Int64:
    """The index of the peak (h * w,) that the steepest way up from each place leads to."""
    height, width = fine.shape
    # A place lower by nothing but its number: plateaus have one peak, too.
    heights = fine.astype(np.float64) + np.arange(fine.size).reshape(fine.shape) * 1e-9 * float(fine.max())
    padded = np.pad(heights, 1, constant_values=-np.inf)
    steps = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    around = np.stack([padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width] for dy, dx in steps])
    best = around.argmax(axis=0)
    moves = np.array([dy * width + dx for dy, dx in steps])
    uphill = np.arange(fine.size) + moves[best].ravel()
    while not np.array_equal(uphill, further := uphill[uphill]):
        uphill = further
    return np.asarray(uphill, np.int64)


def _merged(fine: Float32, uphill: Int64, counts: Bool) -> npt.NDArray[np.int32]:
    """Basins (h, w) by the index of their highest place, -1 where nothing counts."""
    flat, basins = fine.ravel(), np.where(counts, uphill.reshape(fine.shape), -1)
    root = {int(basin): int(basin) for basin in np.unique(basins[counts])}

    def top(basin: int) -> int:
        while root[basin] != basin:
            basin = root[basin]
        return basin

    for saddle, one, other in _passes(fine, basins):
        low, high = sorted((top(one), top(other)), key=lambda basin: float(flat[basin]))
        if low != high and saddle > SADDLE * flat[low]:
            root[low] = high
    merged = np.full(fine.shape, -1, np.int32)
    for basin in root:
        merged[basins == basin] = top(basin)
    return merged


def _passes(fine: Float32, basins: npt.NDArray[np.integer]) -> list[tuple[float, int, int]]:
    """Height of the pass between every two basins that touch, the highest first."""
    heights: dict[tuple[int, int], float] = {}
    for here, there in (
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:-1, :-1], np.s_[1:, 1:]),
        (np.s_[:-1, 1:], np.s_[1:, :-1]),
    ):
        a, b = basins[here], basins[there]
        touch = (a != b) & (a >= 0) & (b >= 0)
        lower = np.minimum(fine[here], fine[there])[touch]
        for one, other, height in zip(a[touch].tolist(), b[touch].tolist(), lower.tolist(), strict=True):
            pair = (min(one, other), max(one, other))
            heights[pair] = max(heights.get(pair, height), height)
    return sorted(((height, *pair) for pair, height in heights.items()), reverse=True)
