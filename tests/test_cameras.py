import errno
import fcntl
import os
import struct
import sys
import types
from pathlib import Path

import pytest

from lightcam_edge.streaming.sources import v4l2
from lightcam_edge.streaming.sources.cameras import FoundCamera, cameras_there, list_cameras
from lightcam_edge.streaming.sources.grammar import CaptureOptions
from lightcam_edge.streaming.sources.reading import CaptureError
from lightcam_edge.streaming.sources.usb_camera import UsbCamera
from lightcam_edge.streaming.sources.v4l2 import Mode, read_capability, read_modes, wants_mjpeg

WEBCAM_MODES = (
    Mode("YUYV", 640, 480, (30.0, 15.0)),
    Mode("YUYV", 1280, 720, (10.0,)),
    Mode("MJPG", 1280, 720, (30.0, 7.5)),
)
CAPTURES, METADATA, CODEC = 0x04200001, 0x04A00000, 0x04208000


def pixel_code(name: str) -> bytes:
    """The four bytes of a format's name; the highest bit says big-endian."""
    letters = bytearray(name.removesuffix("-BE").encode())
    letters[3] |= 0x80 * name.endswith("-BE")
    return bytes(letters)


class Device:
    """Answers as the kernel does for one video device (structures of `videodev2.h`)."""

    def __init__(self, driver: str, card: str, flags: int, modes: tuple[Mode, ...] = ()) -> None:
        self.driver, self.card, self.flags, self.modes = driver, card, flags, modes

    def __call__(self, request: int, content: bytearray) -> None:
        answers = {
            v4l2.QUERYCAP: self._capability,
            v4l2.ENUM_FMT: self._format,
            v4l2.ENUM_FRAMESIZES: self._size,
            v4l2.ENUM_FRAMEINTERVALS: self._interval,
        }
        try:
            answers[request](content)
        except (IndexError, KeyError):
            raise OSError(errno.EINVAL, "Invalid argument") from None

    def _capability(self, content: bytearray) -> None:
        told = (
            self.driver.encode(),
            self.card.encode(),
            b"usb-0000:01:00.0-1.2",
            0x060100,
            0x84A00001,
            self.flags,
        )
        struct.pack_into("=16s32s32sIII", content, 0, *told)

    def _format(self, content: bytearray) -> None:
        index, buffer_type = struct.unpack_from("=II", content)
        assert buffer_type == v4l2.CAPTURE_BUFFER
        names = list(dict.fromkeys(mode.pixel_format for mode in self.modes))
        content[44:48] = pixel_code(names[index])

    def _size(self, content: bytearray) -> None:
        index, code = struct.unpack_from("=I4s", content)
        mode = [mode for mode in self.modes if pixel_code(mode.pixel_format) == code][index]
        struct.pack_into("=III", content, 8, v4l2.DISCRETE, mode.width, mode.height)

    def _interval(self, content: bytearray) -> None:
        index, code, width, height = struct.unpack_from("=I4sII", content)
        asked = (code, width, height)
        (fps,) = [
            mode.fps
            for mode in self.modes
            if (pixel_code(mode.pixel_format), mode.width, mode.height) == asked
        ]
        struct.pack_into("=III", content, 16, v4l2.DISCRETE, 10, round(fps[::-1][index] * 10))


WEBCAM = Device("uvcvideo", "HD Webcam", CAPTURES, WEBCAM_MODES)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dev").mkdir()
    return tmp_path


def plug_in(root: Path, devices: dict[str, Device], patch: pytest.MonkeyPatch) -> None:
    """Make devices that answer through `fcntl.ioctl`."""
    for name in devices:
        (root / "dev" / name).touch()

    def ioctl(descriptor: int, request: int, content: bytearray, _: bool) -> None:
        devices[Path(f"/proc/self/fd/{descriptor}").readlink().name](request, content)

    patch.setattr(fcntl, "ioctl", ioctl)


def tell(root: Path, node: str, name: str, index: int = 0) -> None:
    """Put a device into /sys."""
    folder = root / "sys/class/video4linux" / node
    folder.mkdir(parents=True)
    (folder / "name").write_text(name + "\n")
    (folder / "index").write_text(f"{index}\n")


def test_a_webcam_tells_what_it_offers(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(root, {"video0": WEBCAM}, monkeypatch)

    assert list_cameras(root) == [FoundCamera("v4l2:///dev/video0", "HD Webcam", "uvcvideo", WEBCAM_MODES)]
    assert cameras_there(root) == "there are v4l2:///dev/video0"


def test_metadata_codecs_and_raw_sensors_are_left_out_and_the_rest_is_in_order(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = {
        "video10": WEBCAM,
        "video2": WEBCAM,
        "video3": Device("uvcvideo", "HD Webcam", METADATA),
        "video11": Device("bcm2835-codec", "decoder", CODEC),
        "video4": Device("bcm2835-isp", "scaler", CAPTURES),
        "video5": Device("rp1-cfe", "rp1-cfe", CAPTURES),
    }
    plug_in(root, devices, monkeypatch)

    assert [camera.source for camera in list_cameras(root)] == ["v4l2:///dev/video2", "v4l2:///dev/video10"]


def test_a_camera_that_scales_freely_tells_its_largest_size() -> None:
    def device(request: int, content: bytearray) -> None:
        (index,) = struct.unpack_from("=I", content)
        if index or request == v4l2.ENUM_FRAMEINTERVALS:
            raise OSError(errno.EINVAL, "Invalid argument")
        if request == v4l2.ENUM_FMT:
            content[44:48] = b"NV12"
        else:
            struct.pack_into("=7I", content, 8, 3, 32, 1920, 2, 32, 1080, 2)

    assert read_modes(device, v4l2.CAPTURE_BUFFER) == (Mode("NV12", 1920, 1080, ()),)


def test_formats_with_big_endian_samples_are_named_as_v4l2_ctl_does() -> None:
    modes = (Mode("Y16 -BE", 640, 480, (30.0,)), Mode("Y16", 640, 480, (30.0,)))
    padded = (modes[0], Mode("Y16 ", 640, 480, (30.0,)))

    assert read_modes(Device("vivid", "vivid", CAPTURES, padded), v4l2.CAPTURE_BUFFER) == modes


def test_a_driver_that_never_ends_is_cut_off() -> None:
    def device(request: int, content: bytearray) -> None:
        if request != v4l2.ENUM_FMT:
            raise OSError(errno.EINVAL, "Invalid argument")
        asked.append(request)

    asked: list[int] = []
    read_modes(device, v4l2.CAPTURE_BUFFER)

    assert len(asked) == v4l2.MOST


def test_an_old_driver_without_flags_of_the_node_is_read_by_those_of_the_device() -> None:
    def device(_: int, content: bytearray) -> None:
        struct.pack_into("=16s32s32sIII", content, 0, b"old", b"Old", b"", 0, 0x04000001, 0)

    assert read_capability(device).is_camera


def test_a_device_that_may_not_be_opened_tells_how(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    tell(root, "video0", "HD Webcam")
    tell(root, "video1", "HD Webcam", index=1)  # its metadata
    monkeypatch.setattr(os, "open", refuse)

    (camera,) = list_cameras(root)

    assert (camera.source, camera.name) == ("v4l2:///dev/video0", "HD Webcam")
    assert camera.problem == (
        "/dev/video0 may not be opened: run `sudo usermod -aG video $USER`, and log in again"
    )


def test_a_container_without_the_device_is_told_to_take_it_in(root: Path) -> None:
    tell(root, "video0", "HD Webcam")

    (camera,) = list_cameras(root)

    assert camera.problem == "there is no /dev/video0 here: a container needs `--device /dev/video0`"


def test_a_node_that_is_no_device_is_told_apart(root: Path) -> None:
    (root / "dev/video0").touch()

    (camera,) = list_cameras(root)

    assert "/dev/video0 does not answer as a camera" in camera.problem


def test_a_pi_with_a_ribbon_camera_and_without_picamera2_tells_how_to_get_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "proc/device-tree/model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    plug_in(root, {"video0": Device("rp1-cfe", "rp1-cfe", CAPTURES)}, monkeypatch)

    (camera,) = list_cameras(root)

    assert camera.source == "csi://0"
    assert "sudo apt install python3-picamera2" in camera.problem
    assert "--system-site-packages" in camera.problem


def test_a_jetsons_ribbon_cameras_need_an_opencv_with_gstreamer(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "etc").mkdir()
    (root / "etc/nv_tegra_release").touch()
    sensor = Device("tegra-video", "vi-output, imx219 9-0010", CAPTURES)
    plug_in(root, {"video0": sensor, "video1": sensor}, monkeypatch)

    cameras = list_cameras(root)

    assert [camera.source for camera in cameras] == ["csi://0", "csi://1"]
    assert "use JetPack's" in cameras[0].problem


def test_what_picamera2_knows_is_listed_by_its_place_but_for_usb(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [
        {"Model": "imx708", "Location": 2, "Id": "/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a", "Num": 1},
        {"Model": "ov5647", "Location": 2, "Id": "/base/axi/pcie@120000/rp1/i2c@80000/ov5647@36", "Num": 0},
        {"Model": "HD Webcam", "Id": "/base/scb/pcie/usb@0,0-1.2:1.0-046d:0825", "Num": 2},
    ]
    library = types.ModuleType("picamera2")
    library.Picamera2 = types.SimpleNamespace(global_camera_info=lambda: told)  # type: ignore[attr-defined]
    library.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "picamera2", library)

    assert list_cameras(root) == [
        FoundCamera("csi://0", "imx708", "libcamera"),
        FoundCamera("csi://1", "ov5647", "libcamera"),
    ]


@pytest.mark.parametrize(
    ("size", "fps", "wanted"),
    [
        ((1280, 720), None, True),
        ((1280, 720), 30, True),
        ((1280, 720), 10, False),
        ((640, 480), 30, False),
        ((800, 600), 30, False),
    ],
)
def test_jpeg_is_asked_for_where_raw_pictures_come_too_slowly(
    size: tuple[int, int], fps: float | None, wanted: bool
) -> None:
    assert wants_mjpeg(WEBCAM_MODES, size, fps) == wanted


def test_a_usb_camera_that_is_not_there_tells_what_is() -> None:
    with pytest.raises(CaptureError, match=r"there is no /dev/video98: (no camera is plugged in|there are)"):
        UsbCamera("/dev/video98", CaptureOptions()).open()


def test_a_device_that_is_no_camera_says_so() -> None:
    with pytest.raises(CaptureError, match="/dev/null cannot be used as a camera: Inappropriate ioctl"):
        UsbCamera("/dev/null", CaptureOptions()).open()


def test_a_camera_that_opencv_cannot_read_says_who_may_have_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(root, {"video0": WEBCAM}, monkeypatch)
    device = root / "dev/video0"

    with pytest.raises(CaptureError, match=r"gives no picture: does another program have it \(`fuser "):
        UsbCamera(str(device), CaptureOptions(width=1280, height=720, fps=30)).open()


def test_a_metadata_node_is_no_camera(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(root, {"video1": Device("uvcvideo", "HD Webcam", METADATA)}, monkeypatch)

    with pytest.raises(CaptureError, match="video1 is no camera but HD Webcam"):
        UsbCamera(str(root / "dev/video1"), CaptureOptions()).open()
