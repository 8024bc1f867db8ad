"""Many times of one thing in a few figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PARTS = 10  # of a single round


@dataclass(frozen=True, slots=True)
class LatencyStats:
    """How long something took, in milliseconds.

    Args:
        count: how often it was measured.
        p50: the median.
        p90: nine in ten are faster.
        p95: 19 in 20 are faster.
        p99: 99 in 100 are faster.
        iqr: from the first to the third quartile.
        min: the fastest.
        max: the slowest.
        mean: of all.
        parts: medians of parts that know little of each other: of each round or,
            where there is one only, of consecutive tenths of it.
    """

    count: int
    p50: float
    p90: float
    p95: float
    p99: float
    iqr: float
    min: float
    max: float
    mean: float
    parts: tuple[float, ...]


def summarize(rounds: Sequence[Sequence[float]]) -> LatencyStats:
    """Reduce the times of one or more rounds.

    Args:
        rounds: times in milliseconds, in the order in which they were measured; at least one in each round.
    """
    every = np.concatenate([np.asarray(one, np.float64) for one in rounds])
    q25, p50, q75, p90, p95, p99 = (float(n) for n in np.percentile(every, (25, 50, 75, 90, 95, 99)))
    parts = rounds if len(rounds) > 1 else np.array_split(every, min(PARTS, len(every)))
    return LatencyStats(
        len(every),
        p50,
        p90,
        p95,
        p99,
        q75 - q25,
        float(every.min()),
        float(every.max()),
        float(every.mean()),
        tuple(float(np.median(part)) for part in parts),
    )
