"""A benchmark: every model in every way, round by round, in turn."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib import metadata, resources
from itertools import product
from pathlib import Path
from platform import python_version
from statistics import fmean, median
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge import __version__
from lightcam_edge.benchmarking.accuracy import Truth, measure_accuracy, stated_localization
from lightcam_edge.benchmarking.arena import tensor_arena
from lightcam_edge.benchmarking.board import board_warnings, read_board, read_state
from lightcam_edge.benchmarking.latency import summarize
from lightcam_edge.benchmarking.measuring import DRAW, MINUTE_S, STAGES, Delegate, Spec
from lightcam_edge.benchmarking.process import measure_apart
from lightcam_edge.choices import Backend
from lightcam_edge.drawing import to_jpeg
from lightcam_edge.errors import InputError, LightcamError
from lightcam_edge.images import read_image
from lightcam_edge.inspection import Inspection, inspect_model
from lightcam_edge.model_file import read_model
from lightcam_edge.sources import find_sources
from lightcam_edge.streaming.sources.grammar import parse_source

UInt8 = npt.NDArray[np.uint8]
Values = dict[str, Any]
Tell = Callable[[str], None]
SCHEMA = "lightcam-edge/benchmark"
SCHEMA_VERSION = 1
LIBRARIES = ("numpy", "opencv-python-headless", "opencv-python", "pillow", "ai-edge-litert", "tflite-runtime")


def _silent(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    Args:
        models: paths, or names of bundled ones.
        threads: numbers of threads to try; None is the physical cores.
        backends: runtimes to try; None is the first installed.
        delegates: delegates to try; None is none.
        images: folder or image; None makes a frame.
        frame_wh: width and height of that frame, in pixels.
        in_memory: decode beforehand, as a camera's frames are.
        camera: a source as `lightcam-edge stream` takes it, instead of images.
        warmup: images before any counts, in each round.
        runs: images that count, in each round.
        seconds: measure so long in each round instead.
        rounds: fresh processes, in turn with the other models'.
        sustained_s: measure once and so long, minute by minute, instead.
        keep_samples: keep every single time.
        truth: photographs to measure accuracy on as well.
    """

    models: tuple[str, ...]
    threads: tuple[int | None, ...] = (None,)
    backends: tuple[Backend | None, ...] = (None,)
    delegates: tuple[Delegate | None, ...] = (None,)
    images: Path | None = None
    frame_wh: tuple[int, int] = (640, 480)
    in_memory: bool = False
    camera: str | None = None
    warmup: int = 5
    runs: int = 50
    seconds: float | None = None
    rounds: int = 5
    sustained_s: float | None = None
    keep_samples: bool = False
    truth: Truth | None = None

    @property
    def is_generated(self) -> bool:
        """Whether a made frame is looked at."""
        return self.images is None and self.camera is None


@dataclass(slots=True)
class _Entry:
    """One model in one way, and what its rounds have measured so far."""

    spec: Spec
    inspection: Inspection
    arena: int
    accuracy: Values | None = None
    rounds: list[Values] = field(default_factory=list)
    error: LightcamError | None = None


def benchmark(
    plan: Plan, tell: Tell = _silent, tell_minute: Tell = _silent, command: Sequence[str] = ()
) -> Values:
    """Measure, and return what docs/benchmark-schema.md describes.

    Args:
        plan: what is measured.
        tell: is told in a line what is being done.
        tell_minute: is told in a line of each minute of a long measurement.
        command: the line that asked for it.

    Raises:
        LightcamError: if nothing could be measured at all: the first reason.
    """
    board, before = read_board(), read_state()
    inspections = {name: inspect_model(name) for name in plan.models}
    arenas = {name: tensor_arena(read_model(name).flatbuffer) for name in plan.models}
    with _images(plan) as images:
        entries = [_Entry(spec, inspections[name], arenas[name]) for name, spec in _specs(plan, images)]
        _measure_in_turn(entries, 1 if plan.sustained_s else plan.rounds, tell, tell_minute)
    errors = [entry.error for entry in entries if entry.error]
    if errors and not any(entry.rounds for entry in entries):
        raise errors[0]
    if plan.truth:
        tell(f"accuracy on {plan.truth.data}")
        accuracies = measure_accuracy(tuple(inspections), plan.truth)
        for entry in entries:
            entry.accuracy = accuracies[entry.spec.model]
    values = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": list(command),
        "software": software_versions(),
        "board": asdict(board),
        "warnings": [*board_warnings(board, before, read_state()), *_model_warnings(entries)],
        "state_before": asdict(before),
        "input": _input(plan, len(images)),
        "settings": _settings(plan),
        "results": [_result(entry, plan.keep_samples) for entry in entries],
    }
    return cast("Values", _rounded(values))


def _model_warnings(entries: list[_Entry]) -> list[str]:
    measured = [entry for entry in entries if entry.rounds]
    bare = [
        f"{entry.spec.model} has no model card: plain CAM, no background"
        for entry in measured
        if entry.inspection.card is None
    ]
    boxless = [
        f"{entry.spec.model} found no box in any image, so `box` had nothing to do: give --images"
        for entry in measured
        if not any(one["boxed"] for one in entry.rounds)
    ]
    return list(dict.fromkeys(bare + boxless))


def _rounded(value: Any) -> Any:
    """Four decimals: a tenth of a microsecond."""
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def _specs(plan: Plan, images: tuple[str, ...]) -> Iterator[tuple[str, Spec]]:
    long = plan.sustained_s
    for name, backend, delegate, threads in product(plan.models, plan.backends, plan.delegates, plan.threads):
        yield (
            name,
            Spec(
                name,
                images,
                threads,
                backend,
                delegate,
                plan.in_memory,
                plan.camera,
                plan.is_generated,
                plan.warmup,
                plan.runs,
                long or plan.seconds,
                min(MINUTE_S, long) if long else None,
            ),
        )


def _measure_in_turn(entries: list[_Entry], rounds: int, tell: Tell, tell_minute: Tell) -> None:
    """A, B, A, B and not A, A, B, B: what slows the machine for a while slows all of them."""
    for number in range(rounds):
        for entry in entries:
            if entry.error is None:
                tell(f"round {number + 1} of {rounds}: {_in_words(entry.spec)}")
                try:
                    entry.rounds.append(
                        measure_apart(entry.spec, lambda minute: tell_minute(minute_line(minute)))
                    )
                except LightcamError as error:
                    entry.error = error


def _in_words(spec: Spec) -> str:
    parts = (
        spec.model,
        f"{spec.threads} threads" if spec.threads else None,
        spec.backend,
        spec.delegate.library if spec.delegate else None,
    )
    return ", ".join(part for part in parts if part)


def minute_line(minute: Values) -> str:
    """A minute of a long round, for people who wait."""
    state = minute["state"]
    hottest = max(state["temperatures_c"].values(), default=None)
    parts = [f"minute {minute['minute']}", f"{minute['p50_ms']:.1f} ms", f"{minute['images']} images"]
    parts += [f"{hottest:.0f} C"] if hottest is not None else []
    parts += [f"{clock} MHz" for clock in [slowest_clock(state)] if clock]
    return "  ".join(parts + list(state["throttled"]))


def slowest_clock(state: Values) -> int:
    """The firmware's clock where it tells, or the slowest group's; 0 where nobody does."""
    clocks: dict[str, int] = state["clocks_mhz"]
    return clocks.get("arm") or min(clocks.values(), default=0)


@contextmanager
def _images(plan: Plan) -> Iterator[tuple[str, ...]]:
    if plan.camera is not None:
        yield ()
        return
    if plan.images is not None:
        yield _found_images(plan.images)
        return
    with tempfile.TemporaryDirectory(prefix="lightcam-edge-") as folder:
        path = Path(folder) / "frame.jpg"
        path.write_bytes(to_jpeg(generated_frame(plan.frame_wh)))
        yield (str(path),)


def _found_images(folder: Path) -> tuple[str, ...]:
    sources = list(find_sources([str(folder)], ()))
    if error := next((source.error for source in sources if source.error), ""):
        raise InputError(error)
    images = tuple(str(source.path) for source in sources if not source.is_video)
    if not images:
        raise InputError(f"{folder} holds no image: give a folder that does")
    return images


def generated_frame(frame_wh: tuple[int, int]) -> UInt8:
    """A frame as a camera might take it: the sample photograph of a bird, stretched.

    JPEG decoders and the box rule have more to do on a photograph than on noise.

    Args:
        frame_wh: width and height, in pixels.

    Returns:
        (h, w, 3) RGB.
    """
    pixels = read_image(Path(str(resources.files("lightcam_edge"))) / "samples" / "bird.jpg").pixels
    return np.asarray(cv2.resize(pixels, frame_wh, interpolation=cv2.INTER_AREA), np.uint8)


def software_versions() -> Values:
    """Versions of this package, of Python and of the libraries that a measurement rests on."""
    installed = {dist.metadata["Name"].lower(): dist.version for dist in metadata.distributions()}
    libraries = {name: installed[name] for name in LIBRARIES if name in installed}
    return {"lightcam_edge": __version__, "python": python_version(), "libraries": libraries}


def _input(plan: Plan, count: int) -> Values:
    made = plan.is_generated
    return {
        "images": "generated" if made else plan.images and str(plan.images),
        "camera": plan.camera and str(parse_source(plan.camera)),
        "count": count,
        "frame_wh": list(plan.frame_wh) if made else None,
        "in_memory": plan.in_memory,
    }


def _settings(plan: Plan) -> Values:
    timed = plan.sustained_s or plan.seconds
    return {
        "warmup": plan.warmup,
        "runs": None if timed else plan.runs,
        "seconds": timed,
        "rounds": 1 if plan.sustained_s else plan.rounds,
        "sustained": bool(plan.sustained_s),
    }


def _result(entry: _Entry, keep_samples: bool) -> Values:
    spec = entry.spec
    asked = {
        "model": _model(entry.inspection),
        "accuracy": entry.accuracy,
        "threads": spec.threads,
        "backend": spec.backend,
        "backend_version": None,
        "delegate": asdict(spec.delegate) if spec.delegate else None,
        "error": str(entry.error) if entry.error else None,
    }
    return asked | (_measured(entry, keep_samples) if entry.rounds else {})


def _model(inspection: Inspection) -> Values:
    card, graph = inspection.card, inspection.graph
    return {
        "name": card.name if card else inspection.path.stem,
        "path": str(inspection.path),
        "size": inspection.size,
        "sha256": inspection.sha256,
        "architecture": card.architecture if card else None,
        "quantization": card.quantization.get("scheme") if card else None,
        "input_hw": list(graph.tensors[0].shape[1:3]),
        "parameters": card.parameters if card else graph.parameters,
        "macs": graph.macs,
        "operators": graph.counts,
        "stated_localization": stated_localization(inspection),
        "int8_share": {"operators": graph.int8_operators, "macs": graph.int8_macs},
    }


def _measured(entry: _Entry, keep_samples: bool) -> Values:
    rounds = entry.rounds
    first = rounds[0]
    stages = {
        stage: summarize([one["samples"][stage] for one in rounds])
        for stage in (*STAGES, DRAW)
        if stage in first["samples"]
    }
    power = {rail: fmean(one["power_mw"][rail] for one in rounds) for rail in first["power_mw"]}
    return {
        "threads": first["threads"],
        "backend": first["backend"],
        "backend_version": first["backend_version"],
        **{name: [one[name] for one in rounds] for name in ("import_ms", "init_ms", "first_image_ms")},
        "stages": {stage: asdict(stats) for stage, stats in stages.items()},
        "images_per_s": 1000 / stages["total"].mean,
        "boxed": fmean(one["boxed"] for one in rounds),
        "memory": _memory(entry),
        "delegated": _delegated(entry),
        "power_mw": power,
        "idle_power_mw": first["before"]["power_mw"],
        "energy_mj": {rail: milliwatts * stages["total"].mean / 1000 for rail, milliwatts in power.items()},
        "state_before": first["before"],
        "state_after": rounds[-1]["after"],
        "minutes": first["minutes"],
        "samples": {stage: [one["samples"][stage] for one in rounds] for stage in stages}
        if keep_samples
        else None,
    }


def _memory(entry: _Entry) -> Values:
    each = [one["memory"] for one in entry.rounds]
    return {
        "before_load": round(median(one["before_load"] for one in each)),
        "after_load": round(median(one["after_load"] for one in each)),
        "peak": max(one["peak"] for one in each),
        "growth": max(one["growth"] for one in each),
        "model_file": entry.inspection.size,
        "tensor_arena": entry.arena,
    }


def _delegated(entry: _Entry) -> Values:
    """Share of the work that delegates took, XNNPACK among them; nulls where nobody tells."""
    operators = entry.inspection.graph.operators
    numbers = entry.rounds[0]["delegated"]
    if numbers == "some":
        return {"operators": None, "macs": None}
    if numbers == "all":
        numbers = range(len(operators))
    taken = [operators[number] for number in numbers if number < len(operators)]
    macs = sum(operator.macs for operator in operators)
    return {
        "operators": len(taken) / len(operators),
        "macs": sum(operator.macs for operator in taken) / max(1, macs),
    }
