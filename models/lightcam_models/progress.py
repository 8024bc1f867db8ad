"""What long work tells while it runs: rate, time left, and how well it goes."""

import sys
import time
from typing import Any

import keras

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


class TrainingProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells rate, time left, losses and accuracy of a training, and a line an epoch.

    Args:
        progress: where to.
        epochs: epochs in all.
        steps: steps an epoch.
        batch_size: photographs a step.
        first_epoch: the epoch training starts or goes on with.
    """

    def __init__(
        self, progress: Progress, epochs: int, steps: int, batch_size: int, first_epoch: int
    ) -> None:
        super().__init__()
        self.progress, self.epochs, self.steps, self.batch_size = progress, epochs, steps, batch_size
        self.first_epoch = self.epoch = first_epoch

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self._tell(self.first_epoch * self.steps, {})

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Note the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Tell how far it is."""
        self._tell(self.epoch * self.steps + batch + 1, logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Leave a line."""
        self.progress.line(f"epoch {epoch + 1}/{self.epochs}{_facts(logs or {})}")

    def _tell(self, steps: int, logs: dict[str, float]) -> None:
        total = self.epochs * self.steps * self.batch_size
        self.progress("training", steps * self.batch_size, total, facts=_facts(logs))


def _facts(logs: dict[str, Any]) -> str:
    shown = ("class_loss", "map_loss", "accuracy", "val_accuracy")
    return "".join(f"  {name} {float(logs[name]):.3f}" for name in shown if logs.get(name))
