import numpy as np
import pytest

from lightcam_edge.box import Box
from lightcam_edge.streaming.box_filter import BoxFilter

FRAME = 0.04


def square(x: float, side: float = 100) -> Box:
    return Box(x, 10, x + side, 10 + side)


def follow(smoothed: BoxFilter, *xs: float) -> float:
    for x in xs:
        smoothed.advance(FRAME)
        smoothed.correct(square(x), FRAME)
    return smoothed.box.x0


def test_steady_motion_is_followed_without_lag() -> None:
    smoothed = BoxFilter(square(0), 0.2)

    assert follow(smoothed, *(5.0 * step for step in range(1, 40))) == pytest.approx(195, abs=0.5)


def test_noise_of_a_standing_box_is_smoothed(rng: np.random.Generator) -> None:
    smoothed = BoxFilter(square(50), 0.2)
    seen = 50 + rng.normal(0, 4, 200)

    shown = np.array([follow(smoothed, x) for x in seen])

    assert shown[20:].std() < 0.7 * seen.std()
    assert np.diff(shown[20:]).std() < 0.35 * np.diff(seen).std()


def test_two_uncertain_boxes_do_not_throw_it_across_the_picture() -> None:
    smoothed = BoxFilter(square(0), 0.08)
    seen = follow(smoothed, 20)

    for _ in range(10):
        smoothed.advance(FRAME, seen=False)

    assert smoothed.box.x0 - seen < 85


def test_a_single_stray_box_is_passed_over_and_the_second_is_taken() -> None:
    smoothed = BoxFilter(square(50), 0.2)
    follow(smoothed, *[50.0] * 20)

    assert follow(smoothed, 200) == pytest.approx(50)
    assert follow(smoothed, 50) == pytest.approx(50)
    assert follow(smoothed, 200, 200) == pytest.approx(200)


def test_without_a_time_constant_each_box_is_taken_as_it_is() -> None:
    assert follow(BoxFilter(square(50), 0), 60, 300) == 300


def test_an_unseen_object_goes_on_and_comes_to_a_stand() -> None:
    smoothed = BoxFilter(square(0), 0.2)
    seen = follow(smoothed, *(4.0 * step for step in range(1, 30)))

    places = []
    for _ in range(100):
        smoothed.advance(FRAME, seen=False)
        places.append(smoothed.box.x0)

    assert places[0] == pytest.approx(seen + 4, abs=0.5)
    assert places[-1] == pytest.approx(places[-2], abs=0.01)
