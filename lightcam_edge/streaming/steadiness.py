"""How steady a stream's boxes, tracks and events are."""

from dataclasses import dataclass, fields
from math import isfinite


@dataclass(frozen=True, slots=True)
class Steadiness:
    """Times and shares that steady what is found in a stream.

    Times are seconds, so that they mean the same at every frame rate. None of
    this is in the model card: it suits a place and a camera, not a network, and
    versions that do not know a card's field refuse the file.

    Args:
        average_seconds: time constant of the averaged map where nothing moves; 0 takes each
            frame's map as it is.
        change: how many times the camera's noise a cell of the map must change to follow at once;
            up to a fifth of that it is averaged. Above 0.
        box_seconds: time constant of the smoothed box, which follows steady motion without lag; 0
            takes each box as it is.
        appear_seconds: an object is not shown before it was surely seen for so much longer than not.
        appear_factor: how many times the model's `presence` a new object's map must reach; to stay,
            once is enough.
        hold_seconds: an object is shown where it was, or where it was going, for so long after it
            was last seen.
        absent_seconds: an object unseen for longer has gone; one that comes back before keeps its
            id. At least `hold_seconds`.
        label_margin: share by which the average of another label must be ahead before an object
            takes it, in [0, 1).
        gap_seconds: after a longer time without a picture averages start anew, and no more than this
            counts as time in which an object was there or was not. Above 0.
        loss_seconds: after a longer time without a picture every object has gone.
        update_seconds: an object is told of again after so long, if it has changed.

    Raises:
        ValueError: if a value is out of range.
    """

    average_seconds: float = 0.3
    change: float = 5.0
    box_seconds: float = 0.08
    appear_seconds: float = 0.2
    appear_factor: float = 4.0
    hold_seconds: float = 0.4
    absent_seconds: float = 1.5
    label_margin: float = 0.2
    gap_seconds: float = 1.0
    loss_seconds: float = 10.0
    update_seconds: float = 5.0

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if not (isfinite(value) and value >= 0):
                raise ValueError(f"{name} {value} is negative or not a number")
        for name in ("change", "gap_seconds"):
            if not getattr(self, name):
                raise ValueError(f"{name} 0 is not above 0")
        if self.label_margin >= 1:
            raise ValueError(f"label_margin {self.label_margin} is outside [0, 1)")
        if self.hold_seconds > self.absent_seconds:
            raise ValueError(
                f"hold_seconds {self.hold_seconds} is above absent_seconds {self.absent_seconds}"
            )
