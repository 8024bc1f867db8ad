import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streaming_capture import IMPATIENT, running
from streaming_servers import jpeg, moving_square

from lightcam_edge.streaming.sources.grammar import CaptureOptions, PixelFormat
from lightcam_edge.streaming.sources.patience import Patience
from lightcam_edge.streaming.sources.pipe_camera import RAW, RawCamera, frame_bytes

EVERY = CaptureOptions(every_frame=True)


@pytest.fixture
def pipe() -> Iterator[int]:
    """The writing end of a pipe whose other end is stdin."""
    saved = os.dup(0)
    read_end, write_end = os.pipe()
    os.dup2(read_end, 0)
    os.close(read_end)
    yield write_end
    os.dup2(saved, 0)
    os.close(saved)


@contextlib.contextmanager
def ffmpeg(*arguments: str, out: int) -> Iterator[None]:
    """Make 25 frames, (120, 160), red with a blue quarter at the top left."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg: apt install ffmpeg")
    picture = "color=c=#c83214:size=160x120:rate=25:duration=1,drawbox=w=80:h=60:color=#1432c8:t=fill"
    source = ("-f", "lavfi", "-i", picture)
    command = ["ffmpeg", "-v", "error", "-nostdin", *source, *arguments, "-"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out) as process:
        os.close(out)
        try:
            yield
        finally:
            process.kill()


def test_mjpeg_of_ffmpeg_comes_whole_and_ends(pipe: int) -> None:
    with ffmpeg("-f", "mjpeg", out=pipe), running("-", EVERY) as capture:
        frames = capture.take_all()

    assert [frame.index for frame in frames] == list(range(25))
    assert frames[0].photo.image_hw == (120, 160)
    assert capture.thread.counts().corrupt == 0
    assert (capture.thread.failed, capture.told[-1].reason) == (False, "stdin is over")


def test_a_rate_leaves_no_picture_out_where_every_one_is_wanted(pipe: int) -> None:
    rated = CaptureOptions(every_frame=True, fps=1)
    with ffmpeg("-f", "mjpeg", out=pipe), running("-", rated) as capture:
        assert len(capture.take_all()) == 25


@pytest.mark.parametrize("pixel_format", list(RAW))
def test_raw_frames_of_ffmpeg_look_alike_in_every_pixel_format(pipe: int, pixel_format: PixelFormat) -> None:
    options = CaptureOptions(width=160, height=120, pixel_format=pixel_format, every_frame=True)
    raw = ("-f", "rawvideo", "-pix_fmt", pixel_format)
    with ffmpeg(*raw, out=pipe), running("-", options) as capture:
        frames = capture.take_all()

    assert len(frames) == 25
    pixels = frames[0].photo.pixels
    assert pixels.shape == (120, 160, 3)
    corners = [pixels[10, 10].tolist(), pixels[110, 150].tolist()]
    expected = [[20, 50, 200], [200, 50, 20]] if pixel_format != "gray" else [[58] * 3, [91] * 3]
    assert corners == [pytest.approx(corner, abs=8) for corner in expected]


def test_a_part_of_a_raw_frame_at_the_end_is_dropped(pipe: int) -> None:
    options = CaptureOptions(width=16, height=16, pixel_format="gray", every_frame=True)
    os.write(pipe, bytes(16 * 16 * 2 + 100))
    os.close(pipe)
    with running("-", options) as capture:
        assert len(capture.take_all()) == 2


def test_frame_sizes_are_those_of_the_format() -> None:
    assert [frame_bytes(name, (120, 160)) for name in ("rgb24", "gray", "yuyv422", "yuv420p", "nv12")] == [
        57600,
        19200,
        38400,
        28800,
        28800,
    ]


def test_raw_frames_without_a_size_are_a_misuse() -> None:
    with pytest.raises(ValueError, match="need pixel_format, width and height"):
        RawCamera(CaptureOptions(pixel_format="gray"))


def test_a_pipe_that_pauses_is_waited_for_and_goes_on(pipe: int) -> None:
    with running("-", patience=IMPATIENT) as capture:
        os.write(pipe, jpeg(moving_square(0)))
        capture.wait_for("live")
        half = jpeg(moving_square(1))
        os.write(pipe, half[:700])
        capture.wait_for("lost")
        told = len(capture.told)
        os.write(pipe, half[700:])
        capture.wait_for("live", after=told)
        os.close(pipe)
        frames = capture.take_all()

    assert frames[-1].index == 1
    assert capture.thread.counts().reconnections == 0


def test_stopping_does_not_wait_for_a_pipe(pipe: int) -> None:
    with running("-", patience=Patience()) as capture:
        os.write(pipe, jpeg(moving_square(0)))
        capture.take()
        began = time.monotonic()
        assert capture.thread.stop()
        assert time.monotonic() - began < 1
    os.close(pipe)


def test_a_closed_stdin_ends_and_says_so(tmp_path: Path) -> None:
    program = (
        "import os; os.close(0)\n"
        "from streaming_capture import running\n"
        "with running('-') as capture:\n"
        "    print(capture.wait_for('ended').reason, capture.thread.failed)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )

    assert ended.stdout == "cannot read stdin: Bad file descriptor True\n"
