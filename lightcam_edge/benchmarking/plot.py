"""Plots of a benchmark: what each stage takes, and what accuracy costs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import count, pairwise
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

from lightcam_edge.benchmarking import canvas
from lightcam_edge.benchmarking.canvas import Dot, Drawing, Line, Rect, Shape, Text
from lightcam_edge.benchmarking.report import Table, facts, tables, way
from lightcam_edge.errors import UsageError
from lightcam_edge.model_file import write_atomically

Values = dict[str, Any]
SUFFIXES = (".html", ".png")
# Told apart by people who are colour-blind too (Okabe and Ito 2008).
STAGE_COLOURS = {
    "decode": "#e69f00",
    "preprocess": "#56b4e9",
    "inference": "#0072b2",
    "cam": "#cc79a7",
    "box": "#009e73",
}
DOT_COLOUR = "#0072b2"
FRONT_COLOUR = "#009e73"
WIDTH, MARGIN, ROW, BAR = 920, 16, 30, 18
STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --faint: #d5d9dd; --paper: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --faint: #3a4047; --paper: #15181b; } }
body { color: var(--ink); background: var(--paper); font: 15px/1.5 system-ui, sans-serif;
  max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
svg { max-width: 100%; height: auto; font-family: inherit; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 0.15rem 0.6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--faint); }
th:first-child, td:first-child { text-align: left; }
h2 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
.warning { font-weight: 600; }
"""


@dataclass(frozen=True, slots=True)
class Effort:
    """What accuracy costs: `of` a result, in the units that the axis names, and `name` of its dot."""

    title: str
    axis: str
    of: Callable[[Values], float]
    name: Callable[[Values], str]


LATENCY = Effort(
    "Latency against accuracy",
    "image to box, median in ms",
    lambda one: float(one["stages"]["total"]["p50"]),
    way,
)
WORK = Effort(
    "Multiply-accumulates against accuracy",
    "multiply-accumulates of the network, millions",
    lambda one: float(one["model"]["macs"]) / 1e6,
    lambda one: str(one["model"]["name"]),
)


def check_suffix(path: Path) -> None:
    """Refuse a name that no plot can have.

    Raises:
        UsageError: names those that can.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--plot {path} is neither {' nor '.join(SUFFIXES)}: give it one of these endings")


def write_plot(path: Path, benchmark: Values) -> None:
    """Write a page with plots and tables, or the plots as a picture, by the name's ending."""
    dots = (accuracy_dots(benchmark, effort) for effort in (LATENCY, WORK))
    drawings = [stage_bars(benchmark), *filter(None, dots)]
    if path.suffix.lower() == ".png":
        content = canvas.to_png(canvas.stacked(drawings))
    else:
        content = _page(benchmark, drawings).encode()
    write_atomically(path, content)


def measured(benchmark: Values) -> list[Values]:
    """The results that have times."""
    return [result for result in benchmark["results"] if "stages" in result]


def stage_bars(benchmark: Values) -> Drawing:
    """A bar for each result: the median of every stage, one after the other."""
    results = measured(benchmark)
    left = MARGIN + max(canvas.text_width(way(one)) for one in results) + 12
    right = WIDTH - MARGIN - 70
    longest = max(sum(median for _, median in _medians(one)) for one in results)
    scale = (right - left) / longest
    title = "Median of each stage and, beside the bar, of all together, in ms"
    stages = dict(median for one in results for median in _medians(one))
    shapes: list[Shape] = [Text(MARGIN, 16, title), *_legend(stages, left, 44)]
    bottom = 66 + ROW * len(results)
    shapes += _vertical_grid(left, scale, longest, 60, bottom)
    for number, one in enumerate(results):
        y = 66 + ROW * number
        shapes.append(Text(left - 10, y + BAR / 2, way(one), "end"))
        x = left
        for stage, median in _medians(one):
            shapes.append(Rect(x, y, median * scale, BAR, STAGE_COLOURS[stage]))
            x += median * scale
        shapes.append(Text(x + 8, y + BAR / 2, f"{one['stages']['total']['p50']:.2f} ms"))
    return Drawing(title, WIDTH, bottom + 34, shapes)


def _medians(result: Values) -> list[tuple[str, float]]:
    stages = result["stages"]
    return [(stage, stages[stage]["p50"]) for stage in STAGE_COLOURS if stage in stages]


def _legend(stages: Iterable[str], x: float, y: float) -> list[Shape]:
    shapes: list[Shape] = []
    for stage in stages:
        shapes += [Rect(x, y - 6, 12, 12, STAGE_COLOURS[stage]), Text(x + 18, y, stage)]
        x += 40 + canvas.text_width(stage)
    return shapes


def accuracy_dots(benchmark: Values, effort: Effort) -> Drawing | None:
    """A dot for each result: what it costs against how often class and box are right; None if none tells.

    That is what `--data` measured, or what the model card states. A line joins
    those that none beats in both.
    """
    known = [(one, share) for one in measured(benchmark) if (share := localization(one)) is not None]
    if not known:
        return None
    left, right, top, bottom = MARGIN + 40, WIDTH - MARGIN - 200, 40, 340
    longest = 1.1 * max(effort.of(one) for one, _ in known)
    scale = (right - left) / longest
    shares = [share for _, share in known]
    lowest, highest = _rounded_range(min(shares), max(shares))
    height = (bottom - top) / (highest - lowest)
    shapes: list[Shape] = [Text(MARGIN, 16, _accuracy_title(known))]
    shapes += _vertical_grid(left, scale, longest, top, bottom)
    for share in ticks(lowest, highest):
        y = bottom - (share - lowest) * height
        shapes += [Line(left, y, right, y), Text(left - 8, y, f"{share:g}", "end")]
    shapes.append(Text((left + right) / 2, bottom + 42, effort.axis, "middle"))
    # By name, since the same model may be measured in several ways.
    dots = {
        effort.name(one): (left + effort.of(one) * scale, bottom - (share - lowest) * height)
        for one, share in known
    }
    shapes += [Line(*a, *b, FRONT_COLOUR) for a, b in pairwise(pareto_front(dots.values()))]
    shapes += [Dot(x, y, 5, DOT_COLOUR) for x, y in dots.values()]
    shapes += _labels([(x, y, name) for name, (x, y) in dots.items()], top)
    return Drawing(effort.title, WIDTH, bottom + 60, shapes)


def pareto_front(places: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those for which none lies both farther left and higher, from left to right; y grows downwards."""
    front: list[tuple[float, float]] = []
    for place in sorted(places):
        if not front or place[1] < front[-1][1]:
            front.append(place)
    return front


def localization(result: Values) -> float | None:
    """Class and box right, in percent: measured in this run, or else as the model card states it."""
    here, stated = _measured_here(result), result["model"].get("stated_localization")
    return here if here is not None or stated is None else float(stated)


def _measured_here(result: Values) -> float | None:
    """Class and box right, in percent, on `--data`; None without that, or where its boxes are not known."""
    accuracy = result.get("accuracy")
    return float(accuracy["top1_localization"][0]) if accuracy and accuracy["top1_localization"] else None


def _accuracy_title(known: Sequence[tuple[Values, float]]) -> str:
    here = all(_measured_here(one) is not None for one, _ in known)
    source = known[0][0]["accuracy"]["data"] if here else "as the model cards state it"
    return f"Class and box right, % ({source})"


def _labels(places: Sequence[tuple[float, float, str]], top: float) -> list[Shape]:
    """Names below the line that goes up from a dot, or as near to it as there is room below the top."""
    shapes: list[Shape] = []
    taken = [(x - 6, x + 6, y) for x, y, _ in places]
    for x, y, name in sorted(places, reverse=True):
        start, end = x + 10, x + 10 + canvas.text_width(name)
        beside = [other for begin, stop, other in taken if start < stop and begin < end]
        heights = (y + way * distance for distance in count(12, 2) for way in (1, -1))
        free = next(at for at in heights if at >= top and all(abs(at - other) >= 16 for other in beside))
        taken.append((start, end, free))
        shapes.append(Text(start, free, name))
    return shapes


def _vertical_grid(left: float, scale: float, longest: float, top: float, bottom: float) -> list[Shape]:
    shapes: list[Shape] = []
    for value in ticks(0, longest):
        x = left + value * scale
        shapes += [Line(x, top, x, bottom), Text(x, bottom + 14, f"{value:g}", "middle")]
    return shapes


def ticks(low: float, high: float) -> list[float]:
    """Round numbers in a range, four to nine of them."""
    rough = (high - low) / 5
    magnitude: float = 10.0 ** floor(log10(rough))
    step = next(magnitude * factor for factor in (1, 2, 5, 10) if magnitude * factor >= rough * 0.8)
    return [number * step for number in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def _rounded_range(low: float, high: float) -> tuple[float, float]:
    """Whole fives around shares, a little room included."""
    return max(0.0, 5 * floor((low - 2) / 5)), min(100.0, 5 * ceil((high + 2) / 5))


def _page(benchmark: Values, drawings: Sequence[Drawing]) -> str:
    warnings = "".join(f'<p class="warning">{escape(one)}</p>' for one in benchmark["warnings"])
    lines = "".join(f"<li>{escape(fact)}</li>" for fact in facts(benchmark))
    charts = "".join(f"<p>{canvas.to_svg(drawing)}</p>" for drawing in drawings)
    rest = "".join(map(_table, tables(benchmark)))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>lightcam-edge benchmark</title>'
        f"<style>{STYLE}</style><h1>Benchmark</h1>{warnings}{charts}<ul>{lines}</ul>{rest}</html>\n"
    )


def _table(table: Table) -> str:
    head, *rows = table.rows
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<h2>{escape(table.title)}</h2><div class="wide"><table>{body}</table></div>'
