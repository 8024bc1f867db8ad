"""One line on a terminal that tells how far a long run is."""

import sys
import time

INTERVAL_S = 0.1


class Progress:
    """Counts images, and shows count, rate and time left while stderr is a terminal.

    Args:
        total: how many there will be; None where nobody knows.
        shown: whether the line is wanted.
    """

    def __init__(self, total: int | None, shown: bool) -> None:
        self.done = self.failed = 0
        self._total = total
        self._shown = shown and sys.stderr.isatty()
        self._started = time.monotonic()
        self._drawn = 0.0

    @property
    def rate(self) -> float:
        """Images a second so far."""
        return self.done / max(time.monotonic() - self._started, 1e-9)

    def count(self, failed: bool) -> None:
        """Count one image, and redraw the line when it is old."""
        self.done += 1
        self.failed += failed
        if self._shown and time.monotonic() - self._drawn > INTERVAL_S:
            self._drawn = time.monotonic()
            sys.stderr.write(f"\r\x1b[K{self._line()}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away, so that others can be written."""
        if self._shown and self._drawn:
            self._drawn = 0.0
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def summary(self) -> str:
        """All of it in one sentence."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done} image{'' if self.done == 1 else 's'}{failed}, {self.rate:.1f} images/s"

    def _line(self) -> str:
        if self._total is None:
            return f"{self.done} images  {self.rate:.1f} images/s"
        left = (self._total - self.done) / self.rate
        return f"{self.done}/{self._total}  {self.rate:.1f} images/s  {_duration(left)} left"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
