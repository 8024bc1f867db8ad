"""Ratios of two benchmarks: true differences are seen, and noise is called noise."""

import json
import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from lightcam_edge.benchmarking.comparing import compare, ratio, read_benchmark, student_quantile
from lightcam_edge.benchmarking.latency import summarize
from lightcam_edge.commands.benchmark import command
from lightcam_edge.errors import InputError

# Medians of rounds from process to process differ by some percent, on boards left alone.
SPREAD = 0.03


def rounds(rng: np.random.Generator, typical: float, count: int) -> list[float]:
    return [float(n) for n in typical * np.exp(rng.normal(0, SPREAD, count))]


@pytest.mark.parametrize("count", [3, 5, 10])
def test_runs_of_the_same_thing_are_noise_nineteen_times_in_twenty(
    count: int, rng: np.random.Generator
) -> None:
    verdicts = [ratio(rounds(rng, 8, count), rounds(rng, 8, count)).verdict for _ in range(200)]

    assert verdicts.count("noise") >= 180  # 190 expected; 180 is three standard deviations below


def test_a_true_difference_is_seen(rng: np.random.Generator) -> None:
    found = [ratio(rounds(rng, 8, 5), rounds(rng, 9.6, 5)) for _ in range(50)]

    assert sum(one.verdict == "slower" for one in found) >= 45
    assert np.mean([one.value for one in found]) == pytest.approx(1.2, rel=0.02)
    assert sum(one.low <= 1.2 <= one.high for one in found) >= 45


def test_runs_that_drift_are_noise_once_the_drift_is_known(rng: np.random.Generator) -> None:
    def one_run() -> list[float]:
        return rounds(rng, 8 * np.exp(rng.normal(0, 0.04)), 5)

    pairs = [(one_run(), one_run()) for _ in range(200)]

    assert sum(ratio(*pair).verdict == "noise" for pair in pairs) < 150
    assert sum(ratio(*pair, drift=0.04).verdict == "noise" for pair in pairs) >= 185


def test_the_same_measurement_twice_is_one_times_as_slow() -> None:
    found = ratio([5, 6, 7], [5, 6, 7])

    assert found.value == pytest.approx(1)
    assert found.low < 1 < found.high
    assert found.verdict == "noise"


def test_half_the_time_is_faster() -> None:
    found = ratio([10, 10.1, 10.2], [5, 5.05, 5.1])

    assert found.value == pytest.approx(0.5)
    assert found.verdict == "faster"


def test_two_parts_are_too_few_to_tell() -> None:
    found = ratio([10, 10.1], [5, 5.05])

    assert math.isnan(found.low)
    assert found.verdict == "too few parts to tell"


@pytest.mark.parametrize(("freedom", "quantile"), [(2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262)])
def test_students_quantiles_are_those_of_the_tables(freedom: int, quantile: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(quantile, rel=0.01)


def test_summary_of_a_hundred_known_times() -> None:
    stats = summarize([list(range(1, 102))])

    assert (stats.count, stats.min, stats.max, stats.mean) == (101, 1, 101, 51)
    assert (stats.p50, stats.p90, stats.p95, stats.p99, stats.iqr) == (51, 91, 96, 100, 50)
    assert len(stats.parts) == 10
    assert (stats.parts[0], stats.parts[-1]) == (6, 96.5)


def test_parts_of_several_rounds_are_the_rounds() -> None:
    assert summarize([[1, 2, 9], [4, 4, 5], [7]]).parts == (2, 4, 7)


def test_one_time_alone_can_be_summarized() -> None:
    stats = summarize([[3.5]])

    assert (stats.p50, stats.p99, stats.iqr, stats.parts) == (3.5, 3.5, 0, (3.5,))


def result(name: str, scale: float = 1.0) -> dict[str, Any]:
    parts = [scale * ms for ms in (8.0, 8.1, 8.2, 8.0, 8.1)]
    return {
        "model": {"name": name},
        "threads": 2,
        "backend": "ai-edge-litert",
        "delegate": None,
        "error": None,
        "init_ms": parts,
        "first_image_ms": parts,
        "stages": {"total": {"p50": 8.1 * scale, "parts": parts}},
        "memory": {"peak": 70e6},
    }


def benchmark(*results: dict[str, Any]) -> dict[str, Any]:
    board = {"soc": "brcm,bcm2712", "cores": {"Cortex-A76": 4}, "features": {"asimddp": True}, "model": ""}
    return {
        "schema": "lightcam-edge/benchmark",
        "schema_version": 1,
        "board": board | {"governors": ["performance"], "power_mode": "", "kernel": "6.6"},
        "software": {"lightcam_edge": "0.1.0", "python": "3.11.2", "libraries": {"numpy": "2.0"}},
        "input": {"images": "generated", "count": 1, "frame_wh": [640, 480], "in_memory": False},
        "settings": {"rounds": 5},
        "warnings": [],
        "results": list(results),
    }


def test_models_are_paired_by_name_and_way() -> None:
    first, second = benchmark(result("a"), result("b")), benchmark(result("b", 2), result("c"))

    text = compare(first, second)

    assert "b, 2 threads, ai-edge-litert\nms " in text
    assert "2.000" in text
    assert "slower" in text
    assert text.endswith("only in one of them: a, 2 threads, ai-edge-litert; c, 2 threads, ai-edge-litert")


def test_two_files_of_one_model_each_are_compared_whatever_they_are() -> None:
    text = compare(benchmark(result("a")), benchmark(result("b", 0.5)))

    assert "a, 2 threads, ai-edge-litert  against  b, 2 threads, ai-edge-litert" in text
    assert "faster" in text


def test_conditions_that_differ_stand_first() -> None:
    first, second = benchmark(result("a")), benchmark(result("a"))
    second["board"] = deepcopy(first["board"]) | {"governors": ["ondemand"]}
    second["warnings"] = ["the load is 9"]
    second["settings"] = {"rounds": 1}

    lines = compare(first, second).splitlines()

    assert lines[0] == 'not the same board: governors is ["performance"] and ["ondemand"]'
    assert lines[1] == "second: the load is 9"
    assert lines[2].startswith("one round only")


def test_benchmarks_without_a_model_in_common_are_refused() -> None:
    with pytest.raises(InputError, match="no model in common"):
        compare(benchmark(result("a"), result("b")), benchmark(result("c")))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "it is not JSON"),
        ("[]", "is no benchmark"),
        ('{"schema": "other"}', "is no benchmark"),
        ('{"schema": "lightcam-edge/benchmark", "schema_version": 9}', "schema version 9, not 1"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.json").write_text(text)

    with pytest.raises(InputError, match=reason):
        read_benchmark(tmp_path / "a.json")


def test_compare_is_a_command_of_its_own(tmp_path: Path) -> None:
    paths = [tmp_path / "first.json", tmp_path / "second.json"]
    for path, scale in zip(paths, (1, 1.5), strict=True):
        path.write_text(json.dumps(benchmark(result("a", scale))))

    done = CliRunner().invoke(command, ["compare", *map(str, paths)])

    assert done.exit_code == 0, done.output
    assert [line.split()[-1] for line in done.output.splitlines() if line.startswith("total")] == ["slower"]
    assert CliRunner().invoke(command, ["compare", str(paths[0])]).exit_code == 2


@pytest.mark.parametrize(("drift", "verdict"), [("0", "slower"), ("2.5", "noise")])
def test_five_percent_is_noise_between_runs_that_drift(tmp_path: Path, drift: str, verdict: str) -> None:
    paths = [tmp_path / "first.json", tmp_path / "second.json"]
    for path, scale in zip(paths, (1, 1.05), strict=True):
        path.write_text(json.dumps(benchmark(result("a", scale))))

    done = CliRunner().invoke(command, ["compare", *map(str, paths), "--drift", drift])

    assert [line.split()[-1] for line in done.output.splitlines() if line.startswith("total")] == [verdict]
