"""What a training tells while it runs."""

from typing import Any

import keras

from lightcam_models.progress import Progress


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
