from pathlib import Path

import numpy as np
import pytest

from lightcam_edge.errors import InputError, LightcamError
from lightcam_edge.video import VideoFile, read_video

SHADES = (20, 90, 160, 230)


def write(path: Path, rate: float = 10.0) -> None:
    video = VideoFile(path, rate, (32, 64))
    for shade in SHADES:
        video.write(np.full((32, 64, 3), (shade, 0, 0), np.uint8))
    video.close()


def test_frames_come_back_in_order_and_in_rgb(tmp_path: Path) -> None:
    write(tmp_path / "clip.mp4")

    photos, rates = zip(*read_video(tmp_path / "clip.mp4"), strict=True)

    assert [photo.image_hw for photo in photos] == [(32, 64)] * 4
    assert [photo.pixels[16, 32].tolist() for photo in photos] == [
        pytest.approx([shade, 0, 0], abs=20) for shade in SHADES
    ]
    assert set(rates) == {10.0}


def test_a_video_appears_when_it_is_closed(tmp_path: Path) -> None:
    video = VideoFile(tmp_path / "clip.mp4", 25, (32, 64))
    video.write(np.zeros((32, 64, 3), np.uint8))
    assert not (tmp_path / "clip.mp4").exists()

    video.close()

    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_video_that_is_not_whole_leaves_nothing(tmp_path: Path) -> None:
    video = VideoFile(tmp_path / "clip.mp4", 25, (32, 64))
    video.write(np.zeros((32, 64, 3), np.uint8))

    video.close(whole=False)

    assert list(tmp_path.iterdir()) == []


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")

    with pytest.raises(InputError, match=r"text.mp4 is no video that can be read"):
        next(read_video(tmp_path / "text.mp4"))
    with pytest.raises(InputError, match=r"cannot read .*missing.mp4: no such file"):
        next(read_video(tmp_path / "missing.mp4"))


def test_a_video_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(LightcamError, match=r"cannot write .*nowhere/clip.mp4"):
        VideoFile(tmp_path / "nowhere" / "clip.mp4", 25, (32, 64))
