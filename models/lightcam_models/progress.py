"""What long work tells while it runs: rate and time left."""

import sys
import time

MOVING_INTERVAL_S, LINE_INTERVAL_S = 0.5, 30.0


class Progress:
    """One line that moves on a terminal, and a line every half minute elsewhere, on stderr.

    Args:
        quiet: say nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet, self.moving = quiet, sys.stderr.isatty()
        self._step, self._started, self._shown = "", 0.0, 0.0

    def __call__(self, step: str, done: int, total: int, unit: str = "images", facts: str = "") -> None:
        """Tell how far a step is.

        Args:
            step: its name; another name starts the clock anew.
            done: units done.
            total: units in all.
            unit: what is counted.
            facts: what else to tell.
        """
        now = time.monotonic()
        if step != self._step:
            self._step, self._started, self._shown, self._offset = step, now, now, done
        finished = done >= total
        if not finished and now - self._shown < (MOVING_INTERVAL_S if self.moving else LINE_INTERVAL_S):
            return
        self._shown = now
        rate = (done - self._offset) / max(now - self._started, 1e-9)
        left = f"  {clock((total - done) / rate)} left" if rate > 0 and not finished else ""
        self.line(f"{step}  {done}/{total}  {rate:.1f} {unit}/s{left}{facts}", finished)

    def line(self, text: str, lasting: bool = True) -> None:
        """Show a line; one that does not last is written over by the next on a terminal."""
        if not self.quiet:
            start, end = ("\r\033[K", "\n" if lasting else "") if self.moving else ("", "\n")
            sys.stderr.write(f"{start}{text}{end}")
            sys.stderr.flush()


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
