"""Where cameras leave their newest frame, and one consumer takes it."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from lightcam_edge.streaming.messages import CapturedFrame

_LOOKS_KEPT = 8
_OWED = 3  # turns at most that are made up for to a camera whose frame came too late for them
_LOOK_UP = 0.1  # how often one that waits looks whether it should still, in seconds


class NewestFrames:
    """One place a camera: a newer frame replaces one that nobody took.

    All cameras share one condition, so that one thread can wait for any of
    them; it takes them in turn. A camera that has no frame when its turn comes
    is passed over, and gets the turns it lost as soon as it has frames: what is
    a moment too late time and again still gets its share.

    Args:
        cameras: their names.
    """

    def __init__(self, cameras: Iterable[str]) -> None:
        self._changed = threading.Condition()
        self._frames: dict[str, CapturedFrame | None] = dict.fromkeys(cameras)
        self._skipped = dict.fromkeys(self._frames, 0)
        self._ended: set[str] = set()
        self._turn = list(self._frames)  # whose turn is next comes first
        self._turns = dict.fromkeys(self._frames, 0)  # how many each had
        self._taken_ns: int | None = None  # when the frame was taken that is looked at now
        self._looked_at = ""  # the camera whose frame that is
        self._looks_ns: deque[int] = deque(maxlen=_LOOKS_KEPT)

    def put(self, frame: CapturedFrame) -> None:
        """Leave a frame in its camera's place, instead of one that is still there."""
        with self._changed:
            if self._frames[frame.camera] is not None:
                self._skipped[frame.camera] += 1
            self._leave(frame)

    def put_when_taken(self, frame: CapturedFrame, give_up: Callable[[], bool]) -> bool:
        """Leave a frame once the one before it has been taken.

        Args:
            frame: the frame.
            give_up: asked now and then; true ends the wait.

        Returns:
            Whether the frame was left.
        """
        with self._changed:
            while self._frames[frame.camera] is not None:
                if give_up():
                    return False
                self._changed.wait(_LOOK_UP)
            self._leave(frame)
            return True

    def _leave(self, frame: CapturedFrame) -> None:
        self._frames[frame.camera] = frame
        self._changed.notify_all()

    def wait_until_looked_at(self, camera: str, give_up: Callable[[], bool]) -> None:
        """Wait until a camera's last frame has been taken, and the next one asked for.

        Args:
            camera: its name.
            give_up: asked now and then; true ends the wait.
        """
        with self._changed:
            while (self._frames[camera] is not None or self._looked_at == camera) and not give_up():
                self._changed.wait(_LOOK_UP)

    def take(self, timeout: float | None = None) -> CapturedFrame | None:
        """Take the newest frame of the camera whose turn it is, or of the next that has one.

        Args:
            timeout: seconds to wait for one at most; None waits for ever.

        Returns:
            The frame; None when the time is over, or all cameras have ended.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            if self._taken_ns is not None:
                self._looks_ns.append(time.monotonic_ns() - self._taken_ns)
                self._taken_ns, self._looked_at = None, ""
                self._changed.notify_all()
            while (frame := self._next()) is None and len(self._ended) < len(self._frames):
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
            return frame

    def _next(self) -> CapturedFrame | None:
        for camera in self._turn:
            frame = self._frames[camera]
            if frame is not None:
                self._frames[camera] = None
                self._pass_turn(camera)
                self._taken_ns, self._looked_at = time.monotonic_ns(), camera
                self._changed.notify_all()
                return frame
        return None

    def _pass_turn(self, camera: str) -> None:
        self._turns[camera] += 1
        for other in self._turn:
            self._turns[other] = max(self._turns[other], self._turns[camera] - _OWED)
        self._turn.remove(camera)
        self._turn.append(camera)
        self._turn.sort(key=self._turns.__getitem__)

    def due_ns(self, camera: str) -> int:
        """When a camera's next frame will be wanted at the earliest, in `time.monotonic_ns`.

        Returns:
            0 where it is wanted now: the consumer waits, or nothing is known of it yet.
        """
        with self._changed:
            if self._taken_ns is None or not self._looks_ns:
                return 0
            earlier = self._turn[: self._turn.index(camera)]
            looks = 1 + sum(self._frames[other] is not None for other in earlier)
            return self._taken_ns + looks * min(self._looks_ns)

    def skip(self, camera: str) -> None:
        """Count a frame that was not worth leaving."""
        with self._changed:
            self._skipped[camera] += 1

    def end(self, camera: str) -> None:
        """Say that a camera leaves no more frames; the last one stays to be taken."""
        with self._changed:
            self._ended.add(camera)
            self._changed.notify_all()

    @property
    def exhausted(self) -> bool:
        """Whether all cameras have ended and every last frame has been taken."""
        with self._changed:
            return len(self._ended) == len(self._frames) and not any(self._frames.values())

    def skipped(self, camera: str) -> int:
        """How many frames of a camera a newer one replaced, or was awaited instead of."""
        with self._changed:
            return self._skipped[camera]
