"""The class of a part of the frame, from the features inside it."""

import math

import numpy as np
import numpy.typing as npt

from lightcam_edge.box import Box

Float32 = npt.NDArray[np.float32]


def cells(box: Box, frame_hw: tuple[int, int], map_hw: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a map that a box touches.

    Args:
        box: in pixels of the frame, of some area.
        frame_hw: height and width of the frame that the map covers, in pixels.
        map_hw: height and width of the map.
    """
    to_y, to_x = map_hw[0] / frame_hw[0], map_hw[1] / frame_hw[1]
    return (
        slice(int(box.y0 * to_y), math.ceil(box.y1 * to_y)),
        slice(int(box.x0 * to_x), math.ceil(box.x1 * to_x)),
    )


def region_scores(features: Float32, weights: Float32, bias: Float32) -> Float32:
    """Classify a part of the frame as the network classifies the whole.

    Global average pooling lets an object that fills little of the frame drown
    in its surroundings. Averaged over a part alone, the same features and the
    same classifier tell what is there: softmax(mean of F over the part @ W + b).

    Args:
        features: (h, w, K) output of the last convolution stage, cut to the `cells` of the part.
        weights: (K, C) kernel of the dense layer after global average pooling.
        bias: (C,) its bias.

    Returns:
        (C,) softmax scores.
    """
    mean = features.sum(axis=(0, 1)) / (features.shape[0] * features.shape[1])
    logits = mean @ weights + bias
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum(), np.float32)
