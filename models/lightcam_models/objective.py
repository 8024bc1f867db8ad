"""What training minimizes: the class of the photograph, and where its foreground lies."""

from typing import Any

import keras
from keras import ops

from lightcam_edge.box import BoxRule
from lightcam_models.architectures import localization_head

LEAST_PEAK = 1.0
LEAST_AREA = 0.5  # cells of the map


class Localizing(keras.Model):  # type: ignore[misc]
    """A network in training: classified by its average, localized by its activation map.

    The loss is cross-entropy of the classes plus, where masks exist, binary
    cross-entropy between them and the activation map, and cross-entropy of the
    classes by the foreground alone. The map is BR-AvgCAM where
    there is a background class, else the CAM of the photograph's own class. Its
    log-odds of foreground are zero where the box rule cuts, at a share of
    the map's own maximum, so the map is trained under the rule that will read it.
    The foreground is classified by the features averaged over it, as the device
    scores a region; a photograph without any by where its map is highest.

    Args:
        network: a model that `localization_head` accepts; it is trained in place.
        background: index of the background class, or None.
        mask_weight: weight of the map's loss; 0 leaves it and the next out.
        region_weight: weight of the loss of the class by the foreground alone.
        teacher_weight: share of the teacher's class probabilities in the target, in [0, 1].
        label_smoothing: share of the target spread over all classes, in [0, 1).
    """

    def __init__(
        self,
        network: keras.Model,
        background: int | None,
        mask_weight: float = 0.0,
        region_weight: float = 0.0,
        teacher_weight: float = 0.0,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        head = localization_head(network)
        self.network, self.dense = network, head.dense
        self.trunk = keras.Model(network.inputs[0], head.features)
        self.background, self.mask_weight, self.region_weight = background, mask_weight, region_weight
        self.teacher_weight, self.label_smoothing = teacher_weight, label_smoothing
        learnt = mask_weight > 0
        self.map_scale = self.add_weight(shape=(), initializer="ones", name="map_scale", trainable=learnt)
        self.class_loss = keras.metrics.Mean(name="class_loss")
        self.map_loss = keras.metrics.Mean(name="map_loss")
        self.region_loss = keras.metrics.Mean(name="region_loss")
        self.accuracy = keras.metrics.Mean(name="accuracy")
        self.built = True

    def call(self, image: Any, training: bool | None = None) -> Any:
        """The features of a batch: (B, H, W, 3) to (B, h, w, K) float32."""
        return ops.cast(self.trunk(image, training=training), "float32")

    def map_logits(self, features: Any, targets: Any) -> Any:
        """Log-odds of foreground: (B, h, w), from (B, h, w, K) features and (B, C) one-hot targets."""
        kernel = ops.cast(self.dense.kernel, "float32")
        if self.background is None:
            cam = ops.einsum("bhwk,kc,bc->bhw", features, kernel, targets)
        else:
            classes = kernel.shape[1]
            others = [-1.0 if c == self.background else 1 / (classes - 1) for c in range(classes)]
            cam = ops.matmul(features, ops.matmul(kernel, ops.convert_to_tensor(others, "float32")))
        peak = ops.maximum(ops.max(cam, axis=(1, 2), keepdims=True), LEAST_PEAK)
        return self.map_scale * (cam - BoxRule().threshold * peak)

    def logits(self, features: Any) -> Any:
        """Class logits of the averaged features: (B, h, w, K) to (B, C)."""
        return self._classify(ops.mean(features, axis=(1, 2)))

    def region_logits(self, features: Any, foreground: Any, map_logits: Any) -> Any:
        """Class logits of the foreground's features.

        Args:
            features: (B, h, w, K).
            foreground: (B, h, w) mask in [0, 1]; where it is empty the softmax of the map stands in.
            map_logits: (B, h, w), see `map_logits`.

        Returns:
            (B, C).
        """
        shape = ops.shape(map_logits)
        flat = ops.reshape(ops.stop_gradient(map_logits), (shape[0], -1))
        highest = ops.reshape(ops.softmax(flat), shape)
        area = ops.sum(foreground, axis=(1, 2), keepdims=True)
        attention = ops.where(area >= LEAST_AREA, foreground / ops.maximum(area, LEAST_AREA), highest)
        return self._classify(ops.einsum("bhwk,bhw->bk", features, attention))

    def _classify(self, pooled: Any) -> Any:
        kernel, bias = (ops.cast(w, "float32") for w in (self.dense.kernel, self.dense.bias))
        return ops.matmul(pooled, kernel) + bias

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Cross-entropy of the classes plus that of the map; `y` is what `Batches` serves."""
        share = self.label_smoothing / y["targets"].shape[1]
        target = (1 - self.teacher_weight) * y["targets"] + self.teacher_weight * y["teacher"]
        target = (1 - self.label_smoothing) * target + share
        logits = self.logits(y_pred)
        right = ops.equal(ops.argmax(logits, axis=1), ops.argmax(y["targets"], axis=1))
        self.accuracy.update_state(ops.cast(right, "float32"))
        by_photo = -ops.sum(target * ops.log_softmax(logits), axis=1)
        class_loss = ops.mean(y["weights"] * by_photo)
        self.class_loss.update_state(class_loss)
        if not self.mask_weight:
            return class_loss
        map_logits = self.map_logits(y_pred, y["targets"])
        # log(1 + e^x) - x t, the cross-entropy of a logit x against a target t
        by_map = ops.mean(ops.softplus(map_logits) - map_logits * y["foreground"], axis=(1, 2))
        map_loss = ops.mean(y["belief"] * by_map)
        self.map_loss.update_state(map_loss)
        region_logits = self.region_logits(y_pred, y["foreground"], map_logits)
        by_region = -ops.sum(y["targets"] * ops.log_softmax(region_logits), axis=1)
        region_loss = ops.mean(y["weights"] * y["single"] * y["belief"] * by_region)
        self.region_loss.update_state(region_loss)
        return class_loss + self.mask_weight * map_loss + self.region_weight * region_loss

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """What `compute_loss` noted; JAX does not show the weights here."""
        return self.get_metrics_result()  # type: ignore[no-any-return]
