import json
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from stream_messages import CAMERA, event, result, track

from lightcam_edge.localizer import Localizer
from lightcam_edge.records import KEYS
from lightcam_edge.streaming.json_lines import JsonLines, RotatingFile, result_record, status_record
from lightcam_edge.streaming.messages import CameraStatus
from lightcam_edge.streaming.output_pipe import OutputPipe

SOURCE = "rtsp://***@porch/live"


@pytest.fixture(scope="module")
def localizer() -> Localizer:
    return Localizer("nano", threads=1)


def told_result(localizer: Localizer) -> dict[str, object]:
    taken = result(track(3), track(7, score=0.5))
    object.__setattr__(taken.found, "scores", np.array([0.9, 0.06, 0.04], np.float32))
    return result_record(taken, SOURCE, localizer)


def test_the_line_of_a_result_is_that_of_a_run_with_camera_time_age_and_ids(localizer: Localizer) -> None:
    told = told_result(localizer)

    assert set(told) == {"camera", "time", "age_ms", *KEYS}
    assert (told["camera"], told["source"], told["frame"], told["age_ms"]) == (CAMERA, SOURCE, 0, 1.0)
    assert told["boxes"] == [
        {"x0": 12.0, "y0": 30, "x1": 200, "y1": 180, "label": "bird", "score": 0.93, "track": 3},
        {"x0": 12.0, "y0": 30, "x1": 200, "y1": 180, "label": "bird", "score": 0.5, "track": 7},
    ]
    assert told["error"] is None


def test_the_line_of_a_lost_camera_is_an_error_and_has_the_same_keys() -> None:
    told = status_record(CameraStatus(CAMERA, "lost", "Connection refused", 5.0), SOURCE)

    assert set(told) == {"camera", "time", "state", "reason", *KEYS}
    assert (told["error"], told["state"], told["time"]) == ("Connection refused", "lost", 5.0)


def test_the_line_of_a_camera_that_lives_is_no_error() -> None:
    assert status_record(CameraStatus(CAMERA, "live", "", 5.0), SOURCE)["error"] is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("results", ["state", "result"]),
        ("events", ["state", "event"]),
        ("all", ["state", "result", "event"]),
    ],
)
def test_states_are_told_whichever_lines_are_wished_for(
    lines: str, expected: list[str], localizer: Localizer
) -> None:
    written: list[str] = []
    sink = JsonLines("lines", written.append, lines, lambda _: (SOURCE, localizer))  # type: ignore[arg-type]
    taken = result(track())
    object.__setattr__(taken.found, "scores", np.array([0.9, 0.06, 0.04], np.float32))

    sink.status(CameraStatus(CAMERA, "live", "", 5.0))
    sink.result(taken)
    sink.event(event(1))
    sink.close()

    told = [json.loads(line) for line in written]
    kinds = ["event" if "schema" in one else "state" if "state" in one else "result" for one in told]
    assert kinds == expected


def test_the_sequence_of_events_grows_over_restarts(localizer: Localizer) -> None:
    written: list[str] = []
    for _ in range(2):
        sink = JsonLines("lines", written.append, "events", lambda _: (SOURCE, localizer))
        sink.event(event(1))
        sink.event(event(2))
        sink.close()
        time.sleep(0.01)

    sequences = [json.loads(line)["sequence"] for line in written]
    assert sequences == sorted(set(sequences))


def test_a_full_log_is_renamed_and_the_oldest_dropped(tmp_path: Path) -> None:
    log = RotatingFile(tmp_path / "logs" / "log.jsonl", max_bytes=100, files=2)
    for number in range(40):
        log.write(f"line {number}")
    log.close()

    kept = sorted((tmp_path / "logs").iterdir())
    assert [path.name for path in kept] == ["log.jsonl", "log.jsonl.1", "log.jsonl.2"]
    assert all(path.stat().st_size <= 100 for path in kept)
    assert kept[0].read_text().splitlines()[-1] == "line 39"


def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    for number in range(2):
        log = RotatingFile(tmp_path / "log.jsonl")
        log.write(f"line {number}")
        log.close()

    assert (tmp_path / "log.jsonl").read_text() == "line 0\nline 1\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_an_error_of_the_line() -> None:
    log = RotatingFile(Path("/dev/full"))

    with pytest.raises(OSError, match="No space left"):
        log.write("line")
    with pytest.raises(OSError, match="No space left"):
        log.close()


def test_a_reader_that_has_gone_is_told_once() -> None:
    gone: list[bool] = []
    read_end, write_end = os.pipe()
    pipe = OutputPipe(write_end, lambda: gone.append(True))
    pipe.write("one")
    assert os.read(read_end, 100) == b"one\n"

    os.close(read_end)
    pipe.write("two")
    pipe.write("three")

    os.close(write_end)
    assert pipe.gone
    assert gone == [True]


def test_a_long_line_reaches_a_slow_reader_whole() -> None:
    read_end, write_end = os.pipe()
    line = "x" * 300_000
    writing = threading.Thread(target=OutputPipe(write_end, lambda: None).write, args=(line,))
    writing.start()
    content = b""
    while len(content) < len(line) + 1:
        content += os.read(read_end, 5000)
    writing.join(20)
    os.close(read_end)
    os.close(write_end)

    assert content == line.encode() + b"\n"
