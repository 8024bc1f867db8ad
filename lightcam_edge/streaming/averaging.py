"""The average of a camera's feature maps, over time and cell by cell."""

import math

import numpy as np
import numpy.typing as npt

from lightcam_edge.interpreter import Outputs
from lightcam_edge.region import region_scores
from lightcam_edge.streaming.steadiness import Steadiness

Float32 = npt.NDArray[np.float32]
NOISE_RISES, NOISE_FALLS = 2.0, 0.2  # time constants, in seconds
QUIET_SHARE = 0.2  # of `Steadiness.change`, up to which a change is taken for noise


class FeatureAverage:
    """Averages features exponentially, and follows where something moves.

    Maps and logits are linear in the features, so those of averaged features
    are the averages of maps and logits. A cell's weight rises with how much its
    class maps change beside the camera's noise, which is learnt while it runs:
    what stands still is steadied, what moves is not held back, and a cut to
    another scene is taken over at once.

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
        self._noise: float | None = None

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
        before = self._features
        self._features = outputs.features
        off = not self._steadiness.average_seconds
        if off or before is None or before.shape != outputs.features.shape:
            return outputs
        difference = outputs.features - before
        changes = np.abs(difference @ self._weights).max(axis=2)
        if not np.isfinite(changes).all():  # it would stay in the average for good
            return outputs
        difference *= self._gain(changes, seconds)[..., None]
        self._features = before + difference
        return Outputs(region_scores(self._features, self._weights, self._bias), self._features)

    def _gain(self, changes: Float32, seconds: float) -> Float32:
        """The weight (h, w) of the new frame in each cell, by how much it changed."""
        usual = float(np.median(changes))
        if self._noise is None:
            self._noise = usual
        # A moving camera changes every cell: the noise is what is left when it stands.
        patience = NOISE_RISES if usual > self._noise else NOISE_FALLS
        self._noise += (1 - math.exp(-seconds / patience)) * (usual - self._noise)
        full = self._steadiness.change * max(self._noise, 1e-9)
        moved = np.clip((changes / full - QUIET_SHARE) / (1 - QUIET_SHARE), 0, 1)
        floor = 1 - math.exp(-seconds / self._steadiness.average_seconds)
        return np.asarray(floor + (1 - floor) * moved, np.float32)
