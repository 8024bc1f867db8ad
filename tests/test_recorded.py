import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streaming_capture import running

from lightcam_edge.streaming.sources.grammar import CaptureOptions
from lightcam_edge.video import VideoFile

EVERY = CaptureOptions(every_frame=True)


def write_video(path: Path, frames: int, rate: float = 50.0) -> Path:
    video = VideoFile(path, rate, (32, 64))
    for index in range(frames):
        video.write(np.full((32, 64, 3), 10 * index % 250, np.uint8))
    video.close()
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index, size in enumerate([(60, 40), (40, 60), (50, 50)]):
        Image.new("RGB", size, (80 * index, 0, 0)).save(tmp_path / f"{index}.png")
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def test_every_frame_of_a_video_gets_its_turn_where_that_is_wished_for(tmp_path: Path) -> None:
    with running(str(write_video(tmp_path / "clip.mp4", 25)), EVERY) as capture:
        frames = capture.take_all()
        capture.wait_for("ended")

    assert [frame.index for frame in frames] == list(range(25))
    assert capture.frames.skipped("door") == 0
    assert capture.told[-1].reason.endswith("clip.mp4 is over")
    assert not capture.thread.failed


def test_a_video_plays_at_its_own_rate_and_a_slow_consumer_skips(tmp_path: Path) -> None:
    began = time.monotonic()
    with running(str(write_video(tmp_path / "clip.mp4", 26))) as capture:
        first = capture.take()
        capture.wait_for("ended")
        rest = capture.take_all()

    assert time.monotonic() - began > 0.5 * 0.9
    assert first.index + 1 + capture.frames.skipped("door") + len(rest) == 26
    assert [frame.index for frame in rest] == [25]


def test_a_video_can_play_at_another_rate(tmp_path: Path) -> None:
    began = time.monotonic()
    with running(str(write_video(tmp_path / "clip.mp4", 6)), CaptureOptions(fps=10)) as capture:
        capture.take_all()

    assert time.monotonic() - began > 0.5 * 0.9


def test_a_video_that_loops_goes_on_counting(tmp_path: Path) -> None:
    looping = CaptureOptions(every_frame=True, loop=True)
    with running(str(write_video(tmp_path / "clip.mp4", 5)), looping) as capture:
        frames = [capture.take() for _ in range(12)]

    assert [frame.index for frame in frames] == list(range(12))
    assert frames[0].photo.pixels[0, 0, 0] == frames[10].photo.pixels[0, 0, 0]


def test_a_file_that_is_no_video_ends_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with running(str(tmp_path / "text.mp4")) as capture:
        ended = capture.wait_for("ended")

    assert capture.thread.failed
    assert "text.mp4 is no video that can be read" in ended.reason


def test_the_images_of_a_folder_are_played_in_order(folder: Path) -> None:
    with running(str(folder), EVERY) as capture:
        frames = capture.take_all()

    assert [frame.photo.image_hw for frame in frames] == [(40, 60), (60, 40), (50, 50)]
    assert [frame.photo.pixels[0, 0, 0] for frame in frames] == [0, 80, 160]


def test_an_image_that_is_damaged_is_skipped_and_counted(folder: Path) -> None:
    (folder / "1.png").write_bytes(b"damaged")
    with running(str(folder), EVERY) as capture:
        frames = capture.take_all()

    assert [frame.index for frame in frames] == [0, 1]
    assert capture.thread.counts().corrupt == 1


def test_a_folder_loops_and_sees_new_images(folder: Path) -> None:
    looping = CaptureOptions(fps=100, loop=True, every_frame=True)
    with running(str(folder), looping) as capture:
        capture.take()
        Image.new("RGB", (80, 20)).save(folder / "3.png")
        while capture.take().photo.image_hw != (20, 80):
            pass


def test_a_folder_plays_at_the_wished_rate(folder: Path) -> None:
    began = time.monotonic()
    with running(str(folder), CaptureOptions(fps=10)) as capture:
        capture.take_all()

    assert time.monotonic() - began > 0.2 * 0.9


def test_an_empty_folder_ends_and_says_so(tmp_path: Path) -> None:
    with running(str(tmp_path)) as capture:
        ended = capture.wait_for("ended")

    assert capture.thread.failed
    assert "holds no image: give a folder that does" in ended.reason


def test_stopping_does_not_wait_for_the_next_picture_or_for_a_consumer(folder: Path) -> None:
    for options in (CaptureOptions(fps=0.01), EVERY):
        with running(str(folder), options) as capture:
            capture.wait(lambda capture=capture: capture.thread.counts().captured > 0)
            began = time.monotonic()
            assert capture.thread.stop()
            assert time.monotonic() - began < 1
