"""Metrics as Prometheus reads them, and health as a service manager does."""

from prometheus_client.parser import text_string_to_metric_families

from lightcam_edge.streaming.messages import CameraFigures, CameraStatus, State
from lightcam_edge.streaming.page.health import unhealthy
from lightcam_edge.streaming.page.metrics import metrics_text

FIGURES = CameraFigures(
    CameraStatus("door", "live", "", 0.0),
    captured=130,
    processed=100,
    skipped=30,
    reconnections=2,
    camera_fps=30.0,
    process_fps=24.5,
    age_ms={"p50": 12.0, "p95": 40.0},
    latency_ms={"decode": 2.0, "inference": 8.0, "total": 10.0},
    inference_seconds=0.8,
    source="rtsp://camera/door",
)
LOST = CameraFigures(CameraStatus("shed", "lost", "cannot reach it", 0.0))


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_prometheus_reads_every_figure_of_every_camera() -> None:
    read = samples(metrics_text({"door": FIGURES, "shed": LOST}, viewers=3))
    door = ("camera", "door")

    assert read["camera_fps", (door,)] == 30
    assert read["process_fps", (door,)] == 24.5
    assert read["skipped_fps", (door,)] == 5.5
    assert read["captured_frames_total", (door,)] == 130
    assert read["processed_frames_total", (door,)] == 100
    assert read["skipped_frames_total", (door,)] == 30
    assert read["camera_reconnections_total", (door,)] == 2
    assert read["inference_seconds_sum", (door,)] == 0.8
    assert read["inference_seconds_count", (door,)] == 100
    assert read["inference_seconds", (door, ("quantile", "0.5"))] == 0.008
    assert read["result_age_seconds", (door, ("quantile", "0.95"))] == 0.04
    assert read["stage_seconds", (door, ("stage", "decode"))] == 0.002
    assert read["camera_state", (door, ("state", "live"))] == 1
    assert read["camera_state", (("camera", "shed"), ("state", "lost"))] == 1
    assert read["camera_state", (("camera", "shed"), ("state", "live"))] == 0
    assert read["camera_fps", (("camera", "shed"),)] == 0
    assert read["page_viewers", ()] == 3
    assert read["process_resident_memory_bytes", ()] > 10e6


def test_every_metric_has_its_help_and_type() -> None:
    families = list(text_string_to_metric_families(metrics_text({"door": FIGURES}, 0)))

    assert all(family.documentation.endswith(".") for family in families)
    assert {family.type for family in families} == {"gauge", "counter", "summary"}


def test_odd_names_of_cameras_are_read_as_they_are() -> None:
    name = 'a "door" \\ with\na line'

    assert ("camera_fps", (("camera", name),)) in samples(metrics_text({name: FIGURES}, 0))


def reasons(state: State, silent_s: float | None, reason: str = "") -> dict[str, str]:
    silent = {} if silent_s is None else {"door": silent_s}
    return unhealthy({"door": CameraStatus("door", state, reason, 0.0)}, silent, stale_after=10)


def test_a_camera_is_healthy_while_results_come() -> None:
    assert reasons("live", 9.9) == {}


def test_each_camera_without_results_is_told_with_its_reason() -> None:
    assert reasons("live", 12.0) == {"door": "no result for 12 s"}
    assert reasons("live", None) == {"door": "no result yet"}
    assert reasons("starting", None) == {"door": "starting"}
    assert reasons("lost", 1.0, "cannot reach it") == {"door": "lost: cannot reach it"}
    assert reasons("frozen", 1.0) == {"door": "frozen"}
