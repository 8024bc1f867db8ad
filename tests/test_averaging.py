import numpy as np
import pytest

from lightcam_edge.interpreter import Outputs
from lightcam_edge.region import region_scores
from lightcam_edge.streaming.averaging import FeatureAverage
from lightcam_edge.streaming.steadiness import Steadiness

FRAME = 0.04
HW, MAPS, CLASSES = (6, 9), 16, 3
STEADINESS = Steadiness(average_seconds=0.4)


class Network:
    """Features around a fixed scene, with noise."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.weights = rng.normal(0, 1, (MAPS, CLASSES)).astype(np.float32)
        self.bias = rng.normal(0, 1, CLASSES).astype(np.float32)
        self.scene = rng.uniform(1, 2, (*HW, MAPS)).astype(np.float32)

    def average(self, steadiness: Steadiness = STEADINESS) -> FeatureAverage:
        return FeatureAverage(self.weights, self.bias, steadiness)

    def see(self, scene: np.ndarray | None = None, noise: float = 0.05) -> Outputs:
        scene = self.scene if scene is None else scene
        features = (scene + self.rng.normal(0, noise, scene.shape)).astype(np.float32)
        return Outputs(region_scores(features, self.weights, self.bias), features)


@pytest.fixture
def network(rng: np.random.Generator) -> Network:
    return Network(rng)


def test_a_standing_scene_loses_most_of_its_noise(network: Network) -> None:
    average = network.average()
    for _ in range(60):
        averaged = average.add(network.see(), FRAME)

    assert (averaged.features - network.scene).std() < 0.5 * 0.05


def test_scores_are_those_of_the_averaged_features(network: Network) -> None:
    average = network.average()
    for _ in range(5):
        averaged = average.add(network.see(), FRAME)

    expected = region_scores(averaged.features, network.weights, network.bias)
    assert averaged.scores == pytest.approx(expected)
    assert averaged.scores.sum() == pytest.approx(1)


def test_maps_of_averaged_features_are_averaged_maps(network: Network) -> None:
    one, other = network.see(), network.see()
    average = network.average()
    average.add(one, FRAME)

    averaged = average.add(other, FRAME).features @ network.weights

    low = np.minimum(one.features @ network.weights, other.features @ network.weights)
    high = np.maximum(one.features @ network.weights, other.features @ network.weights)
    assert (averaged > low - 1e-4).all()
    assert (averaged < high + 1e-4).all()


def test_what_moves_is_taken_over_at_once_and_the_rest_stays_averaged(network: Network) -> None:
    average = network.average()
    for _ in range(60):
        average.add(network.see(), FRAME)
    moved = network.scene.copy()
    moved[:2, :3] += 3

    seen = network.see(moved)
    averaged = average.add(seen, FRAME)

    assert averaged.features[0, 1] == pytest.approx(seen.features[0, 1], abs=0.05)
    assert (averaged.features[4:, 5:] - network.scene[4:, 5:]).std() < 0.6 * 0.05


def test_a_cut_to_another_scene_is_taken_over_at_once(network: Network) -> None:
    average = network.average()
    for _ in range(60):
        average.add(network.see(), FRAME)

    seen = network.see(network.scene[::-1, ::-1] * 2)

    assert average.add(seen, FRAME).features == pytest.approx(seen.features, abs=0.05)


def test_the_first_frame_and_one_after_a_reset_are_taken_as_they_are(network: Network) -> None:
    average = network.average()
    first = network.see()

    assert average.add(first, 0) is first
    average.add(network.see(), FRAME)
    average.reset()
    assert average.add(first, FRAME) is first


def test_a_map_of_another_size_starts_anew(network: Network) -> None:
    average = network.average()
    average.add(network.see(), FRAME)
    smaller = network.see(network.scene[:4])

    assert average.add(smaller, FRAME) is smaller


def test_without_a_time_constant_nothing_is_averaged(network: Network) -> None:
    average = network.average(Steadiness(average_seconds=0))
    average.add(network.see(), FRAME)
    second = network.see()

    assert average.add(second, FRAME) is second


def test_frames_without_any_noise_stay_as_they_are(network: Network) -> None:
    average = network.average()
    for _ in range(10):
        averaged = average.add(network.see(noise=0), FRAME)

    assert averaged.features == pytest.approx(network.scene)


def test_a_frame_that_is_not_a_number_does_not_stay(network: Network) -> None:
    average = network.average()
    for _ in range(5):
        average.add(network.see(), FRAME)
    average.add(network.see(np.full_like(network.scene, np.nan)), FRAME)

    second = network.see()
    assert average.add(second, FRAME) is second
    assert np.isfinite(average.add(network.see(), FRAME).features).all()


def test_outputs_given_are_left_as_they_are(network: Network) -> None:
    average = network.average()
    first, second = network.see(), network.see()
    copies = first.features.copy(), second.features.copy()

    average.add(first, FRAME)
    average.add(second, FRAME)

    assert np.array_equal(first.features, copies[0])
    assert np.array_equal(second.features, copies[1])
