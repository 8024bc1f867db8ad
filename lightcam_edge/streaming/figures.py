"""Counts and times of one camera, gathered while its stream runs."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

WINDOW_S = 5.0
SAMPLES = 1024  # of a window, at most


class Rate:
    """How often something happens a second, over the last seconds.

    Args:
        window_s: how long an occurrence counts, in seconds.
    """

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_ns = round(window_s * 1e9)
        self._times: deque[int] = deque(maxlen=SAMPLES)

    def count(self, now_ns: int) -> None:
        """Note that it happened, at a time of `time.monotonic_ns`."""
        self._times.append(now_ns)

    def value(self, now_ns: int) -> float:
        """Occurrences a second; 0 where the last one is long past."""
        while self._times and now_ns - self._times[0] > self._window_ns:
            self._times.popleft()
        if len(self._times) < 2:
            return 0.0
        # Up to now where the next one is overdue: a rate that falls is seen at once.
        span_ns = self._times[-1] - self._times[0]
        overdue_ns = now_ns - self._times[-1] - 2 * span_ns / (len(self._times) - 1)
        return (len(self._times) - 1) * 1e9 / max(span_ns + max(0, overdue_ns), 1)


def quantile(sorted_values: Sequence[float], share: float) -> float:
    """The value that a share of sorted values does not exceed; 0 where there is none."""
    if not sorted_values:
        return 0.0
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


class Meters:
    """What was captured and what came of it, of one camera; any thread may call.

    Args:
        window_s: over how long rates, ages and latencies are taken, in seconds.
    """

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self.processed = 0
        self.inference_s = 0.0
        self._window_ns = round(window_s * 1e9)
        self._process_rate = Rate(window_s)
        self._taken: deque[tuple[int, float, Mapping[str, float]]] = deque(maxlen=SAMPLES)
        self._lock = threading.Lock()

    def count(self, age_ms: float, latency_ms: Mapping[str, float], now_ns: int | None = None) -> None:
        """Note a result.

        Args:
            age_ms: from the picture's arrival to the result.
            latency_ms: of each stage, and `total`.
            now_ns: of `time.monotonic_ns`; now if None.
        """
        now_ns = time.monotonic_ns() if now_ns is None else now_ns
        with self._lock:
            self.processed += 1
            self.inference_s += latency_ms.get("inference", 0.0) / 1e3
            self._process_rate.count(now_ns)
            self._taken.append((now_ns, age_ms, latency_ms))

    def rate(self, now_ns: int) -> float:
        """Results a second."""
        with self._lock:
            return self._process_rate.value(now_ns)

    def ages_ms(self, now_ns: int) -> dict[str, float]:
        """`p50` and `p95` of the last seconds; nothing where there was no result."""
        ages = sorted(age for _, age, _ in self._recent(now_ns))
        return {"p50": quantile(ages, 0.5), "p95": quantile(ages, 0.95)} if ages else {}

    def latencies_ms(self, now_ns: int) -> dict[str, float]:
        """Median of each stage over the last seconds."""
        return medians(latency for _, _, latency in self._recent(now_ns))

    def _recent(self, now_ns: int) -> list[tuple[int, float, Mapping[str, float]]]:
        with self._lock:
            while self._taken and now_ns - self._taken[0][0] > self._window_ns:
                self._taken.popleft()
            return list(self._taken)


def medians(samples: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The median under each key."""
    columns: dict[str, list[float]] = {}
    for sample in samples:
        for name, value in sample.items():
            columns.setdefault(name, []).append(value)
    return {name: quantile(sorted(values), 0.5) for name, values in columns.items()}
