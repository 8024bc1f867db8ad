"""Statistics of batch normalization are taken anew at the size the device uses."""

import keras
import numpy as np
import pytest

from lightcam_models.architectures import build_model
from lightcam_models.augmentation import Augmentation
from lightcam_models.batch_norm import BATCHES, recompute_batch_norm
from lightcam_models.batches import Batches

SIZE, COUNT = 48, 40


@pytest.fixture
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model("light-cam", 3, input_size=SIZE, filters=(4, 6))


def batches() -> Batches:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (COUNT, 64, 64, 3), np.uint8)
    targets = rng.integers(0, 3, COUNT)
    return Batches(pixels, None, targets, np.ones(3, np.float32), 2, SIZE, 8, 12, Augmentation(paste=0))


def test_the_first_layer_gets_the_mean_over_all_batches_of_what_it_sees(network: keras.Model) -> None:
    recompute_batch_norm(network, batches(), {"bn1", "bn2"})

    before = keras.Model(network.inputs[0], network.get_layer("conv1").output)
    served, seen = batches(), []
    for number in range(BATCHES):
        if number and number % len(served) == 0:
            served.on_epoch_end()
        seen.append(np.asarray(before(served[number % len(served)][0])))
    norm = network.get_layer("bn1")
    expected = np.mean([one.mean(axis=(0, 1, 2)) for one in seen], axis=0)
    np.testing.assert_allclose(np.asarray(norm.moving_mean), expected, rtol=1e-3, atol=1e-4)
    spread = np.mean([one.var(axis=(0, 1, 2)) for one in seen], axis=0)
    np.testing.assert_allclose(np.asarray(norm.moving_variance), spread, rtol=1e-3, atol=1e-4)


def test_layers_that_were_not_trained_keep_their_statistics(network: keras.Model) -> None:
    kept = [np.array(values) for values in network.get_layer("bn1").get_weights()]
    old = np.array(network.get_layer("bn2").moving_mean)

    recompute_batch_norm(network, batches(), {"bn2"})

    for was, now in zip(kept, network.get_layer("bn1").get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)
    assert np.abs(np.asarray(network.get_layer("bn2").moving_mean) - old).max() > 1e-3


def test_nothing_else_of_the_network_changes(network: keras.Model) -> None:
    weights = {weight.path: np.array(weight) for weight in network.trainable_weights}
    momenta = [network.get_layer(name).momentum for name in ("bn1", "bn2")]

    recompute_batch_norm(network, batches(), {"bn1", "bn2"})

    assert [network.get_layer(name).momentum for name in ("bn1", "bn2")] == momenta
    assert [weight.path for weight in network.trainable_weights] == list(weights)
    for weight in network.trainable_weights:
        np.testing.assert_array_equal(np.asarray(weight), weights[weight.path])
