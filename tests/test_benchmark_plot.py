"""Plots of a benchmark show what its tables say, and load nothing from anywhere."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from lightcam_edge.benchmarking.canvas import Dot, Drawing, Line, Rect, Text, stacked, to_png, to_svg
from lightcam_edge.benchmarking.plot import (
    LATENCY,
    WORK,
    accuracy_dots,
    localization,
    pareto_front,
    stage_bars,
    ticks,
    write_plot,
)
from lightcam_edge.commands.benchmark import command


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("plot") / "out.json"
    line = ("nano", "tiny", "--threads", "1", "--runs", "3", "--rounds", "1", "--quiet", "--json", str(path))
    assert CliRunner().invoke(command, line).exit_code == 0
    values: dict[str, Any] = json.loads(path.read_text())
    return values


def texts(drawing: Drawing) -> list[str]:
    return [shape.text for shape in drawing.shapes if isinstance(shape, Text)]


def test_bars_are_as_long_as_the_medians_of_their_stages(benchmark: dict[str, Any]) -> None:
    drawing = stage_bars(benchmark)

    names = ("decode", "preprocess", "inference", "cam", "box")
    medians = [one["stages"][name]["p50"] for one in benchmark["results"] for name in names]
    bars = [one.width for one in drawing.shapes if isinstance(one, Rect)][len(names) :]  # behind the legend
    assert np.divide(bars, medians) == pytest.approx([bars[2] / medians[2]] * 10)
    assert f"{benchmark['results'][0]['stages']['total']['p50']:.2f} ms" in texts(drawing)


def test_dots_stand_by_latency_and_by_what_the_cards_state(benchmark: dict[str, Any]) -> None:
    drawing = accuracy_dots(benchmark, LATENCY)

    assert drawing is not None
    nano, tiny = (one for one in drawing.shapes if isinstance(one, Dot))
    assert nano.y > tiny.y  # tiny is the better one, and y grows downwards
    slower = max(benchmark["results"], key=lambda one: one["stages"]["total"]["p50"])["model"]["name"]
    assert (nano.x > tiny.x) == (slower == "nano")
    assert "Class and box right, % (as the model cards state it)" in texts(drawing)


def test_dots_stand_by_work_where_machines_differ_in_speed(benchmark: dict[str, Any]) -> None:
    twice = benchmark["results"] * 2  # as with other threads

    drawing = accuracy_dots(benchmark | {"results": twice}, WORK)

    assert drawing is not None
    places = [one.x for one in drawing.shapes if isinstance(one, Dot)]
    macs = [one["model"]["macs"] for one in benchmark["results"]]
    zero = next(one.x0 for one in drawing.shapes if isinstance(one, Line))
    assert (places[0] - zero) / (places[1] - zero) == pytest.approx(macs[0] / macs[1])
    assert len(places) == 2


def test_the_front_leaves_out_what_another_beats_in_both() -> None:
    assert pareto_front([(3, 5), (1, 9), (2, 9), (4, 1), (5, 2)]) == [(1, 9), (3, 5), (4, 1)]


def test_names_lie_neither_on_one_another_nor_far_from_their_dots(benchmark: dict[str, Any]) -> None:
    result = benchmark["results"][0]
    names = [f"{letter}-model" for letter in "abcd"]
    alike = [result | {"model": result["model"] | {"name": name}} for name in names]

    drawing = accuracy_dots(benchmark | {"results": alike}, WORK)

    assert drawing is not None
    dot = next(shape for shape in drawing.shapes if isinstance(shape, Dot))
    heights = sorted(shape.y for shape in drawing.shapes if isinstance(shape, Text) and shape.text in names)
    assert len(heights) == 4
    assert all(lower - upper >= 16 for upper, lower in pairwise(heights))
    assert max(abs(height - dot.y) for height in heights) < 40


def test_what_was_measured_goes_before_what_a_card_states() -> None:
    stated: dict[str, Any] = {"model": {"stated_localization": 60.0}, "accuracy": None}

    assert localization(stated) == 60
    assert localization(stated | {"accuracy": {"top1_localization": [70.0, 65.0, 75.0]}}) == 70
    assert localization({"model": {"stated_localization": None}, "accuracy": None}) is None


def test_photographs_without_boxes_are_not_told_as_the_source_of_what_the_cards_state(
    benchmark: dict[str, Any],
) -> None:
    classes_only = {"data": "photos test", "top1_localization": None}
    results = [one | {"accuracy": classes_only} for one in benchmark["results"]]

    drawing = accuracy_dots(benchmark | {"results": results}, LATENCY)

    assert drawing is not None
    assert "Class and box right, % (as the model cards state it)" in texts(drawing)


def test_without_any_accuracy_there_are_bars_only(benchmark: dict[str, Any], tmp_path: Path) -> None:
    results = [one | {"model": one["model"] | {"stated_localization": None}} for one in benchmark["results"]]

    write_plot(tmp_path / "a.html", benchmark | {"results": results})

    assert (tmp_path / "a.html").read_text().count("<svg") == 1


def test_a_page_holds_all_plots_and_every_table_and_loads_nothing(
    benchmark: dict[str, Any], tmp_path: Path
) -> None:
    write_plot(tmp_path / "a.html", benchmark)

    page = (tmp_path / "a.html").read_text()
    assert page.count("<svg") == 3
    assert "Start and memory" in page
    assert not re.search(r"(src|href)=|url\(|@import", page)


def test_a_picture_is_all_plots_one_below_the_other(benchmark: dict[str, Any], tmp_path: Path) -> None:
    write_plot(tmp_path / "a.png", benchmark)

    picture = cv2.imread(str(tmp_path / "a.png"))
    drawings = [stage_bars(benchmark), accuracy_dots(benchmark, LATENCY), accuracy_dots(benchmark, WORK)]
    assert picture is not None
    assert picture.shape[0] == 2 * sum(one.height for one in drawings if one)


def test_shapes_lie_where_they_are_told_in_svg_and_png() -> None:
    shapes = (Rect(10, 5, 20, 10, "#ff0000"), Line(0, 30, 60, 30, "#0000ff"), Dot(50, 10, 4, "#00ff00"))
    drawing = Drawing("a < b", 60, 40, (*shapes, Text(5, 35, "x & y")))

    picture = cv2.imdecode(np.frombuffer(to_png(drawing), np.uint8), cv2.IMREAD_COLOR)

    assert picture is not None
    assert picture.shape == (80, 120, 3)
    at = {
        name: picture[y * 2, x * 2].tolist() for name, (x, y) in {"rect": (20, 10), "dot": (50, 10)}.items()
    }
    assert at == {"rect": [0, 0, 255], "dot": [0, 255, 0]}
    assert (picture[66:78, 10:40] < 128).any()  # the letters
    svg = to_svg(drawing)
    assert '<rect x="10.0" y="5.0" width="20.0" height="10.0" fill="#ff0000"/>' in svg
    assert "x &amp; y" in svg
    assert 'aria-label="a &lt; b"' in svg


def test_a_stack_moves_the_lower_shapes_down() -> None:
    one = Drawing("one", 50, 20, (Dot(1, 2, 3, "#000000"),))

    both = stacked([one, one])

    assert (both.width, both.height) == (50, 40)
    assert both.shapes == [Dot(1, 2, 3, "#000000"), Dot(1, 22, 3, "#000000")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (60, 85, [60, 65, 70, 75, 80, 85]), (0, 0.9, [0, 0.2, 0.4, 0.6, 0.8])],
)
def test_ticks_are_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)
