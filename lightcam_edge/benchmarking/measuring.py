"""One round: one model in one runtime, measured in a process of its own.

Alone in its process, a model's memory and start are its own, and a delegate
that crashes takes nothing else with it.
"""

import itertools
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from statistics import fmean, median
from typing import Literal

from lightcam_edge.benchmarking.accelerated import GPU, AcceleratedNetwork
from lightcam_edge.benchmarking.board import ROOT, State, read_power, read_state
from lightcam_edge.benchmarking.memory import read_resident
from lightcam_edge.benchmarking.viewing import View, open_view
from lightcam_edge.choices import Backend
from lightcam_edge.interpreter import Interpreter, load_delegate
from lightcam_edge.localizer import Localization, Localizer, Options, Stopwatch, physical_cores
from lightcam_edge.model_file import probe, read_model

STAGES = ("decode", "preprocess", "inference", "cam", "box", "total")
DRAW = "draw"
MOST_DRAWN = 30
POWER_INTERVAL_S = 0.5  # the sensor itself averages over a part of this
MINUTE_S = 60.0
Taken = tuple[int, ...] | Literal["all", "some"]


@dataclass(frozen=True, slots=True)
class Delegate:
    """A library that runs operators instead of the runtime.

    Args:
        library: its path, or `gpu` for LiteRT's own accelerator.
        options: what it is told at its start.
    """

    library: str
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spec:
    """What one round measures, and how.

    Args:
        model: path of a model file.
        images: paths, taken in turn.
        threads: of the runtime; physical cores if None.
        backend: the runtime; the first installed if None.
        delegate: takes what operators it can.
        in_memory: decode beforehand, as a camera's frames are.
        camera: a source as `lightcam-edge stream` takes it, instead of images.
        label_any: find the first class that is an object, whatever the image
            shows, so that there is a map to box.
        warmup: images before any counts.
        runs: images that count.
        seconds: measure so long instead.
        minute_s: of a minute in which the state is noted; for the whole time if None.
    """

    model: str
    images: tuple[str, ...]
    threads: int | None = None
    backend: Backend | None = None
    delegate: Delegate | None = None
    in_memory: bool = False
    camera: str | None = None
    label_any: bool = False
    warmup: int = 5
    runs: int = 50
    seconds: float | None = None
    minute_s: float | None = None


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute of a long round.

    Args:
        minute: its number, from 1.
        images: how many were measured in it.
        p50_ms: their median from image to box.
        state: of the board at its end.
    """

    minute: int
    images: int
    p50_ms: float
    state: State


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory over a round, in bytes.

    Args:
        before_load: with everything imported and no model read.
        after_load: with the model ready.
        peak: the most there ever was.
        growth: from the first counted image to the last, without the times kept of each.
    """

    before_load: int
    after_load: int
    peak: int
    growth: int


@dataclass(frozen=True, slots=True)
class Round:
    """What one round has measured.

    Args:
        threads: of the runtime.
        backend: the runtime.
        backend_version: its version.
        init_ms: from the model's path to a localizer that is ready.
        first_image_ms: from the first image to its box.
        samples: times of each stage in milliseconds, in order; `draw` is measured apart.
        boxed: share of the images in which there was a box, in [0, 1].
        memory: see `Memory`.
        before: state of the board before the first counted image.
        after: state after the last one.
        power_mw: mean power of each rail while it measured.
        delegated: operators in the file that a delegate took, by number; `some` where the runtime
            does not tell which.
        minutes: of a long round.
        import_ms: from a started Python to everything imported.
    """

    threads: int
    backend: str
    backend_version: str
    init_ms: float
    first_image_ms: float
    samples: dict[str, list[float]]
    boxed: float
    memory: Memory
    before: State
    after: State
    power_mw: dict[str, float]
    delegated: Taken
    minutes: tuple[Minute, ...] = ()
    import_ms: float = 0.0


def measure(spec: Spec, root: Path = ROOT, tell: Callable[[Minute], None] | None = None) -> Round:
    """Measure one model.

    Args:
        spec: what and how.
        root: where the kernel's files lie, see `board.read_board`.
        tell: is told of each minute of a long round.

    Raises:
        LightcamError: if the model, a runtime, the delegate or an image is not to be had.
    """
    before_load = read_resident().now
    started = time.perf_counter_ns()
    network, localizer = _load(spec)
    init_ms = _since(started)
    after_load = read_resident().now
    with open_view(localizer, spec.images, spec.in_memory, spec.camera) as view:
        started = time.perf_counter_ns()
        view.look(0)
        first_image_ms = _since(started)
        for number in range(1, spec.warmup):
            view.look(number)
        record = _record(view.look, spec, root, tell)
        resident = read_resident()
        drawn = _draw(localizer, spec, view)
    growth = resident.now - record.resident_at_start - record.size
    return Round(
        localizer.threads,
        network.backend,
        metadata.version(network.backend),
        init_ms,
        first_image_ms,
        {stage: [round(ms, 4) for ms in times] for stage, times in record.samples.items()} | {DRAW: drawn},
        record.boxed / record.count,
        Memory(before_load, after_load, resident.peak, growth),
        record.before,
        read_state(root),
        record.mean_power,
        _delegated(network),
        tuple(record.minutes),
    )


def _since(started: int) -> float:
    return (time.perf_counter_ns() - started) / 1e6


def _load(spec: Spec) -> tuple[Interpreter | AcceleratedNetwork, Localizer]:
    model = read_model(spec.model)
    if model.card is None:
        probe(model.path)
    threads = spec.threads or physical_cores()
    network = _network(model.flatbuffer, threads, spec)
    localizer = Localizer(model, threads=threads, network=network)
    if spec.label_any:
        background = localizer.card.background
        labels = [label for label in localizer.card.labels if not background or label != background.label]
        localizer.set_options(Options(label=labels[0]))
    return network, localizer


def _network(flatbuffer: bytes, threads: int, spec: Spec) -> Interpreter | AcceleratedNetwork:
    delegate = spec.delegate
    if delegate and delegate.library == GPU:
        return AcceleratedNetwork(flatbuffer, threads, spec.backend)
    delegates = [load_delegate(delegate.library, delegate.options, spec.backend)] if delegate else []
    return Interpreter(flatbuffer, threads, spec.backend, verbose=True, delegates=delegates)


class _Record:
    """Takes down what each image cost, and now and then how the board does."""

    def __init__(self, spec: Spec, root: Path) -> None:
        self._root = root
        self.samples = {stage: array("d") for stage in STAGES if not (spec.in_memory and stage == "decode")}
        self.minutes: list[Minute] = []
        self.boxed = 0
        self.before = read_state(root)
        self._powers: list[dict[str, float]] = []
        self._has_power = bool(self.before.power_mw)
        self.started = self._power_read = time.monotonic()
        self._minute_start = 0
        self.resident_at_start = read_resident().now

    @property
    def count(self) -> int:
        return len(self.samples["total"])

    @property
    def in_minute(self) -> int:
        """Images since the last minute's end."""
        return self.count - self._minute_start

    @property
    def size(self) -> int:
        """Of the samples, in bytes."""
        return sum(times.itemsize * len(times) for times in self.samples.values())

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    @property
    def mean_power(self) -> dict[str, float]:
        powers = self._powers or [self.before.power_mw]
        return {rail: fmean(power[rail] for power in powers) for rail in powers[0]}

    def add(self, found: Localization) -> None:
        for stage, times in self.samples.items():
            times.append(found.latency_ms[stage])
        self.boxed += bool(found.detections)
        if self._has_power and time.monotonic() - self._power_read > POWER_INTERVAL_S:
            self._powers.append(read_power(self._root))
            self._power_read = time.monotonic()

    def end_minute(self) -> Minute:
        times = self.samples["total"][self._minute_start :]
        self._minute_start = self.count
        minute = Minute(
            len(self.minutes) + 1,
            len(times),
            round(median(times), 4) if times else 0.0,
            read_state(self._root),
        )
        self.minutes.append(minute)
        return minute


def _record(
    look: Callable[[int], Localization], spec: Spec, root: Path, tell: Callable[[Minute], None] | None
) -> _Record:
    record = _Record(spec, root)
    for number in _numbers(spec, record):
        record.add(look(number))
        if spec.minute_s and record.elapsed >= spec.minute_s * (len(record.minutes) + 1):
            _end_minute(record, tell)
    if spec.minute_s and record.in_minute:
        _end_minute(record, tell)
    return record


def _end_minute(record: _Record, tell: Callable[[Minute], None] | None) -> None:
    minute = record.end_minute()
    if tell:
        tell(minute)


def _numbers(spec: Spec, record: _Record) -> Iterator[int]:
    if spec.seconds is None:
        yield from range(spec.runs)
    else:
        seconds = spec.seconds
        yield 0
        yield from itertools.takewhile(lambda _: record.elapsed < seconds, itertools.count(1))


def _draw(localizer: Localizer, spec: Spec, view: View) -> list[float]:
    """Time the drawing on full-size pictures, after all else, so that they take no part in the memory."""
    from lightcam_edge.drawing import draw_boxes

    times = []
    for number in range(1 + min(spec.runs, MOST_DRAWN)):
        photo = view.photo(number)
        found = localizer.localize(photo)
        stopwatch = Stopwatch()
        draw_boxes(photo.pixels, found)
        stopwatch.lap(DRAW)
        times.append(round(stopwatch.laps[DRAW], 4))
    return times[1:]  # the first one loads the font


def _delegated(network: Interpreter | AcceleratedNetwork) -> Taken:
    if isinstance(network, Interpreter):
        return delegated_operators(network)
    return "all" if network.is_whole else "some"


def delegated_operators(interpreter: Interpreter) -> tuple[int, ...]:
    """Numbers of the file's operators that delegates (XNNPACK among them) run instead of the runtime.

    The runtime lists the file's operators and one more for each part that was
    taken; the part is all that lies between that one's outputs and its inputs.
    """
    operators = interpreter.operators()
    own = [operator for operator in operators if not _is_delegates(operator)]
    maker = {int(tensor): number for number, operator in enumerate(own) for tensor in operator["outputs"]}
    taken: set[int] = set()
    for part in filter(_is_delegates, operators):
        given = {int(tensor) for tensor in part["inputs"]}
        left = [int(tensor) for tensor in part["outputs"]]
        while left:
            tensor = left.pop()
            number = maker.get(tensor)
            if number is not None and number not in taken and tensor not in given:
                taken.add(number)
                left += [int(source) for source in own[number]["inputs"]]
    return tuple(sorted(taken))


def _is_delegates(operator: dict[str, object]) -> bool:
    return str(operator["op_name"]).startswith("DELEGATE")
