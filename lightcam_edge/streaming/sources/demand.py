"""Which pictures are worth decoding."""

import time
from collections import deque
from collections.abc import Callable

KEPT = 8  # pictures whose times tell of the next


class Demand:
    """Passes over pictures that a newer one will have replaced before anybody comes for them.

    A camera may give many more pictures than can be looked at, and decoding
    them takes from the cores what the network needs. It is judged by the
    longest of the last distances and decodings, so that a wrong guess costs a
    picture decoded in vain rather than a wait for the next.

    Args:
        due_ns: when the next picture will be wanted, see `NewestFrames.due_ns`.
    """

    def __init__(self, due_ns: Callable[[], int]) -> None:
        self._due_ns = due_ns
        self._arrived_ns: int | None = None
        self._distances_ns: deque[int] = deque(maxlen=KEPT)
        self._preparations_ns: deque[int] = deque(maxlen=KEPT)

    def wants(self, arrived_ns: int) -> bool:
        """Whether a picture that arrived at this `time.monotonic_ns` should be decoded."""
        before, self._arrived_ns = self._arrived_ns, arrived_ns
        if before is not None:
            self._distances_ns.append(arrived_ns - before)
        if len(self._distances_ns) < KEPT or len(self._preparations_ns) < KEPT:
            return True
        next_ready_ns = time.monotonic_ns() + max(self._distances_ns) + max(self._preparations_ns)
        return next_ready_ns > self._due_ns()

    def prepared(self, since_ns: int) -> None:
        """Note that a wanted picture, begun at this `time.monotonic_ns`, is there to be taken."""
        self._preparations_ns.append(time.monotonic_ns() - since_ns)
