import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from painted import paint
from stream_messages import wait_until
from streaming_servers import jpeg, mjpeg_server

from lightcam_edge.box import Box
from lightcam_edge.errors import ModelFileError, UsageError
from lightcam_edge.localizer import Localizer, Options
from lightcam_edge.model_file import read_model
from lightcam_edge.streaming.messages import CameraStatus, Event, StreamResult
from lightcam_edge.streaming.pipeline import Pipeline
from lightcam_edge.streaming.ports import Controls
from lightcam_edge.streaming.sources.grammar import CaptureOptions, parse_source
from lightcam_edge.streaming.sources.patience import Patience
from lightcam_edge.streaming.steadiness import Steadiness
from lightcam_edge.streaming.steering import Steering
from lightcam_edge.streaming.watched import CameraPlan

RED = ("red", Box(36, 16, 72, 40))
QUICK = Patience(stall_timeout=1.0, open_timeout=2.0, first_retry=0.1, longest_retry=0.3)
FAST = Steadiness(appear_seconds=0.0, absent_seconds=0.5, hold_seconds=0.2)


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.results: list[StreamResult] = []
        self.events: list[Event] = []
        self.states: list[CameraStatus] = []
        self.closed = 0

    def result(self, result: StreamResult) -> None:
        self.results.append(result)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def status(self, status: CameraStatus) -> None:
        self.states.append(status)

    def close(self) -> None:
        self.closed += 1


def clip(path: Path, red: Callable[[int], bool], count: int, fps: float = 25) -> Path:
    """A video in which there is a red thing now and then."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (144, 64))
    for number in range(count):
        writer.write(paint((64, 144), *([RED] if red(number) else []))[..., ::-1])
    writer.release()
    return path


def picture(red: bool = True) -> Callable[[int], bytes]:
    """JPEG of an index, with or without the red thing, each a bit unlike the one before."""

    def make(index: int) -> bytes:
        pixels = paint((64, 144), *([RED] if red else []))
        pixels[60:, index % 140 : index % 140 + 4] = 150
        return jpeg(pixels, 95)

    return make


def plan(source: str | Path, name: str = "door", **capture: object) -> CameraPlan:
    options = CaptureOptions(**capture)  # type: ignore[arg-type]
    return CameraPlan(name, parse_source(str(source)), options, steadiness=FAST, patience=QUICK)


@pytest.fixture(scope="module")
def localizer(tiny_model: Path) -> Localizer:
    return Localizer(tiny_model, threads=1)


def run(pipeline: Pipeline, *sinks: Listener) -> None:
    pipeline.start(sinks)
    assert pipeline.wait(60)
    assert pipeline.stop()


def test_every_frame_of_a_file_becomes_a_result_in_order(tmp_path: Path, localizer: Localizer) -> None:
    source, listener = clip(tmp_path / "clip.avi", lambda _: True, 20), Listener()
    pipeline = Pipeline([plan(source, every_frame=True)], localizer)

    run(pipeline, listener)

    assert [one.frame.index for one in listener.results] == list(range(20))
    assert {one.found.label for one in listener.results[1:]} == {"red"}
    assert [one.state for one in listener.states] == ["starting", "live", "ended"]
    assert listener.closed == 1
    figures = pipeline.figures("door")
    assert (figures.captured, figures.processed, figures.skipped) == (20, 20, 0)
    assert figures.latency_ms["inference"] > 0
    assert figures.source == str(source)


def test_an_object_is_told_of_when_it_comes_and_when_it_goes(tmp_path: Path, localizer: Localizer) -> None:
    source = clip(tmp_path / "clip.avi", lambda number: number < 10 or 40 <= number < 50, 60)
    listener = Listener()

    run(Pipeline([plan(source)], localizer, snapshots=True), listener)

    assert [one.kind for one in listener.events if one.kind != "update"] == ["new", "end"] * 2
    assert len({one.id for one in listener.events}) == 2
    first = cv2.imdecode(np.frombuffer(listener.events[0].snapshot, np.uint8), cv2.IMREAD_COLOR)
    assert first.shape == (64, 144, 3)


def test_a_stream_that_ends_lets_its_objects_go(tmp_path: Path, localizer: Localizer) -> None:
    listener = Listener()

    run(Pipeline([plan(clip(tmp_path / "clip.avi", lambda _: True, 10))], localizer), listener)

    assert [one.kind for one in listener.events] == ["new", "end"]


def test_it_stops_after_so_many_results(tmp_path: Path, localizer: Localizer) -> None:
    source, listener = clip(tmp_path / "clip.avi", lambda _: True, 20), Listener()

    run(Pipeline([plan(source, every_frame=True, loop=True)], localizer, max_frames=30), listener)

    assert len(listener.results) == 30


def test_two_cameras_share_one_network_and_take_turns(localizer: Localizer) -> None:
    """Both give more than can be looked at; each gets half of it, within a tenth."""
    listener = Listener()
    with mjpeg_server(picture=picture(), fps=200) as one, mjpeg_server(picture=picture(), fps=200) as other:
        pipeline = Pipeline([plan(one.url, "door"), plan(other.url, "yard")], localizer)
        pipeline.watched["door"].localizer.interpreter = Slow(localizer)
        pipeline.watched["yard"].localizer.interpreter = Slow(localizer)
        pipeline.start([listener])
        wait_until(lambda: len(listener.results) >= 120)
        assert pipeline.stop()

    both = [one.frame.camera for one in listener.results[20:120]]
    assert 45 <= both.count("door") <= 55


class Slow:
    """A network that takes a while, as one on a small board does."""

    def __init__(self, localizer: Localizer) -> None:
        self._network = localizer.interpreter
        self.input_hw = self._network.input_hw
        self.gap_weights = self._network.gap_weights
        self.gap_bias = self._network.gap_bias

    def invoke(self, image: np.ndarray) -> object:
        time.sleep(0.02)
        return self._network.invoke(image)


def test_a_network_that_cannot_keep_up_sees_new_pictures_and_not_a_queue(localizer: Localizer) -> None:
    listener = Listener()
    with mjpeg_server(picture=picture(), fps=200) as server:
        pipeline = Pipeline([plan(server.url)], localizer)
        pipeline.watched["door"].localizer.interpreter = Slow(localizer)  # type: ignore[assignment]
        pipeline.start([listener])
        wait_until(lambda: len(listener.results) >= 40)
        figures = pipeline.figures("door")
        pipeline.stop()

    assert figures.skipped > 40
    assert figures.captured >= figures.processed + figures.skipped
    # With a queue, the last ones would be seconds old by now.
    assert sorted(one.age_ms for one in listener.results[-20:])[10] < 200


def test_a_listener_that_does_not_come_back_holds_up_neither_the_stream_nor_its_end(
    localizer: Localizer,
) -> None:
    go = threading.Event()

    class Stuck(Listener):
        def result(self, result: StreamResult) -> None:
            go.wait(30)

    with mjpeg_server(picture=picture()) as server:
        pipeline = Pipeline([plan(server.url)], localizer)
        pipeline.start([Stuck()])
        wait_until(lambda: pipeline.figures("door").processed >= 30)

        began = time.monotonic()
        ended = pipeline.stop()

    assert not ended
    assert time.monotonic() - began < 5
    go.set()


def test_a_listener_that_fails_ends_the_stream_with_its_error(localizer: Localizer) -> None:
    class Broken(Listener):
        def result(self, result: StreamResult) -> None:
            raise KeyError("a bug")

    with mjpeg_server(picture=picture()) as server:
        pipeline = Pipeline([plan(server.url)], localizer)
        pipeline.start([Broken()])
        assert pipeline.wait(30)
        with pytest.raises(KeyError, match="a bug"):
            pipeline.stop()


def test_a_source_that_cannot_be_read_ends_and_is_told(tmp_path: Path, localizer: Localizer) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    pipeline = Pipeline([plan(tmp_path / "clip.mp4")], localizer)

    run(pipeline, Listener())

    assert len(pipeline.failed_cameras) == 1
    assert pipeline.failed_cameras[0].startswith("door: ")


def test_a_camera_that_is_lost_is_found_again_and_its_frames_go_on_counting(localizer: Localizer) -> None:
    listener = Listener()
    with mjpeg_server(picture=picture()) as server:
        pipeline = Pipeline([plan(server.url)], localizer)
        pipeline.start([listener])
        wait_until(lambda: len(listener.results) >= 10)
        server.stop()
        wait_until(lambda: pipeline.figures("door").status.state == "lost")
        before = len(listener.results)
        server.start()
        wait_until(lambda: len(listener.results) >= before + 10)
        figures = pipeline.figures("door")
        assert pipeline.stop()

    indices = [one.frame.index for one in listener.results]
    assert indices == sorted(set(indices))
    assert figures.reconnections == 1
    assert [one.state for one in listener.states[:4]] == ["starting", "live", "lost", "live"]


def test_settings_change_from_the_next_frame_on(localizer: Localizer) -> None:
    listener = Listener()
    with mjpeg_server(picture=picture()) as server:
        pipeline = Pipeline([plan(server.url)], localizer)
        controls: Controls = Steering(pipeline)
        pipeline.start([listener])
        wait_until(lambda: listener.results)
        controls.adjust("door", threshold=0.9, method="cam")
        seen = len(listener.results)
        wait_until(lambda: len(listener.results) > seen + 2)
        pipeline.stop()

    assert (controls.threshold("door"), controls.method("door")) == (0.9, "cam")
    watched = pipeline.watched["door"].localizer
    assert (watched.rule.threshold, watched.method) == (0.9, "cam")
    assert localizer.rule.threshold == 0.5


def test_settings_that_make_no_sense_are_refused(bare_tiny_model: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="no model card"):
        bare = Localizer(bare_tiny_model, threads=1)
    pipeline = Pipeline([plan(clip(tmp_path / "clip.avi", lambda _: True, 2))], bare)
    controls = Steering(pipeline)

    assert not controls.has_background
    with pytest.raises(UsageError, match="background class"):
        controls.adjust("door", method="br-avgcam")
    with pytest.raises(UsageError, match="outside"):
        controls.adjust("door", threshold=1.0)
    assert controls.threshold("door") == 0.2


def test_what_the_page_asks_of_the_stream_is_there(tmp_path: Path, localizer: Localizer) -> None:
    source = clip(tmp_path / "clip.avi", lambda _: True, 2)
    controls = Steering(Pipeline([plan(source, "door"), plan(source, "yard")], localizer))

    assert controls.cameras == ("door", "yard")
    assert controls.labels == ("red", "blue", "background")
    assert controls.model_name == localizer.card.name
    assert controls.has_background
    assert controls.figures("yard").status.state == "starting"


def test_settings_are_saved_to_the_card(tmp_path: Path, tiny_model: Path) -> None:
    own = tmp_path / "own.tflite"
    shutil.copy(tiny_model, own)
    pipeline = Pipeline([plan(clip(tmp_path / "clip.avi", lambda _: True, 2))], Localizer(own, threads=1))
    controls = Steering(pipeline)

    controls.adjust("door", threshold=0.35, method="cam")
    controls.save_to_card("door")

    card = read_model(own).card
    assert card is not None
    assert (card.cam.threshold, card.cam.method) == (0.35, "cam")


def test_the_card_of_a_bundled_model_is_left_as_it_is(tmp_path: Path) -> None:
    pipeline = Pipeline([plan(clip(tmp_path / "clip.avi", lambda _: True, 2))], Localizer("nano", threads=1))

    with pytest.raises(ModelFileError, match="comes with the program"):
        Steering(pipeline).save_to_card("door")


def test_a_camera_may_have_options_of_its_own(tmp_path: Path, localizer: Localizer) -> None:
    source = clip(tmp_path / "clip.avi", lambda _: True, 2)
    own = CameraPlan("yard", parse_source(str(source)), options=Options(threshold=0.8))
    pipeline = Pipeline([plan(source, "door"), own], localizer)

    rules = {name: one.localizer.rule.threshold for name, one in pipeline.watched.items()}
    assert rules == {"door": 0.5, "yard": 0.8}
    networks = {id(one.localizer.interpreter) for one in pipeline.watched.values()}
    assert networks == {id(localizer.interpreter)}
