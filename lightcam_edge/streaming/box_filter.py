"""A box smoothed over time, with its motion."""

import math

import numpy as np
import numpy.typing as npt

from lightcam_edge.box import Box

Float64 = npt.NDArray[np.float64]
JUMP = 0.35  # of the box's side: an edge that strays further from where it was awaited has jumped
DRIFT_SECONDS = 0.3  # time constant with which an unseen object comes to a stand


class BoxFilter:
    """Smooths each edge of a box by the line that fits its past best, the older the less weight.

    The critically damped g-h filter (E. Brookner, Tracking and Kalman Filtering
    Made Easy, 1998), whose memory grows at the start: it follows steady motion
    without lag. It is taken to have stood before it was first seen, so that two
    uncertain boxes do not throw it across the picture. A box that jumps is
    passed over once; where the next one jumps too, it starts anew.

    Args:
        box: the first one.
        time_constant: of the memory, in seconds; 0 takes each box as it is.
    """

    def __init__(self, box: Box, time_constant: float) -> None:
        self._time_constant = time_constant
        self._jumped = False
        self._restart(_edges(box))

    def _restart(self, edges: Float64) -> None:
        self._edges = edges
        self._speed = np.zeros(4)
        self._count = 1

    @property
    def box(self) -> Box:
        """The smoothed box."""
        return Box(*self._edges.tolist())

    def advance(self, seconds: float, seen: bool = True) -> None:
        """Move on in time; an object that is not seen slows down."""
        self._edges = self._edges + self._speed * seconds
        if not seen:
            self._speed = self._speed * math.exp(-seconds / DRIFT_SECONDS)

    def correct(self, box: Box, seconds: float) -> None:
        """Take the box seen now, so many seconds after the last correction."""
        strayed = _edges(box) - self._edges
        jumped = bool(np.abs(strayed).max() > JUMP * math.sqrt(box.area))
        if not self._time_constant or (jumped and self._jumped):
            self._restart(_edges(box))
        elif not jumped:
            self._lean(strayed, seconds)
        self._jumped = jumped and not self._jumped

    def _lean(self, strayed: Float64, seconds: float) -> None:
        """Move towards what was seen, the less the longer the memory."""
        self._count += 1
        kept, count = math.exp(-seconds / self._time_constant), self._count
        gain = max(1 - kept**2, 2 * (2 * count - 1) / (count * (count + 1)))
        speed_gain = max((1 - kept) ** 2, 6 / ((count + 1) * (count + 2)))
        self._edges = self._edges + gain * strayed
        if seconds > 0:
            self._speed = self._speed + speed_gain * strayed / seconds


def _edges(box: Box) -> Float64:
    return np.array([box.x0, box.y0, box.x1, box.y1])
