"""`lightcam-edge stream` as it is called, with real servers at its other ends."""

import array
import fcntl
import itertools
import json
import signal
import socket
import subprocess
import sys
import termios
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import pytest
from click.testing import CliRunner
from mosquitto import Broker
from mosquitto import Listener as BrokerListener
from stream_messages import wait_until
from streaming_servers import mjpeg_server, rtsp_server
from test_pipeline import clip, picture

from lightcam_edge.cli import group
from lightcam_edge.records import KEYS

CALL = [sys.executable, "-c", "from lightcam_edge.cli import main; main()", "stream"]
PATIENCE_S = 60
QUICK = ("--absent-seconds", "0.5", "--hold-seconds", "0.2", "--appear-seconds", "0")


@pytest.fixture(autouse=True)
def _heeds_ctrl_c() -> Iterator[None]:
    """Children heed SIGINT, which a shell has its background jobs ignore, the tests among them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def call(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CALL, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE_S, **options
    )


class Running:
    """A stream in a process of its own, with all that it prints."""

    def __init__(self, folder: Path, arguments: tuple[str | Path, ...], **options: Any) -> None:
        folder.mkdir(exist_ok=True)
        self._out, self._err = folder / "stdout", folder / "stderr"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen([*CALL, *map(str, arguments)], stdout=out, stderr=err, **options)

    @property
    def told(self) -> str:
        """What it printed on stderr so far."""
        return self._err.read_text()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines that are whole so far."""
        whole = self._out.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def kinds(self) -> list[str]:
        """What became of objects: every event but updates."""
        return [line["kind"] for line in self.lines if line.get("kind") in ("new", "end")]

    def results(self) -> list[dict[str, Any]]:
        """Lines of frames."""
        return [line for line in self.lines if "boxes" in line and line["frame"] is not None]

    def wait_until(self, happened: Callable[[], object]) -> None:
        """Wait for something, as long as the process lives."""

        def check() -> object:
            assert self.process.poll() is None, self.told
            return happened()

        wait_until(check)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop. Returns its exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)


@contextmanager
def running(folder: Path, *arguments: str | Path, **options: Any) -> Iterator[Running]:
    """A stream that is killed afterwards, if it still runs."""
    stream = Running(folder, arguments, **options)
    try:
        yield stream
    finally:
        stream.process.kill()
        stream.process.wait()


def frames(path: Path) -> int:
    """How many frames of a video can be read."""
    capture = cv2.VideoCapture(str(path))
    count = sum(1 for _ in itertools.takewhile(bool, (capture.read()[0] for _ in itertools.count())))
    capture.release()
    return count


@pytest.fixture
def red_clip(tmp_path: Path) -> Path:
    """There is nothing, then a red thing, then nothing again: 2 seconds each."""
    return clip(tmp_path / "clip.avi", lambda number: 50 <= number < 100, 150)


def test_objects_of_a_file_are_printed_as_they_come_and_go(tiny_model: Path, red_clip: Path) -> None:
    done = call(red_clip, "--model", tiny_model)

    assert done.returncode == 0, done.stderr
    (new, end) = done.stdout.splitlines()
    assert new.split()[2:5] == ["camera", "new", "red"]
    assert end.split()[2:5] == ["camera", "end", "red"]
    assert done.stderr.splitlines() == ["camera: live", f"camera: ended: {red_clip} is over"]


def test_json_has_a_line_for_every_frame_with_the_keys_of_a_run(tiny_model: Path, red_clip: Path) -> None:
    done = call(red_clip, "--model", tiny_model, "--json", "--every-frame", "--quiet", "--name", "door")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    states = [line["state"] for line in lines if "state" in line]
    results = [line for line in lines if "state" not in line]
    assert states == ["starting", "live", "ended"]
    assert lines[-1].get("state") == "ended"
    assert [line["frame"] for line in results] == list(range(150))
    assert set(results[0]) == {"camera", "time", "age_ms", *KEYS}
    assert {line["camera"] for line in lines} == {"door"}
    assert {box["track"] for line in results for box in line["boxes"]} == {1}
    assert done.stderr == ""


def test_frames_and_seconds_end_it(tiny_model: Path, red_clip: Path) -> None:
    by_frames = call(red_clip, "--model", tiny_model, "--json", "--frames", "5", "--every-frame")
    by_time = call(red_clip, "--model", tiny_model, "--loop", "--seconds", "0.5")

    assert by_frames.stdout.count('"boxes": []') == 5
    assert (by_frames.returncode, by_time.returncode) == (0, 0)


def test_a_reader_that_goes_away_ends_it_quietly(tiny_model: Path, red_clip: Path) -> None:
    command = [*CALL, str(red_clip), "--model", str(tiny_model), "--json", "--quiet", "--loop"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()

        assert process.wait(PATIENCE_S) == 1
        assert process.stderr.read() == ""


def test_a_reader_that_does_not_read_keeps_no_file_from_being_closed(
    tmp_path: Path, tiny_model: Path, red_clip: Path
) -> None:
    outputs = ("--json", "--loop", "--fps", "200", "--video", str(tmp_path / "seen.mp4"))
    command = [*CALL, str(red_clip), "--model", str(tiny_model), *outputs]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        wait_until(lambda: any(tmp_path.glob(".*.seen.mp4")))
        wait_until(lambda: unread_bytes(process.stdout) > 60_000)  # a pipe takes no more
        process.terminate()

        assert process.wait(PATIENCE_S) == 0
    assert frames(tmp_path / "seen.mp4") > 0


def unread_bytes(pipe: Any) -> int:
    """How much waits in a pipe."""
    waiting = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    return waiting[0]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_closes_files_so_that_they_play(
    tmp_path: Path, tiny_model: Path, how: signal.Signals
) -> None:
    with mjpeg_server(picture=picture(), fps=25) as server:
        outputs = ("--video", tmp_path / "seen.mp4", "--log", tmp_path / "log.jsonl", "--json")
        with running(tmp_path / "out", server.url, "--model", tiny_model, *outputs) as stream:
            stream.wait_until(lambda: len(stream.results()) >= 30)

            code = stream.stop(how)

            assert code == 0
            assert stream.told.splitlines() == ["camera: live", "camera: ended: stopped"]
            assert frames(tmp_path / "seen.mp4") >= 20
            logged = (tmp_path / "log.jsonl").read_text().splitlines()
            assert [json.loads(line) for line in logged] == stream.lines


def test_a_camera_that_comes_back_soon_shows_the_same_object(tmp_path: Path, tiny_model: Path) -> None:
    with mjpeg_server(picture=picture()) as server:
        arguments = (server.url, "--model", tiny_model, "--json", "--lines", "all")
        with running(tmp_path / "out", *arguments) as stream:
            stream.wait_until(lambda: len(stream.results()) >= 20)
            server.stop()
            stream.wait_until(lambda: "camera: lost" in stream.told)
            server.start()
            stream.wait_until(lambda: stream.told.count("camera: live") == 2)
            seen = len(stream.results())
            stream.wait_until(lambda: len(stream.results()) >= seen + 20)
            stream.stop()

            assert stream.kinds() == ["new", "end"]
            errors = [line["error"] for line in stream.lines if line.get("error")]
            assert errors
            assert stream.lines[-1]["kind"] == "end"


def test_an_rtsp_server_that_dies_is_found_again_and_every_event_once(
    tmp_path: Path, tiny_model: Path
) -> None:
    red = "videotestsrc is-live=true pattern=red"
    with rtsp_server(user="viewer", password="hidden", source=red) as server:
        arguments = (server.url, "--model", tiny_model, "--json", "--lines", "all", *QUICK)
        with running(tmp_path / "out", *arguments, "--loss-seconds", "1") as stream:
            stream.wait_until(lambda: stream.kinds() == ["new"])
            server.kill()
            stream.wait_until(lambda: stream.kinds() == ["new", "end"])
            server.start()
            stream.wait_until(lambda: stream.kinds() == ["new", "end", "new"])
            stream.stop()

            assert stream.kinds() == ["new", "end", "new", "end"]
            ids = [line["id"] for line in stream.lines if line.get("kind") in ("new", "end")]
            assert ids[0] == ids[1] != ids[2] == ids[3]
            everything = stream.told + json.dumps(stream.lines)
            assert "hidden" not in everything
            assert "rtsp://***@127.0.0.1" in everything


def test_cameras_of_a_configuration_file_share_one_process(tmp_path: Path, tiny_model: Path) -> None:
    with mjpeg_server(picture=picture()) as door, mjpeg_server(picture=picture(red=False)) as yard:
        config = tmp_path / "stream.toml"
        config.write_text(
            f'model = "{tiny_model}"\njson = true\nlines = "all"\n'
            f'[cameras.door]\nsource = "{door.url}"\n'
            f'[cameras.yard]\nsource = "{yard.url}"\nthreshold = 0.7\nmethod = "cam"\n'
        )
        with running(tmp_path / "out", "--config", config, "--method", "br-avgcam") as stream:
            stream.wait_until(lambda: len(stream.results()) >= 60)
            stream.stop()
            results = stream.results()

    by_camera = {name: [line for line in results if line["camera"] == name] for name in ("door", "yard")}
    assert all(len(lines) > 20 for lines in by_camera.values())
    settings = {name: (lines[0]["threshold"], lines[0]["method"]) for name, lines in by_camera.items()}
    assert settings == {"door": (0.5, "br-avgcam"), "yard": (0.7, "br-avgcam")}
    assert by_camera["door"][-1]["label"] == "red"
    assert by_camera["yard"][-1]["label"] == "background"


def test_a_configuration_is_checked_without_opening_a_camera(tmp_path: Path, tiny_model: Path) -> None:
    config = tmp_path / "stream.toml"
    config.write_text(
        f'model = "{tiny_model}"\n[cameras.door]\nsource = "rtsp://u:${{PW}}@nowhere.invalid/"\n'
    )

    done = CliRunner().invoke(
        group, ["stream", "--config", str(config), "--check-config"], env={"PW": "hidden"}
    )

    assert done.exit_code == 0, done.output
    assert done.output == "door: rtsp://***@nowhere.invalid/  tiny, br-avgcam, threshold 0.5\n"


def test_a_configuration_that_makes_no_sense_is_told_line_by_line(tmp_path: Path, tiny_model: Path) -> None:
    config = tmp_path / "stream.toml"
    config.write_text(
        f'model = "{tiny_model}"\n'
        '[cameras.door]\nsource = "nothing.mp4"\n[cameras.yard]\nsource = "0"\nclass = "cat"\n'
    )

    done = call("--config", config, "--check-config")

    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith(f"error: {config}:3: cameras.door.source: 'nothing.mp4' is no file")
    assert second.startswith(f"error: {config}:5: cameras.yard.source: the model has no class 'cat'")


def test_who_listens_and_the_model_are_checked_with_the_cameras_and_told_by_line(tmp_path: Path) -> None:
    config = tmp_path / "stream.toml"
    config.write_text(
        'webhook = "ftp:receiver"\nserve = "0.0.0.0:80"\nmodel = "none.tflite"\n'
        'video = "seen.avi"\n[cameras.door]\nsource = "0"\nloop = true\n'
    )

    checked = call("--config", config, "--check-config")
    run = call("--config", config)
    overruled = call("--config", config, "--check-config", "--model", "tiny", "--video", "seen.gif")

    places = [line.split(": ")[1:3] for line in checked.stderr.splitlines()]
    assert [key for _, key in places] == ["serve", "webhook", "video", "model", "cameras.door.source"]
    assert [place.rpartition(":")[2] for place, _ in places] == ["2", "1", "4", "3", "6"]
    assert run.stderr.startswith(f"error: {config}:2: serve: the page on 0.0.0.0 would be open")
    assert "error: --video seen.gif ends in neither" in overruled.stderr
    assert ": model: " not in overruled.stderr
    assert "only one camera can" in call("-", "-", "--check-config").stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "there is no camera: name one"),
        (["0", "1", "--name", "door"], "1 times --name for 2 cameras"),
        (["0", "1", "--name", "door", "--name", "door"], "two cameras are called door"),
        (["0", "--name", "the door"], "a camera cannot be called 'the door'"),
        (["rtsp://u:${UNSET_VARIABLE}@host/"], "the variable UNSET_VARIABLE is not set"),
        (["0", "--video", "seen.avi"], "--video seen.avi ends in neither .mp4 nor .mkv"),
        (["0", "--serve", "0.0.0.0:8080"], "would be open to the network"),
        (["0", "--mqtt", "http://broker"], "must begin with mqtt:// or mqtts://"),
        (["0", "--hold-seconds", "9"], "hold_seconds 9.0 is above absent_seconds 1.5"),
        (["0", "--loop"], "cannot begin again"),
        (["-", "-"], "camera-1 and camera-2 read stdin: only one camera can"),
    ],
)
def test_wishes_that_make_no_sense_are_refused_before_anything_is_opened(
    arguments: list[str], expected: str
) -> None:
    done = call(*arguments)

    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_source_that_fails_is_an_exit_code_of_1(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video")

    done = call(tmp_path / "clip.mp4", "--model", tiny_model)

    assert done.returncode == 1
    assert "camera: ended: " in done.stderr


def test_the_page_and_the_broker_see_what_the_camera_sees(tmp_path: Path, tiny_model: Path) -> None:
    broker = Broker(tmp_path)
    broker.start()
    hears = BrokerListener(broker.port)
    with mjpeg_server(picture=picture()) as server:
        arguments = (server.url, "--model", tiny_model, "--serve", "0", "--name", "door")
        told = ("--mqtt", broker.url, "--mqtt-prefix", "board", "--queue", tmp_path / "queue")
        with running(tmp_path / "out", *arguments, *told) as stream:
            stream.wait_until(lambda: "live page: " in stream.told and "door: live" in stream.told)
            page = stream.told.partition("live page: ")[2].split()[0]
            stream.wait_until(lambda: hears.records("board/door/events"))
            with urllib.request.urlopen(f"{page}api/latest", timeout=PATIENCE_S) as answer:
                latest = json.load(answer)
            stream.stop()
    wait_until(lambda: hears.last("board/availability") == "offline")
    hears.close()
    broker.stop()

    assert "red" in json.dumps(latest)
    assert [one["kind"] for one in hears.records("board/door/events")] == ["new", "end"]


def test_a_service_manager_is_told_and_its_watchdog_fed(tmp_path: Path, tiny_model: Path) -> None:
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        mjpeg_server(picture=picture()) as server,
    ):
        manager.settimeout(PATIENCE_S)
        manager.bind(str(tmp_path / "notify"))
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        arguments = (server.url, "--model", tiny_model)
        with running(tmp_path / "out", *arguments, env={**environment, "PATH": ""}) as stream:
            heard = [manager.recv(4096).decode() for _ in range(12)]
            stream.stop()
            while heard[-1] != "STOPPING=1":
                heard.append(manager.recv(4096).decode())

    assert heard[0] == "READY=1"
    assert heard.count("WATCHDOG=1") >= 5
    assert any(one.startswith("STATUS=camera ") for one in heard)


def test_the_cameras_of_this_machine_are_listed() -> None:
    done = CliRunner().invoke(group, ["stream", "--list"])

    assert done.exit_code == 0
    assert "camera" in done.output or "/dev/video" in done.output


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import atexit, sys; from lightcam_edge.cli import main\n"
        "atexit.register(lambda: print({'numpy', 'cv2', 'PIL', 'tornado', 'paho'} & set(sys.modules)))\n"
        "sys.argv[1:] = ['stream', '--help']; main()"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.endswith("set()\n")
