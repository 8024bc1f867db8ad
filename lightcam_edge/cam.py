"""Class activation maps: CAM, and the background-removed average BR-AvgCAM."""

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.choices import METHODS as METHODS
from lightcam_edge.choices import Method as Method

Float32 = npt.NDArray[np.float32]


def class_activation_map(features: Float32, weights: Float32, class_index: int) -> Float32:
    """Weight the last feature maps by one class's classifier weights.

    The map is signed and unscaled: its mean plus the class bias is the class
    logit (Zhou et al. 2016, eq. 1-3), which is how the tests check that
    features and weights belong together.

    Args:
        features: (h, w, K) output of the last convolution stage, dequantized.
        weights: (K, C) kernel of the dense layer after global average pooling.
        class_index: column of `weights`, in [0, C).

    Returns:
        (h, w) map.

    Raises:
        IndexError: if `class_index` is out of range.
    """
    if not 0 <= class_index < weights.shape[1]:
        raise IndexError(f"class_index {class_index} is outside [0, {weights.shape[1]})")
    return np.asarray(features @ weights[:, class_index], np.float32)


def br_avgcam_weights(weights: Float32, background_index: int) -> Float32:
    """Fold BR-AvgCAM into one weight a feature map.

    BR-AvgCAM is the mean of every other class's map minus the background's
    (Light-CAM, J. KICS 2022). Maps are linear in the weights, so that is one
    weighted sum of the features: `features @ br_avgcam_weights(...)`.

    Args:
        weights: (K, C) kernel of the dense layer after global average pooling, C >= 2.
        background_index: column of the background class, in [0, C).

    Returns:
        (K,) weights.

    Raises:
        IndexError: if `background_index` is out of range.
        ValueError: if there is no other class.
    """
    classes = weights.shape[1]
    if not 0 <= background_index < classes:
        raise IndexError(f"background_index {background_index} is outside [0, {classes})")
    if classes < 2:
        raise ValueError("BR-AvgCAM needs at least one class beside the background")
    others = np.delete(weights, background_index, axis=1)
    return np.asarray(others.mean(axis=1) - weights[:, background_index], np.float32)


def smooth(cam: Float32, sigma: float) -> Float32:
    """Blur a map by a Gaussian.

    Args:
        cam: (h, w) map.
        sigma: standard deviation in map cells; 0 leaves the map as it is.

    Returns:
        (h, w) map.
    """
    return np.asarray(cv2.GaussianBlur(cam, (0, 0), sigma), np.float32) if sigma else cam


def upsample(cam: Float32, size_hw: tuple[int, int]) -> Float32:
    """Enlarge a map bilinearly, pixel centres aligned as image resizing does.

    Args:
        cam: (h, w) map.
        size_hw: wanted height and width.

    Returns:
        (height, width) map.
    """
    height, width = size_hw
    return np.asarray(cv2.resize(cam, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
