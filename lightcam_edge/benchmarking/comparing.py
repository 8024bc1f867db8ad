"""Two benchmarks beside each other: ratios, their intervals, and what is only noise."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, median
from typing import Any

import numpy as np
import numpy.typing as npt

from lightcam_edge.benchmarking.report import aligned, way
from lightcam_edge.benchmarking.sweep import SCHEMA, SCHEMA_VERSION
from lightcam_edge.errors import InputError

Values = dict[str, Any]
Row = tuple[str, ...]
CONFIDENCE = 0.95
DRAWS = 20_000
DRIFT = 0.025  # of eight runs of one model, one after the other, on two busy cores of a virtual machine
CONDITIONS = {
    "board": ("model", "soc", "cores", "features", "governors", "power_mode", "kernel"),
    "software": ("lightcam_edge", "python", "libraries"),
    "input": ("images", "count", "frame_wh", "in_memory"),
}


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as much the second is as the first.

    Args:
        value: the ratio.
        low: lower end of its interval; NaN where there is too little to tell.
        high: upper end.
    """

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Whether the difference is one."""
        if math.isnan(self.low):
            return "too few parts to tell"
        if self.low <= 1 <= self.high:
            return "noise"
        return "slower" if self.value > 1 else "faster"


def ratio(first: Sequence[float], second: Sequence[float], drift: float = 0.0) -> Ratio:
    """The ratio of two typical times, with a 95% bootstrap interval.

    What is drawn anew is the medians of rounds, and not single times: these
    are alike while the machine is in one mood, and would promise too much. As
    there are few of them, the percentiles are taken further out, by Student's
    t (Hesterberg 2015, "What teachers should know about the bootstrap",
    expanded percentile interval). Rounds of one run still share that run's
    mood, so the interval is widened by how far runs drift apart.

    Args:
        first: medians of the parts of one measurement, in ms, above 0.
        second: those of the other.
        drift: standard deviation from run to run that rounds do not show, as a share.
    """
    a, b = np.log(np.asarray(first)), np.log(np.asarray(second))
    value = math.exp(b.mean() - a.mean())
    least = min(len(a), len(b))
    if least < 3:
        return Ratio(value, math.nan, math.nan)
    rng = np.random.default_rng(0)
    differences = _means(b, rng) - _means(a, rng)
    tail = _tail(least)
    margins = np.abs(np.quantile(differences, (tail, 1 - tail)) - math.log(value))
    of_two_runs = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt(2) * drift
    below, above = np.hypot(margins, of_two_runs)
    return Ratio(value, value * math.exp(-below), value * math.exp(above))


def _means(values: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.asarray(rng.choice(values, (DRAWS, len(values))).mean(axis=1))


def _tail(count: int) -> float:
    """Share of the draws to leave out at each end, for so many values."""
    widened = math.sqrt(count / (count - 1)) * student_quantile((1 + CONFIDENCE) / 2, count - 1)
    return NormalDist().cdf(-widened)


def student_quantile(share: float, freedom: int) -> float:
    """Quantile of Student's t (Abramowitz and Stegun 26.7.5); within 3% from 2 degrees of freedom on."""
    z = NormalDist().inv_cdf(share)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(z + sum(term / freedom**power for power, term in enumerate(terms, 1)))


def read_benchmark(path: Path) -> Values:
    """Read what `lightcam-edge benchmark --json` wrote.

    Raises:
        InputError: if it is something else, or of another version.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not JSON"
        raise InputError(f"cannot read {path}: {reason}") from error
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        raise InputError(f"{path} is no benchmark: make one with `lightcam-edge benchmark MODEL --json FILE`")
    if values.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema version {values.get('schema_version')}, not {SCHEMA_VERSION}: measure again"
        )
    return values


def compare(first: Values, second: Values, drift: float = DRIFT) -> str:
    """What differs between two benchmarks, for people.

    Args:
        first: what `read_benchmark` returns.
        second: the other.
        drift: see `ratio`.

    Raises:
        InputError: if nothing ran in the same way in both.
    """
    pairs, alone = _pairs(_measured(first), _measured(second))
    if not pairs:
        raise InputError("the benchmarks have no model in common that ran in the same way in both")
    blocks = ["\n".join(_differences(first, second))]
    blocks += ["\n".join([_title(*pair), *aligned(_rows(*pair, drift))]) for pair in pairs]
    blocks += ["only in one of them: " + "; ".join(alone)] if alone else []
    return "\n\n".join(filter(None, blocks))


def _measured(benchmark: Values) -> list[Values]:
    return [result for result in benchmark["results"] if "stages" in result]


def _pairs(
    first: Sequence[Values], second: Sequence[Values]
) -> tuple[list[tuple[Values, Values]], list[str]]:
    """Results that ran in the same way; or the only ones, whatever they are."""
    if len(first) == len(second) == 1:
        return [(first[0], second[0])], []
    a, b = ({way(result): result for result in results} for results in (first, second))
    return [(a[name], b[name]) for name in a if name in b], sorted(a.keys() ^ b.keys())


def _title(a: Values, b: Values) -> str:
    return way(a) if way(a) == way(b) else f"{way(a)}  against  {way(b)}"


def _rows(a: Values, b: Values, drift: float) -> list[Row]:
    rows: list[Row] = [("ms", "first", "second", "ratio", "95% interval", "second is")]
    for stage, stats in b["stages"].items():
        if stage in a["stages"]:
            found = ratio(a["stages"][stage]["parts"], stats["parts"], drift)
            medians = (f"{one:.3f}" for one in (a["stages"][stage]["p50"], stats["p50"]))
            rows.append((stage, *medians, f"{found.value:.3f}", _interval(found), found.verdict))
    for name in ("init_ms", "first_image_ms"):
        found = ratio(a[name], b[name], drift)
        medians = (f"{median(one[name]):.3f}" for one in (a, b))
        rows.append(
            (
                name.removesuffix("_ms").replace("_", " "),
                *medians,
                f"{found.value:.3f}",
                _interval(found),
                found.verdict,
            )
        )
    peaks = [one["memory"]["peak"] for one in (a, b)]
    rows.append(
        ("RSS peak, MB", *(f"{peak / 1e6:.1f}" for peak in peaks), f"{peaks[1] / peaks[0]:.3f}", "", "")
    )
    return rows


def _interval(found: Ratio) -> str:
    return "" if math.isnan(found.low) else f"{found.low:.3f}..{found.high:.3f}"


def _differences(first: Values, second: Values) -> list[str]:
    """Conditions that were not the same, and what to know of both."""
    lines = [
        f"not the same {part}: {name} is {_shown(first[part][name])} and {_shown(second[part][name])}"
        for part, names in CONDITIONS.items()
        for name in names
        if first[part][name] != second[part][name]
    ]
    lines += [
        f"{which}: {warning}"
        for which, one in (("first", first), ("second", second))
        for warning in one["warnings"]
    ]
    if 1 in (first["settings"]["rounds"], second["settings"]["rounds"]):
        lines.append("one round only: intervals know nothing of differences from process to process")
    return lines


def _shown(value: Any) -> str:
    return value or "unknown" if isinstance(value, str) else json.dumps(value)
