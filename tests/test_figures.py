import pytest

from lightcam_edge.streaming.figures import Meters, Rate, medians, quantile

S = 1_000_000_000


def test_a_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate(window_s=5)
    for tenth in range(100):
        rate.count(tenth * S // 10)

    assert rate.value(99 * S // 10) == pytest.approx(10)


def test_a_rate_falls_while_the_next_occurrence_is_overdue() -> None:
    rate = Rate(window_s=5)
    for tenth in range(11):
        rate.count(tenth * S // 10)

    assert rate.value(2 * S) == pytest.approx(10 / (1 + 0.8))
    assert rate.value(30 * S) == 0


def test_one_occurrence_makes_no_rate() -> None:
    rate = Rate()
    rate.count(0)

    assert rate.value(0) == 0


@pytest.mark.parametrize(("share", "expected"), [(0, 1), (0.5, 3), (0.95, 4), (1, 4)])
def test_a_quantile_is_one_of_the_values(share: float, expected: float) -> None:
    assert quantile([1, 2, 3, 4], share) == expected


def test_no_values_have_no_quantile() -> None:
    assert quantile([], 0.5) == 0


def test_meters_count_everything_and_time_the_last_seconds() -> None:
    meters = Meters(window_s=5)
    for second in range(20):
        meters.count(float(second), {"inference": 100.0, "total": 110.0}, second * S)

    now = 19 * S
    assert meters.processed == 20
    assert meters.inference_s == pytest.approx(2)
    assert meters.rate(now) == pytest.approx(1)
    assert meters.ages_ms(now) == {"p50": 17.0, "p95": 19.0}
    assert meters.latencies_ms(now) == {"inference": 100.0, "total": 110.0}


def test_meters_without_results_tell_no_times() -> None:
    assert Meters().ages_ms(0) == {}
    assert Meters().latencies_ms(0) == {}
    assert Meters().rate(0) == 0


def test_a_stage_that_not_every_sample_has_is_the_median_of_those_that_do() -> None:
    assert medians([{"a": 1, "b": 9}, {"a": 2}, {"a": 3}]) == {"a": 2, "b": 9}
