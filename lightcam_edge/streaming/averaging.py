"""The average of a camera's feature maps, over time and cell by cell."""

import math

import numpy as np
import numpy.typing as npt

from lightcam_edge.interpreter import Outputs
from lightcam_edge.region import region_scores
from lightcam_edge.streaming.steadiness import Steadiness

Float32 = npt.NDArray[np.float32]
QUIET_SHARE = 1 / 3  # of `Steadiness.change`, up to which a change is taken for noise


class FeatureAverage:
    """Averages features exponentially, and follows where something moves.

    Maps and logits are linear in the features, so those of averaged features
    are the averages of maps and logits. A cell's weight rises with how much the
    class maps change there: what stands still is steadied, what moves is not
    held back, and a cut to another scene is taken over at once.

    Args:
        weights: (K, C) kernel of the dense layer after global average pooling.
        bias: (C,) its bias.
        steadiness: time constant and change.
    """

    def __init__(self, weights: Float32, bias: Float32, steadiness: Steadiness) -> None:
        self._weights = weights
        self._bias = bias
        self._steadiness = steadiness
        self._features: Float32 | None = None

    def reset(self) -> None:
        """Forget all frames."""
        self._features = None

    def add(self, outputs: Outputs, seconds: float) -> Outputs:
        """Take a frame's outputs.

        Args:
            outputs: of the frame; left as they are.
            seconds: since the frame before.

        Returns:
            Averaged features, and the scores that the classifier gives them.
        """
        time_constant = self._steadiness.average_seconds
        before = self._features
        if before is None or before.shape != outputs.features.shape or not time_constant:
            self._features = outputs.features
            return outputs
        difference = outputs.features - before
        floor = 1 - math.exp(-seconds / time_constant)
        difference *= self._gain(before, difference, floor)[..., None]
        self._features = before + difference
        return Outputs(region_scores(self._features, self._weights, self._bias), self._features)

    def _gain(self, before: Float32, difference: Float32, floor: float) -> Float32:
        """The weight (h, w) of the new frame in each cell."""
        changes = np.abs(difference @ self._weights).max(axis=2)
        peak = float(np.abs(before @ self._weights).max()) or 1.0
        full = self._steadiness.change
        moved = np.clip((changes / peak / full - QUIET_SHARE) / (1 - QUIET_SHARE), 0, 1)
        return np.asarray(floor + (1 - floor) * moved, np.float32)
