"""How long a camera is waited for."""

from dataclasses import dataclass

from lightcam_edge.errors import UsageError


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a camera is waited for, in seconds.

    Args:
        stall_timeout: without a picture, until it counts as lost.
        open_timeout: until it must have given its first one.
        frozen_after: of identical pictures, until it counts as frozen; 0 never does. Longer than the
            distance of a video's key frames, between which a still scene may be sent as "no change".
        first_retry: before the first attempt to reconnect.
        longest_retry: between attempts.

    Raises:
        UsageError: if a value is out of range.
    """

    stall_timeout: float = 10.0
    open_timeout: float = 15.0
    frozen_after: float = 30.0
    first_retry: float = 0.5
    longest_retry: float = 30.0

    def __post_init__(self) -> None:
        for name in ("stall_timeout", "open_timeout", "first_retry", "longest_retry"):
            if not 0 < getattr(self, name) <= 86400:
                raise UsageError(f"{name} is {getattr(self, name)}: give more than 0, to 86400 seconds")
        if not 0 <= self.frozen_after <= 86400:
            raise UsageError(f"frozen_after is {self.frozen_after}: give 0 (never) to 86400 seconds")
