import concurrent.futures
import os
import sys
import types
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from streaming_capture import by_picamera2, running

from lightcam_edge.errors import RuntimeMissingError
from lightcam_edge.streaming.sources.grammar import CaptureOptions, parse_source
from lightcam_edge.streaming.sources.opening import check_readable
from lightcam_edge.streaming.sources.patience import Patience
from lightcam_edge.streaming.sources.reading import CaptureError
from lightcam_edge.streaming.sources.ribbon_camera import ArgusCamera, PiCamera, argus_pipeline


class Picamera2:
    """Stands in for picamera2's class: gives red pictures as fast as they are asked for."""

    told: tuple[dict[str, Any], ...] = ({"Model": "imx708", "Id": "/base/imx708@1a", "Num": 0},)
    busy = False
    given = "BGR888"
    camera_controls: ClassVar[dict[str, Any]] = {"FrameDurationLimits": (100, 10_000_000, None)}
    pictures = 1_000_000
    open_now = 0

    @classmethod
    def global_camera_info(cls) -> list[dict[str, Any]]:
        return list(cls.told)

    def __init__(self, number: int) -> None:
        self.is_open = False
        self.pipe, self.notifyme_w = os.pipe2(os.O_NONBLOCK)
        if self.busy:
            os.close(self.pipe)
            raise RuntimeError("Camera __init__ sequence did not complete.") from OSError("busy")
        type(self).open_now += 1
        self.is_open = True
        self.number = number

    def create_video_configuration(self, main: dict[str, Any], controls: dict[str, Any]) -> dict[str, Any]:
        return {"main": main, "controls": controls}

    def configure(self, configuration: dict[str, Any]) -> None:
        type(self).configured = configuration

    def camera_configuration(self) -> dict[str, Any]:
        return {"main": {**self.configured["main"], "format": self.given}}

    def start(self) -> None:
        pass

    def capture_array(self, name: str, wait: float) -> np.ndarray:
        assert (name, wait) == ("main", 1)
        if self.pictures == 0:
            raise concurrent.futures.TimeoutError
        type(self).pictures -= 1
        width, height = self.configured["main"]["size"]
        assert self.configured["main"]["format"] == "BGR888"  # in memory R, G, B
        return np.broadcast_to(np.array([200, 0, self.pictures % 256], np.uint8), (height, width, 3)).copy()

    def close(self) -> None:
        if self.is_open:
            type(self).open_now -= 1
            self.is_open = False
            os.close(self.pipe)
            os.close(self.notifyme_w)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> type[Picamera2]:
    """picamera2, as far as it is used."""
    library = type("Library", (Picamera2,), {})
    module = types.ModuleType("picamera2")
    module.Picamera2 = library  # type: ignore[attr-defined]
    module.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    return library


@by_picamera2
def test_pictures_of_a_ribbon_camera_come_in_rgb_as_wished_for(library: type[Picamera2]) -> None:
    with running("csi://0", CaptureOptions(width=64, height=48, fps=500)) as capture:
        frame = capture.take()

    assert frame.photo.image_hw == (48, 64)
    assert frame.photo.pixels[0, 0, :2].tolist() == [200, 0]
    assert library.configured["controls"] == {"FrameRate": 500}  # type: ignore[attr-defined]
    assert library.open_now == 0


@by_picamera2
def test_a_ribbon_camera_that_gives_no_more_pictures_is_closed_and_opened_again(
    library: type[Picamera2],
) -> None:
    library.pictures = 3
    with running("csi://0", CaptureOptions(width=64, height=48)) as capture:
        lost = capture.wait_for("lost")
        library.pictures = 1000
        capture.wait_for("live", after=capture.states.index("lost"))

    assert lost.reason == "csi://0 gave no picture for 1 seconds: is its cable firmly in?"
    assert library.open_now == 0


@pytest.mark.parametrize(
    ("number", "busy", "told"),
    [
        (1, False, r"there is no csi://1: is the ribbon cable in\?"),
        (0, True, r"does another program have it\? \(busy\)"),
    ],
)
def test_a_ribbon_camera_that_cannot_be_used_says_why(
    library: type[Picamera2], number: int, busy: bool, told: str
) -> None:
    library.busy = busy
    camera = PiCamera(number, CaptureOptions(), Patience())

    files = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(CaptureError, match=told):
        camera.open()
    camera.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == files


@by_picamera2
def test_a_ribbon_camera_that_cannot_be_told_a_rate_is_not_told_one(library: type[Picamera2]) -> None:
    library.camera_controls = {}
    with running("csi://0", CaptureOptions(width=64, height=48, fps=500)) as capture:
        capture.take()

    assert library.configured["controls"] == {}  # type: ignore[attr-defined]


@by_picamera2
def test_colours_are_those_of_the_format_that_a_ribbon_camera_gives(library: type[Picamera2]) -> None:
    library.given = "RGB888"  # in memory B, G, R
    with running("csi://0", CaptureOptions(width=64, height=48)) as capture:
        assert capture.take().photo.pixels[0, 0, 1:].tolist() == [0, 200]


def test_a_camera_of_picamera2_that_gives_no_rgb_is_refused(library: type[Picamera2]) -> None:
    library.given = "YUYV"
    camera = PiCamera(0, CaptureOptions(), Patience())

    with pytest.raises(CaptureError, match="csi://0 gives YUYV, not RGB: is it a USB camera"):
        camera.open()
    camera.close()
    assert library.open_now == 0


@by_picamera2
def test_what_is_missing_for_a_ribbon_camera_is_told_before_anything_starts() -> None:
    with pytest.raises(RuntimeMissingError, match="sudo apt install python3-picamera2"):
        check_readable(parse_source("csi://0"))
    check_readable(parse_source("/dev/video63"))
    check_readable(parse_source("rtsp://127.0.0.1/not-there-yet"))


def test_a_picamera2_that_does_not_import_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)

    with pytest.raises(RuntimeMissingError, match="csi:// needs picamera2"):
        PiCamera(0, CaptureOptions(), Patience()).open()


def test_a_jetsons_pipeline_gives_the_newest_picture_in_bgr() -> None:
    assert argus_pipeline(1, CaptureOptions(width=640, height=360, fps=29.97)) == (
        "nvarguscamerasrc sensor-id=1 ! video/x-raw(memory:NVMM),width=640,height=360,framerate=29970/1000 ! "
        "nvvidconv ! video/x-raw,format=BGRx,width=640,height=360 ! videoconvert ! "
        "video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"
    )


def test_a_jetsons_camera_needs_an_opencv_with_gstreamer() -> None:
    with pytest.raises(RuntimeMissingError, match="use JetPack's"):
        ArgusCamera(0, CaptureOptions()).open()
