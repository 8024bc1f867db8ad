"""Cameras on made roots: plain files in the place of devices answer as no camera does."""

import signal
from dataclasses import replace
from pathlib import Path

import made_boards
from made_boards import write
from patients import PYTHON, examined

from lightcam_edge.doctor.cameras import judge_camera
from lightcam_edge.doctor.python import Package
from lightcam_edge.streaming.sources.boards import VIDEO_GROUP
from lightcam_edge.streaming.sources.cameras import FoundCamera
from lightcam_edge.streaming.sources.v4l2 import Mode

SOURCE = "v4l2:///dev/video0"


def with_device(root: Path) -> Path:
    names = {"name": "HD Webcam C920\n", "index": "0\n"}
    return write(
        root, {"dev/video0": "", **{f"sys/class/video4linux/video0/{n}": t for n, t in names.items()}}
    )


def test_a_camera_tells_its_first_modes() -> None:
    sizes = [(640, 480), (1280, 720), (1920, 1080), (2304, 1536), (2560, 1472)]
    modes = tuple(Mode("MJPG", width, height, (30.0, 15.0)) for width, height in sizes)

    found = judge_camera(FoundCamera(SOURCE, "HD Webcam", "uvcvideo", modes))

    assert (found.level, found.message) == (
        "ok",
        f"{SOURCE} HD Webcam (uvcvideo): MJPG 640x480, MJPG 1280x720, MJPG 1920x1080, MJPG 2304x1536 "
        "and 1 more",
    )
    assert found.facts["modes"][0] == {"format": "MJPG", "width": 640, "height": 480, "fps": [30.0, 15.0]}


def test_a_camera_that_may_not_be_opened_ends_in_the_command_that_lets_it() -> None:
    found = judge_camera(FoundCamera(SOURCE, "", "", problem=f"/dev/video0 {VIDEO_GROUP}"))

    assert (found.level, found.message) == ("warn", f"{SOURCE}: /dev/video0 may not be opened")
    assert found.fix == "run `sudo usermod -aG video $USER`, and log in again"


def test_a_device_that_is_no_camera_any_more_is_to_be_plugged_in_again(tmp_path: Path) -> None:
    found = examined(with_device(tmp_path))[f"cameras camera {SOURCE}"]

    assert found.message == (
        f"{SOURCE} HD Webcam C920: /dev/video0 does not answer as a camera: Inappropriate ioctl for device"
    )
    assert found.fix.startswith("unplug the camera")


def test_a_device_that_a_container_lacks_is_told(tmp_path: Path) -> None:
    root = with_device(tmp_path)
    (root / "dev/video0").unlink()

    found = examined(root)[f"cameras camera {SOURCE}"]

    assert found.fix == "a container needs `--device /dev/video0`"


def test_no_camera_is_nothing_to_mend_for_who_reads_files(tmp_path: Path) -> None:
    found = examined(tmp_path)["cameras list"]

    assert (found.level, found.message) == ("info", "no camera found")
    assert found.fix.startswith("plug in a USB camera")


def test_who_has_a_camera_open_is_told(tmp_path: Path) -> None:
    root = with_device(tmp_path)
    other = write(root, {"proc/812/comm": "motion\n", "proc/813/comm": "sshd\n", "proc/813/fd/.keep": ""})
    (other / "proc/812/fd").mkdir()
    (other / "proc/812/fd/5").symlink_to("/dev/video0")

    found = examined(root)[f"cameras busy {SOURCE}"]

    assert (
        found.message == "/dev/video0 is open in motion (process 812), and one program at a time can read it"
    )
    assert found.facts == {"process": 812}


def test_a_jetsons_cameras_are_not_asked_for_without_opencv(tmp_path: Path) -> None:
    root = made_boards.jetson_orin(tmp_path)

    found = examined(root, replace(PYTHON, packages={}))["cameras list"]

    assert found.message == "not looked for, because opencv must load for it"


def test_a_picamera2_that_crashes_is_not_asked_for_cameras(tmp_path: Path) -> None:
    crashing = {**PYTHON.packages, "picamera2": Package("picamera2", signal=signal.SIGSEGV)}

    found = examined(made_boards.pi_5(tmp_path), replace(PYTHON, packages=crashing))

    assert found["cameras list"].message == "not looked for, because picamera2 must load for it"
    assert found["cameras picamera2"].level == "fail"
