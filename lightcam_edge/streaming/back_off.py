"""How long to wait before trying again."""

import random


class BackOff:
    """Waits that double from failure to failure.

    Args:
        first_s: the first wait, in seconds.
        longest_s: where they stop growing, in seconds.
    """

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._next_s = first_s

    def reset(self) -> None:
        """Begin again with the first wait: it worked."""
        self._next_s = self._first_s

    def wait_s(self) -> float:
        """The next wait, a little random so that many devices do not come back at once."""
        wait_s = self._next_s
        self._next_s = min(2 * wait_s, self._longest_s)
        return wait_s * random.uniform(0.8, 1.2)
