"""What every kind of camera offers to the thread that reads it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lightcam_edge.errors import LightcamError
from lightcam_edge.images import Photo
from lightcam_edge.streaming.sources.redaction import redact


class CaptureError(LightcamError):
    """A camera cannot be opened or is lost; the message holds no password."""

    def __init__(self, message: object) -> None:
        super().__init__(redact(message))


class CorruptPictureError(CaptureError):
    """One picture is damaged; the next may not be."""


# Asked when a picture has arrived, with its `time.monotonic_ns()`: whether it should be decoded at all.
Wants = Callable[[int], bool]


def always(_: int) -> bool:
    """Want every picture."""
    return True


@dataclass(frozen=True, slots=True)
class Picture:
    """What a camera gave.

    Args:
        photo: the decoded picture, as the camera sees it.
        arrived_ns: `time.monotonic_ns()` when it was there, before decoding.
        decode_ms: time it took to decode; 0 where the camera's library does not tell it apart.
    """

    photo: Photo
    arrived_ns: int
    decode_ms: float = 0.0


class Camera(Protocol):
    """A source of pictures; opened, read and closed by one thread, once."""

    def open(self) -> None:
        """Connect.

        Raises:
            LightcamError: says why not, and what helps.
        """
        ...

    def read(self, wants: Wants = always) -> Picture | None:
        """Wait for the next picture.

        Args:
            wants: asked of each before it is decoded, where that can be told apart; others are
                passed over.

        Returns:
            The picture; None where there will be no more.

        Raises:
            CorruptPictureError: if this one is damaged.
            LightcamError: if the camera is lost.
        """
        ...

    def interrupt(self) -> None:
        """Make a call under way fail soon, where that can be done; from any thread, more than once."""
        ...

    def close(self) -> None:
        """Let go of everything; also where `open` failed."""
        ...


class Throttle:
    """Lets at most so many pictures a second through.

    Args:
        fps: the limit; None for none.
    """

    def __init__(self, fps: float | None) -> None:
        self._period = 0.0 if fps is None else 1 / fps
        self._due = 0.0

    def passes(self) -> bool:
        """Whether a picture that arrives now is wanted."""
        now = time.monotonic()
        if now < self._due - self._period / 4:  # a camera's own rate wavers
            return False
        # Counted from the last due time, so that 30 a second become 20 and not 15; anew after a gap.
        self._due = (self._due if self._due > now - self._period else now) + self._period
        return True


class Pace:
    """Waits until the next picture of a recording is due.

    Args:
        interrupted: ends a wait.
    """

    def __init__(self, interrupted: threading.Event) -> None:
        self._interrupted = interrupted
        self._due = time.monotonic()

    def wait(self, fps: float) -> None:
        """Wait for the next picture's time, `1 / fps` seconds after the one before."""
        now = time.monotonic()
        self._interrupted.wait(max(self._due - now, 0.0))
        self._due = max(self._due, now - 1 / fps) + 1 / fps
