import keras
import numpy as np
import pytest

from lightcam_edge.cam import br_avgcam_weights
from lightcam_models.architectures import build_model
from lightcam_models.objective import Localizing


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    return build_model("light-cam", 3, input_size=64, filters=(4, 8))


def known(targets: list[int], foreground: float, cells: int = 16) -> dict[str, np.ndarray]:
    one_hot = np.eye(3, dtype=np.float32)[targets]
    return {
        "targets": one_hot,
        "teacher": one_hot,
        "single": np.ones(len(targets), np.float32),
        "belief": np.ones(len(targets), np.float32),
        "weights": np.ones(len(targets), np.float32),
        "foreground": np.full((len(targets), cells, cells), foreground, np.float32),
    }


def under_the_rule(cams: np.ndarray) -> np.ndarray:
    """Maps less the paper's 20% of their maximum, which counts as 1 at least."""
    return cams - 0.2 * np.maximum(cams.max(axis=(1, 2), keepdims=True), 1.0)


def test_logits_are_those_of_the_networks_own_scores(network: keras.Model, rng: np.random.Generator) -> None:
    images = rng.uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    model = Localizing(network, background=2)

    logits = keras.ops.convert_to_numpy(model.logits(model(images)))

    scores = keras.ops.convert_to_numpy(network(images))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(keras.ops.softmax(logits)), scores, atol=1e-5)


def test_the_trained_map_is_br_avgcam(network: keras.Model, rng: np.random.Generator) -> None:
    images = rng.uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    model = Localizing(network, background=2)
    features = model(images)

    cam = keras.ops.convert_to_numpy(model.map_logits(features, np.eye(3, dtype=np.float32)[[0, 1]]))

    kernel = keras.ops.convert_to_numpy(model.dense.kernel)
    expected = under_the_rule(keras.ops.convert_to_numpy(features) @ br_avgcam_weights(kernel, 2))
    np.testing.assert_allclose(cam, expected, rtol=1e-4, atol=1e-5)


def test_without_a_background_the_trained_map_is_the_cam_of_the_target(
    network: keras.Model, rng: np.random.Generator
) -> None:
    images = rng.uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    model = Localizing(network, background=None)
    features = model(images)

    cam = keras.ops.convert_to_numpy(model.map_logits(features, np.eye(3, dtype=np.float32)[[0, 2]]))

    kernel, maps = keras.ops.convert_to_numpy(model.dense.kernel), keras.ops.convert_to_numpy(features)
    np.testing.assert_allclose(cam[1], under_the_rule(maps[1:] @ kernel[:, 2])[0], rtol=1e-4, atol=1e-5)


def test_the_loss_is_the_sum_of_its_two_cross_entropies(network: keras.Model) -> None:
    model = Localizing(network, background=2, mask_weight=2.0)
    features = np.zeros((1, 16, 16, 8), np.float32)
    model.dense.bias.assign([0.0, 0.0, 0.0])

    loss = float(keras.ops.convert_to_numpy(model.compute_loss(y=known([0], 1.0), y_pred=features)))

    # a map of zeros lies 0.2 below the cut, and the mask says foreground
    assert loss == pytest.approx(np.log(3) + 2 * np.log(1 + np.exp(0.2)), abs=1e-5)


def test_the_foreground_is_classified_by_its_own_features(
    network: keras.Model, rng: np.random.Generator
) -> None:
    model = Localizing(network, background=2, mask_weight=1.0, region_weight=1.0)
    features = rng.standard_normal((2, 4, 4, 8)).astype(np.float32)
    foreground = np.zeros((2, 4, 4), np.float32)
    foreground[0, 1, 2:] = 1.0
    heights = np.zeros((2, 4, 4), np.float32)
    heights[1, 3, 0] = 100.0  # where no foreground is known, the highest place of the map stands in

    logits = keras.ops.convert_to_numpy(model.region_logits(features, foreground, heights))

    kernel, bias = (keras.ops.convert_to_numpy(w) for w in (model.dense.kernel, model.dense.bias))
    np.testing.assert_allclose(logits[0], features[0, 1, 2:].mean(axis=0) @ kernel + bias, atol=1e-5)
    np.testing.assert_allclose(logits[1], features[1, 3, 0] @ kernel + bias, atol=1e-5)
