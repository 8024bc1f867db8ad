import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from stream_messages import CAMERA, result, track

from lightcam_edge.geometry import Fit
from lightcam_edge.images import Photo
from lightcam_edge.streaming.messages import StreamResult
from lightcam_edge.streaming.recording import Recording, RecordingPlan

S = 1_000_000_000
NOON = 1_764_068_400.0  # of whichever day


def picture(seconds: float, size_hw: tuple[int, int] = (48, 64), grey: int | np.ndarray = 90) -> StreamResult:
    taken = result(track())
    photo = Photo(np.zeros((*size_hw, 3), np.uint8) + np.asarray(grey, np.uint8), size_hw)
    frame = replace(
        taken.frame, photo=photo, captured_at=NOON + seconds, captured_ns=round((1000 + seconds) * S)
    )
    return replace(taken, frame=frame, found=replace(taken.found, fit=Fit(size_hw, (7, 7), "squash")))


def record(plan: RecordingPlan, pictures: list[StreamResult]) -> None:
    """Write the pictures as they are, none dropped."""
    recording = Recording(plan, CAMERA)
    for one in pictures:
        recording._write(one)
    recording.close()


def off_grey(part: np.ndarray) -> float:
    """How far a part of a picture is from the bars' grey, in grey levels."""
    return float(np.abs(part.astype(float) - 127).mean())


def frames(path: Path) -> list[np.ndarray]:
    capture, read = cv2.VideoCapture(str(path)), []
    while (one := capture.read())[0]:
        read.append(one[1])
    capture.release()
    return read


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_closed_video_plays_and_is_as_long_as_life(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"seen{suffix}"

    record(RecordingPlan(path, frame_rate=10), [picture(0.2 * n) for n in range(11)])  # 5 pictures/s, 2 s

    assert len(frames(path)) == 21
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_pictures_that_come_faster_than_the_video_are_left_out(tmp_path: Path) -> None:
    record(RecordingPlan(tmp_path / "seen.mkv", frame_rate=10), [picture(0.02 * n) for n in range(51)])

    assert len(frames(tmp_path / "seen.mkv")) == 11


def test_a_long_pause_is_cut_out(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.2, 3600.0, 3600.1, 3600.2]

    record(RecordingPlan(tmp_path / "seen.mkv", frame_rate=10), [picture(at) for at in times])

    assert len(frames(tmp_path / "seen.mkv")) == 6


def test_the_box_is_in_the_picture(tmp_path: Path) -> None:
    record(RecordingPlan(tmp_path / "seen.mkv", frame_rate=10), [picture(0.1 * n) for n in range(5)])

    last = frames(tmp_path / "seen.mkv")[-1].astype(int)
    assert np.ptp(last) > 60  # the picture itself is of one grey


def test_what_lies_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "seen.mkv").write_text("of yesterday")

    record(RecordingPlan(tmp_path / "seen.mkv", frame_rate=10), [picture(0.1 * n) for n in range(3)])

    assert (tmp_path / "seen.mkv").read_text() == "of yesterday"
    assert len(frames(tmp_path / "seen-2.mkv")) == 3


def test_pictures_of_other_sizes_are_fitted_into_the_file_with_bars(tmp_path: Path) -> None:
    sizes = [(48, 64), (96, 64), (48, 64), (48, 192)]

    record(
        RecordingPlan(tmp_path / "seen.mkv", frame_rate=10),
        [picture(0.1 * n, size, grey=220) for n, size in enumerate(sizes)],
    )

    assert [path.name for path in tmp_path.iterdir()] == ["seen.mkv"]
    seen = frames(tmp_path / "seen.mkv")
    assert [one.shape[:2] for one in seen] == [(48, 64)] * 4
    high, flat = seen[1], seen[3]
    assert off_grey(high[:, :12]) < 10 < 50 < off_grey(high[:, 20:44])
    assert off_grey(flat[:12]) < 10 < 50 < off_grey(flat[20:28])


def test_another_segment_has_the_size_that_pictures_have_by_then(tmp_path: Path) -> None:
    plan = RecordingPlan(tmp_path / "seen.mkv", frame_rate=10, segment_s=1)

    record(plan, [picture(0.1 * n, (48, 64) if n < 5 else (96, 128)) for n in range(20)])

    first, second = (frames(path) for path in sorted(tmp_path.iterdir()))
    assert {one.shape[:2] for one in first} == {(48, 64)}
    assert {one.shape[:2] for one in second} == {(96, 128)}


def test_segments_carry_their_time_and_only_the_newest_are_kept(tmp_path: Path) -> None:
    plan = RecordingPlan(tmp_path / "seen.mkv", frame_rate=10, segment_s=1, keep=2)
    for run in range(2):
        record(plan, [picture(10 * run + 0.1 * n) for n in range(30)])

    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 2
    assert all(len(frames(tmp_path / name)) == 10 for name in names)
    assert names[0] < names[1]
    assert all(name.startswith("seen-20") for name in names)


def test_an_mkv_plays_while_it_is_written(tmp_path: Path) -> None:
    """As after a power cut: the process is killed, and closes nothing."""
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from test_recording import *\n"
        "recording = Recording(RecordingPlan(Path(sys.argv[1]), frame_rate=10), CAMERA)\n"
        "grain = np.random.default_rng(0).integers(0, 99, (200, 120, 160, 3), np.uint8)\n"
        "for n in range(200): recording._write(picture(n / 10, (120, 160), grain[n]))\n"
        "os._exit(0)"
    )
    path = tmp_path / "seen.mkv"
    subprocess.run([sys.executable, "-c", code, path, Path(__file__).parent], check=True)

    assert len(frames(path)) > 100


def test_a_full_disk_costs_pictures_and_not_the_stream(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "videos"
    recording = Recording(RecordingPlan(folder / "seen.mkv", frame_rate=10), CAMERA)
    shutil.rmtree(folder)
    folder.write_text("a file where the folder was")

    recording.result(picture(0))
    recording.close()

    assert caplog.messages[0].startswith(f"video of {CAMERA}: ")
