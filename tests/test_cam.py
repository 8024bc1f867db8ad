import numpy as np
import pytest

from lightcam_edge.cam import br_avgcam_weights, class_activation_map, upsample

FEATURES = np.array([[[1, 0], [2, 1], [0, 3]]], np.float32)  # (1, 3, 2)
WEIGHTS = np.array([[1, 0, -1], [0, 2, 1]], np.float32)  # (2, 3)


def test_cam_weights_the_features_by_one_class() -> None:
    assert class_activation_map(FEATURES, WEIGHTS, 0).tolist() == [[1, 2, 0]]
    assert class_activation_map(FEATURES, WEIGHTS, 1).tolist() == [[0, 2, 6]]
    assert class_activation_map(FEATURES, WEIGHTS, 2).tolist() == [[-1, -1, 3]]


def test_cam_mean_plus_bias_is_the_logit(rng: np.random.Generator) -> None:
    features = rng.standard_normal((7, 5, 16), dtype=np.float32)
    weights = rng.standard_normal((16, 3), dtype=np.float32)
    bias = rng.standard_normal(3, dtype=np.float32)
    logits = features.mean(axis=(0, 1)) @ weights + bias

    cam = class_activation_map(features, weights, class_index=2)

    assert cam.mean() + bias[2] == pytest.approx(logits[2], abs=1e-5)


def test_br_avgcam_is_the_mean_of_the_others_minus_the_background() -> None:
    assert br_avgcam_weights(WEIGHTS, 2).tolist() == [1.5, 0]
    assert br_avgcam_weights(WEIGHTS, 0).tolist() == [-1.5, 1.5]


def test_br_avgcam_in_one_product_is_that_of_whole_maps(rng: np.random.Generator) -> None:
    features = rng.standard_normal((4, 6, 8), dtype=np.float32)
    weights = rng.standard_normal((8, 5), dtype=np.float32)
    maps = [class_activation_map(features, weights, index) for index in range(5)]

    cam = features @ br_avgcam_weights(weights, 3)

    expected = (maps[0] + maps[1] + maps[2] + maps[4]) / 4 - maps[3]
    np.testing.assert_allclose(cam, expected, atol=1e-5)


@pytest.mark.parametrize("index", [-1, 3])
def test_a_class_that_is_not_there_is_refused(index: int) -> None:
    with pytest.raises(IndexError, match=r"outside \[0, 3\)"):
        class_activation_map(FEATURES, WEIGHTS, index)
    with pytest.raises(IndexError, match=r"outside \[0, 3\)"):
        br_avgcam_weights(WEIGHTS, index)


def test_br_avgcam_of_a_background_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one class"):
        br_avgcam_weights(WEIGHTS[:, :1], 0)


def test_upsampling_aligns_pixel_centres() -> None:
    cam = np.array([[0, 4]], np.float32)

    assert upsample(cam, (2, 8)).tolist() == [[0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4]] * 2
