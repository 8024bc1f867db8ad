"""A stream's figures in Prometheus's text format, version 0.0.4."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

from lightcam_edge.benchmarking.memory import read_resident
from lightcam_edge.streaming.messages import CameraFigures, State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Sample:
    """One value.

    Args:
        value: the number.
        labels: what it is of.
        suffix: what follows the metric's name, such as `_sum`.
    """

    value: float
    labels: Mapping[str, str]
    suffix: str = ""


def metrics_text(cameras: Mapping[str, CameraFigures], viewers: int) -> str:
    """All metrics.

    Args:
        cameras: figures by name of the camera.
        viewers: open pages.
    """
    blocks = [*_rates(cameras), *_counts(cameras), *_times(cameras)]
    blocks.append(_block("page_viewers", "gauge", "Open live pages.", [Sample(viewers, {})]))
    resident = read_resident().now
    text = "Resident memory size in bytes."
    blocks.append(_block("process_resident_memory_bytes", "gauge", text, [Sample(resident, {})]))
    return "".join(blocks)


def _rates(cameras: Mapping[str, CameraFigures]) -> Iterable[str]:
    yield _gauge(
        "camera_fps",
        "Pictures a second that the camera gives.",
        {name: figures.camera_fps for name, figures in cameras.items()},
    )
    yield _gauge(
        "process_fps",
        "Results a second.",
        {name: figures.process_fps for name, figures in cameras.items()},
    )
    yield _gauge(
        "skipped_fps",
        "Pictures a second that a newer one replaced before it was their turn.",
        {name: max(0.0, figures.camera_fps - figures.process_fps) for name, figures in cameras.items()},
    )
    states = [
        Sample(float(figures.status.state == state), {"camera": name, "state": state})
        for name, figures in cameras.items()
        for state in get_args(State)
    ]
    yield _block("camera_state", "gauge", "1 for the state that the camera is in.", states)


def _counts(cameras: Mapping[str, CameraFigures]) -> Iterable[str]:
    counted = {
        "captured_frames_total": ("Pictures since the start.", "captured"),
        "processed_frames_total": ("Results since the start.", "processed"),
        "skipped_frames_total": ("Pictures replaced by a newer one since the start.", "skipped"),
        "camera_reconnections_total": ("Times the camera came back since the start.", "reconnections"),
    }
    for name, (text, field) in counted.items():
        samples = [Sample(getattr(figures, field), {"camera": camera}) for camera, figures in cameras.items()]
        yield _block(name, "counter", text, samples)


def _times(cameras: Mapping[str, CameraFigures]) -> Iterable[str]:
    yield _block(
        "inference_seconds",
        "summary",
        "Time in the network for each result; the quantile is of the last seconds.",
        [sample for name, figures in cameras.items() for sample in _inference(name, figures)],
    )
    ages = [
        Sample(ms / 1000, {"camera": name, "quantile": f"0.{quantile.removeprefix('p')}"})
        for name, figures in cameras.items()
        for quantile, ms in figures.age_ms.items()
    ]
    yield _block("result_age_seconds", "gauge", "From a picture's arrival to its result.", ages)
    stages = [
        Sample(ms / 1000, {"camera": name, "stage": stage})
        for name, figures in cameras.items()
        for stage, ms in figures.latency_ms.items()
    ]
    yield _block("stage_seconds", "gauge", "Median time of each stage over the last seconds.", stages)


def _inference(camera: str, figures: CameraFigures) -> Iterable[Sample]:
    if "inference" in figures.latency_ms:
        yield Sample(figures.latency_ms["inference"] / 1000, {"camera": camera, "quantile": "0.5"})
    yield Sample(figures.inference_seconds, {"camera": camera}, "_sum")
    yield Sample(figures.processed, {"camera": camera}, "_count")


def _gauge(name: str, text: str, values: Mapping[str, float]) -> str:
    return _block(
        name, "gauge", text, [Sample(value, {"camera": camera}) for camera, value in values.items()]
    )


def _block(name: str, kind: str, text: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{sample.suffix}{_labels(sample.labels)} {sample.value:.9g}" for sample in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
