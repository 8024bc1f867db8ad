from pathlib import Path

import pytest

from lightcam_edge.errors import UsageError
from lightcam_edge.streaming.sources.grammar import CaptureOptions, SourceSpec, check_options, parse_source

SECRET = "geheim"


@pytest.mark.parametrize(
    ("text", "kind", "address"),
    [
        ("0", "v4l2", "/dev/video0"),
        ("2", "v4l2", "/dev/video2"),
        ("v4l2:///dev/video1", "v4l2", "/dev/video1"),
        ("v4l2:///dev/v4l/by-id/usb-cam-index0", "v4l2", "/dev/v4l/by-id/usb-cam-index0"),
        ("v4l2://3", "v4l2", "/dev/video3"),
        ("/dev/video77", "v4l2", "/dev/video77"),
        ("csi://0", "csi", "0"),
        ("csi://", "csi", "0"),
        ("csi://1", "csi", "1"),
        ("rtsp://10.0.0.9/live", "rtsp", "rtsp://10.0.0.9/live"),
        ("RTSP://cam:8554/live", "rtsp", "RTSP://cam:8554/live"),
        ("rtsps://cam/live", "rtsp", "rtsps://cam/live"),
        ("http://cam/a.mjpg?fps=5", "mjpeg", "http://cam/a.mjpg?fps=5"),
        ("https://[::1]:8443/a", "mjpeg", "https://[::1]:8443/a"),
        ("-", "stdin", "-"),
    ],
)
def test_cameras_networks_and_stdin_are_told_apart(text: str, kind: str, address: str) -> None:
    spec = parse_source(text)

    assert (spec.kind, spec.address) == (kind, address)


def test_files_and_folders_are_told_apart_by_what_is_there(tmp_path: Path) -> None:
    clip = tmp_path / "a clip.mp4"
    clip.touch()

    assert parse_source(str(clip)) == SourceSpec("video", str(clip))
    assert parse_source(f"file://{str(clip).replace(' ', '%20')}") == SourceSpec("video", str(clip))
    assert parse_source(str(tmp_path)) == SourceSpec("folder", str(tmp_path))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("webcam", "'webcam' is no file, folder or camera: give 0 or v4l2:///dev/video0 (USB), csi://0"),
        ("", "the source is empty: give 0 or"),
        ("ftp://host/a", "unknown scheme: give 0 or"),
        ("v4l2://webcam", "write v4l2:///dev/video0"),
        ("csi://left", "write csi://0"),
        ("rtsp:///live", "names no host and port that make sense"),
        ("http://cam:port/", "names no host and port that make sense"),
        ("http://cam:99999/", "names no host and port that make sense"),
        ("http://cam/a b", "names no host and port that make sense"),
        ("a\0b", "is no file"),
    ],
)
def test_nonsense_is_refused_with_the_grammar(text: str, told: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_source(text)

    assert told in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        f"rtsp//admin:{SECRET}@cam/live",
        f"admin:{SECRET}@cam",
        f"rtsp://admin:{SECRET}@:70000/live",
        f"rtsp://admin:a/{SECRET}@cam/live",
        f"ftp://admin:{SECRET}@cam/live",
        f"http://cam/a?user=admin&pwd={SECRET} ",
    ],
)
def test_a_refusal_does_not_tell_the_password(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_source(text)

    assert SECRET not in str(refusal.value)


def test_a_password_with_a_slash_is_told_how_to_be_written() -> None:
    with pytest.raises(UsageError, match=r"write / \? # @ : in a user name or password as %2F"):
        parse_source("rtsp://admin:a/b@cam/live")


def test_a_source_is_shown_without_its_password() -> None:
    spec = parse_source(f"rtsp://admin:{SECRET}@cam:8554/live")

    assert str(spec) == "rtsp://***@cam:8554/live"
    assert SECRET not in repr(spec)
    assert str(parse_source("0")) == "v4l2:///dev/video0"
    assert str(parse_source("csi://1")) == "csi://1"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"width": 8, "height": 480}, "width is 8: give 16 to 16384"),
        ({"width": 640}, "give both"),
        ({"fps": 0}, "fps is 0: give 0.01 to 1000"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"rotate": 45}, "rotate is 45: give 0, 90, 180, 270"),
        ({"flip": "diagonal"}, "flip is 'diagonal': give none, horizontal, vertical"),
        ({"pixel_format": "rgb565"}, "pixel_format is 'rgb565': give rgb24, bgr24, gray"),
    ],
)
def test_an_option_out_of_range_is_refused(options: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError) as refusal:
        CaptureOptions(**options)  # type: ignore[arg-type]

    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("rtsp://cam/live", {"width": 640, "height": 480}, "local cameras only"),
        ("http://cam/a", {"pixel_format": "gray"}, "raw frames on stdin"),
        ("-", {"pixel_format": "gray"}, "give width and height"),
        ("-", {"pixel_format": "nv12", "width": 640, "height": 481}, "an even width and height"),
        ("-", {"pixel_format": "yuyv422", "width": 641, "height": 480}, "an even width and height"),
        ("0", {"loop": True}, "loop is for video files and folders"),
        ("0", {"every_frame": True}, "is live and does not wait"),
    ],
)
def test_an_option_that_says_nothing_about_a_source_is_refused(
    text: str, options: dict[str, object], told: str
) -> None:
    with pytest.raises(UsageError) as refusal:
        check_options(parse_source(text), CaptureOptions(**options))  # type: ignore[arg-type]

    assert told in str(refusal.value)


def test_options_that_fit_pass(tmp_path: Path) -> None:
    check_options(parse_source("0"), CaptureOptions(width=640, height=480, fps=15, rotate=90))
    check_options(parse_source("-"), CaptureOptions(width=641, height=480, pixel_format="gray"))
    check_options(parse_source("-"), CaptureOptions(every_frame=True))
    check_options(parse_source(str(tmp_path)), CaptureOptions(loop=True, every_frame=True, fps=2))
