import contextlib
import itertools
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from streaming_capture import RunningCapture, by_picamera2, running
from streaming_servers import MjpegServer, free_port, jpeg, mjpeg_server, moving_square

from lightcam_edge.errors import UsageError
from lightcam_edge.streaming.sources.grammar import CaptureOptions, SourceSpec
from lightcam_edge.streaming.sources.patience import Patience
from lightcam_edge.streaming.sources.reading import CaptureError

SECRET = "geheim"


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    with mjpeg_server() as server:
        yield server


class SilentServer:
    """Accepts connections, and never says a word."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(30)
        self._connections: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"

    def accept(self) -> None:
        """Wait until someone has connected."""
        self._connections.append(self._listening.accept()[0])

    def close(self) -> None:
        for connection in (*self._connections, self._listening):
            connection.close()


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    server.close()


def test_pictures_of_a_camera_come_with_what_belongs_to_them(server: MjpegServer) -> None:
    with running(server.url) as capture:
        frames = [capture.take() for _ in range(5)]
        capture.wait_for("live")

    assert [frame.camera for frame in frames] == ["door"] * 5
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})
    assert [frame.photo.image_hw for frame in frames] == [(120, 160)] * 5
    assert all(frame.decode_ms > 0 for frame in frames)
    assert all(abs(frame.captured_at - time.time()) < 60 for frame in frames)
    assert all(a.captured_ns < b.captured_ns for a, b in itertools.pairwise(frames))
    assert capture.states == ["starting", "live", "ended"]
    assert capture.told[1].reason == ""


def test_only_the_newest_frame_waits(server: MjpegServer) -> None:
    with running(server.url) as capture:
        capture.wait(lambda: capture.thread.counts().captured >= 20)
        frame = capture.take()

        assert frame.index >= 19
        assert capture.frames.skipped("door") >= 19
        assert capture.thread.counts().fps > 5


def test_a_server_that_is_gone_is_connected_to_again(server: MjpegServer) -> None:
    with running(server.url) as capture:
        before = capture.take().index
        server.stop()
        lost = capture.wait_for("lost")
        capture.wait(lambda: "refused" in capture.reasons())
        told = len(capture.told)
        server.start()
        capture.wait_for("live", after=told)

        while capture.take().index <= before:
            pass
        assert "http://127.0.0.1" in lost.reason
        assert capture.thread.counts().reconnections == 1
    indices = [capture.states[0], *capture.states[-2:]]
    assert indices == ["starting", "live", "ended"]


def test_a_server_that_is_not_there_yet_is_waited_for(server: MjpegServer) -> None:
    server.stop()
    with running(server.url) as capture:
        capture.wait_for("lost")
        server.start()

        assert capture.take().index == 0
        assert capture.thread.counts().reconnections == 0


def test_a_stall_is_a_loss(server: MjpegServer) -> None:
    with running(server.url) as capture:
        capture.wait_for("live")
        server.stalled = True
        lost = capture.wait_for("lost")
        told = len(capture.told)
        server.stalled = False
        capture.wait_for("live", after=told)

    assert "does not answer in time" in lost.reason or "no picture for" in lost.reason


def test_a_camera_that_sends_but_never_a_whole_picture_is_a_stall(server: MjpegServer) -> None:
    with running(server.url) as capture:
        capture.wait_for("live")
        server.picture = lambda index: jpeg(moving_square(index))[:-100]
        lost = capture.wait_for("lost")

    assert "gave no picture for" in lost.reason
    assert "were damaged" in lost.reason


def test_damaged_pictures_are_skipped_and_counted(server: MjpegServer) -> None:
    with running(server.url) as capture:
        capture.take()
        server.chunks_before = [jpeg(moving_square(0))[:500], b"\xff\xd8\xff\xda\x00\x02abc\xff\xd9"]
        capture.wait(lambda: capture.thread.counts().corrupt == 2)
        after = capture.thread.counts().captured
        capture.wait(lambda: capture.thread.counts().captured > after)

        assert "lost" not in capture.states


def test_a_picture_that_does_not_change_is_told_and_its_frames_go_on(server: MjpegServer) -> None:
    patience = Patience(stall_timeout=10, frozen_after=0.3)
    with running(server.url, patience=patience) as capture:
        capture.wait_for("live")
        server.picture = lambda _: jpeg(moving_square(0))
        frozen = capture.wait_for("frozen")
        captured = capture.thread.counts().captured
        capture.wait(lambda: capture.thread.counts().captured > captured)
        server.picture = lambda index: jpeg(moving_square(index))
        capture.wait_for("live", after=capture.states.index("frozen"))

    assert frozen.reason == "its picture has not changed for 0.3 seconds"


def test_another_resolution_goes_on(server: MjpegServer) -> None:
    with running(server.url) as capture:
        capture.take()
        server.picture = lambda index: jpeg(moving_square(index, (96, 200)))
        while capture.take().photo.image_hw != (96, 200):
            pass

        assert "lost" not in capture.states


@pytest.mark.parametrize("digest", [False, True])
def test_a_login_is_used_and_never_told(
    server: MjpegServer, capfd: pytest.CaptureFixture[str], digest: bool
) -> None:
    server.login, server.digest = ("admin", f"{SECRET}@/"), digest
    right = server.url.replace("//", f"//admin:{SECRET}%40%2F@")
    with running(right) as capture:
        capture.take()
        server.stop()
        capture.wait_for("lost")

    said = capfd.readouterr()
    assert SECRET not in capture.reasons() + said.out + said.err
    assert SECRET not in repr(capture.thread.spec)


@pytest.mark.parametrize(
    ("login", "told"),
    [("admin:wrong" + SECRET + "@", "401 (unauthorized): check user name and password"), ("", "401")],
)
def test_a_wrong_login_says_so(server: MjpegServer, login: str, told: str) -> None:
    server.login = ("admin", SECRET)
    with running(server.url.replace("//", f"//{login}")) as capture:
        lost = capture.wait_for("lost")

    assert told in lost.reason
    assert SECRET not in capture.reasons()


def test_an_answer_that_is_no_mjpeg_says_so(server: MjpegServer) -> None:
    server.content_type = "text/html"
    with running(server.url) as capture:
        assert "answers with text/html, not MJPEG: check the path" in capture.wait_for("lost").reason


def test_a_camera_that_gives_one_picture_is_told_apart_from_a_stream(server: MjpegServer) -> None:
    server.content_type, server.one_picture = "image/jpeg", True
    with running(server.url) as capture:
        assert capture.take().photo.image_hw == (120, 160)
        lost = capture.wait_for("lost")

    assert lost.reason.endswith("gives one picture, not a stream: give the camera's address for MJPEG")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1, with its key, that nobody vouches for."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl: apt install openssl")
    both = tmp_path / "camera.pem"
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=camera")
    named = (
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(both),
        "-out",
        str(tmp_path / "certificate"),
    )
    subprocess.run([*made, *named], check=True, capture_output=True)
    both.write_text(both.read_text() + (tmp_path / "certificate").read_text())
    return both


def test_a_camera_with_a_certificate_of_its_own_is_read_once_it_is_trusted(
    server: MjpegServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.encrypt(certificate)
    with running(server.url) as capture:
        assert "its certificate is not trusted (self" in capture.wait_for("lost").reason
        assert capture.told[-1].reason.endswith("set SSL_CERT_FILE to it")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with running(server.url) as capture:
        assert capture.take().photo.image_hw == (120, 160)


@contextlib.contextmanager
def ffmpeg_server(port: int) -> Iterator[None]:
    """FFmpeg serving MJPEG to one who asks."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg: apt install ffmpeg")
    picture = ("-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25")
    server = ("-f", "mpjpeg", "-listen", "1", f"http://127.0.0.1:{port}/live.mjpg")
    command = ["ffmpeg", "-v", "error", "-nostdin", *picture, *server]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def test_ffmpeg_as_a_camera_is_read_and_found_again() -> None:
    port = free_port()
    with running(f"http://127.0.0.1:{port}/live.mjpg") as capture:
        with ffmpeg_server(port):
            assert capture.take().photo.image_hw == (120, 160)
        capture.wait(lambda: capture.states[-1] == "lost")
        before = capture.thread.counts().captured
        with ffmpeg_server(port):
            capture.wait(lambda: capture.thread.counts().captured > before + 5)

        assert capture.thread.counts().corrupt <= 1
        assert capture.thread.counts().reconnections == 1


def test_pictures_are_turned_and_mirrored(server: MjpegServer) -> None:
    pixels = np.zeros((80, 160, 3), np.uint8)
    pixels[:40, :80] = (250, 0, 0)  # red at the top left
    server.picture = lambda _: jpeg(pixels, quality=95)
    with running(server.url, CaptureOptions(rotate=90, flip="vertical")) as capture:
        frame = capture.take()

    # Turned clockwise, red is at the top right; mirrored upside down, at the bottom right.
    assert frame.photo.image_hw == (160, 80)
    assert frame.photo.pixels[120, 60].tolist() == pytest.approx([250, 0, 0], abs=8)
    assert frame.photo.pixels[40, 60].tolist() == pytest.approx([0, 0, 0], abs=8)


def test_fewer_pictures_than_a_camera_sends_can_be_wished_for(server: MjpegServer) -> None:
    server.fps = 100
    with running(server.url, CaptureOptions(fps=5)) as capture:
        capture.wait_for("live")
        start, captured = server.sent, capture.thread.counts().captured
        capture.wait(lambda: server.sent - start > 100)

        assert 2 <= capture.thread.counts().captured - captured <= 15


def test_a_rate_below_the_stall_timeout_is_no_stall(server: MjpegServer) -> None:
    with running(server.url, CaptureOptions(fps=0.3)) as capture:
        capture.wait(lambda: capture.thread.counts().captured == 2)

        assert "lost" not in capture.states


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_stopping_takes_less_than_a_second_while_a_server_says_nothing(
    silent: SilentServer, scheme: str
) -> None:
    capture = RunningCapture(
        f"{scheme}://admin:{SECRET}@{silent.address}/",
        patience=Patience(stall_timeout=5, open_timeout=5),
    )
    capture.thread.start()
    silent.accept()  # now it waits for an answer

    began = time.monotonic()
    capture.thread.stop()

    assert time.monotonic() - began < 1
    assert capture.states == ["starting", "ended"]
    assert capture.frames.exhausted


def test_stopping_before_the_start_and_twice_does_no_harm(server: MjpegServer) -> None:
    capture = RunningCapture(server.url)
    capture.thread.stop()
    capture.thread.start()
    capture.wait_for("ended")
    capture.thread.stop()

    assert capture.thread.stop()
    assert not capture.thread.failed


class StuckCamera:
    """Stands in for a driver whose read never returns until the device is pulled out."""

    def __init__(self) -> None:
        self.pulled_out = threading.Event()

    def open(self) -> None:
        pass

    def read(self, _: object) -> None:
        self.pulled_out.wait()
        raise CaptureError("pulled out")

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_driver_that_never_returns_is_left_behind_and_not_asked_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[StuckCamera] = []

    def make_camera(*_: object) -> StuckCamera:
        made.append(StuckCamera())
        return made[-1]

    monkeypatch.setattr("lightcam_edge.streaming.sources.capture.make_camera", make_camera)
    monkeypatch.setattr("lightcam_edge.streaming.sources.capture.GRACE", 0.0)
    patience = Patience(stall_timeout=0.1, open_timeout=0.1, first_retry=0.01, longest_retry=0.02)
    with running("0", patience=patience) as capture:
        capture.wait(lambda: len(made) == 2)
        lost = capture.wait_for("lost")
        time.sleep(1)
        assert len(made) == 2
        made[0].pulled_out.set()
        capture.wait(lambda: len(made) == 3)

        began = time.monotonic()
        assert not capture.thread.stop()
        assert time.monotonic() - began < 1
    for camera in made:
        camera.pulled_out.set()

    assert lost.reason == "v4l2:///dev/video0 gave no picture for 0 seconds"


def test_the_threads_of_a_capture_end_with_it(server: MjpegServer) -> None:
    with running(server.url) as capture:
        capture.take()
    capture.wait(lambda: not [thread for thread in threading.enumerate() if "door" in thread.name])


def test_options_that_do_not_fit_are_refused_at_once() -> None:
    with pytest.raises(UsageError, match="loop is for video files"):
        RunningCapture("http://127.0.0.1/", CaptureOptions(loop=True))


@pytest.mark.parametrize(
    ("name", "value"), [("stall_timeout", 0), ("first_retry", -1), ("frozen_after", float("nan"))]
)
def test_a_wait_that_makes_no_sense_is_refused(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"{name} is {value}"):
        Patience(**{name: value})


@by_picamera2
def test_a_missing_package_ends_a_camera_instead_of_being_waited_for() -> None:
    with running("csi://0") as capture:
        ended = capture.wait_for("ended")

    assert capture.thread.failed
    assert "sudo apt install python3-picamera2" in ended.reason
    assert capture.thread.spec == SourceSpec("csi", "0")
