"""What a stream's source may be, and how it is wished for."""

import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import unquote, urlsplit

from lightcam_edge.errors import UsageError
from lightcam_edge.streaming.sources.redaction import redact

Kind = Literal["v4l2", "csi", "rtsp", "mjpeg", "video", "folder", "stdin"]
Rotation = Literal[0, 90, 180, 270]
Flip = Literal["none", "horizontal", "vertical"]
PixelFormat = Literal["rgb24", "bgr24", "gray", "yuyv422", "yuv420p", "nv12"]

GRAMMAR = (
    "give 0 or v4l2:///dev/video0 (USB), csi://0 (ribbon cable), rtsp://HOST/PATH, "
    "http://HOST/PATH (MJPEG), a video file, a folder of images, or - (stdin)"
)
ESCAPES = "write / ? # @ : in a user name or password as %2F %3F %23 %40 %3A"
SIZED: tuple[Kind, ...] = ("v4l2", "csi", "stdin")
RECORDED: tuple[Kind, ...] = ("video", "folder")


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """Where pictures come from. `str()` shows it without any password.

    Args:
        kind: what reads it.
        address: device, sensor number, URL with its password, or path.
    """

    kind: Kind
    address: str = field(repr=False)

    @property
    def is_live(self) -> bool:
        """Whether its pictures show what is now."""
        return self.kind not in RECORDED

    @property
    def is_reconnected(self) -> bool:
        """Whether it is connected to again when it is lost: all but files and stdin."""
        return self.is_live and self.kind != "stdin"

    def __str__(self) -> str:
        if self.kind == "stdin":
            return "stdin"
        return redact({"v4l2": "v4l2://", "csi": "csi://"}.get(self.kind, "") + self.address)


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """How pictures are wished for; None leaves it to the source.

    Args:
        width: in pixels, asked of the camera, which may give its nearest; of raw frames on stdin.
        height: see `width`.
        fps: pictures a second: asked of a camera, and never more than it; the rate at which
            recorded files are played, and were recorded where every frame of them is wanted.
        rotate: clockwise, in degrees, before `flip`.
        flip: mirrored left to right, or upside down.
        loop: begin recorded files again when they are over.
        every_frame: give every picture of a file or of stdin its turn, as fast as they are used,
            instead of playing at its rate and dropping what a newer picture replaces.
        pixel_format: of raw frames on stdin, in FFmpeg's names; None for MJPEG.
        enough_hw: a size that is enough, see `images.read_image`; None for full size.

    Raises:
        UsageError: if a value is out of range.
    """

    width: int | None = None
    height: int | None = None
    fps: float | None = None
    rotate: Rotation = 0
    flip: Flip = "none"
    loop: bool = False
    every_frame: bool = False
    pixel_format: PixelFormat | None = None
    enough_hw: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            value = getattr(self, name)
            if value is not None and not 16 <= value <= 16384:
                raise UsageError(f"{name} is {value}: give 16 to 16384 pixels")
        if (self.width is None) != (self.height is None):
            raise UsageError("width and height belong together: give both")
        if self.fps is not None and not 0.01 <= self.fps <= 1000:
            raise UsageError(f"fps is {self.fps}: give 0.01 to 1000")
        for name, allowed in (("rotate", Rotation), ("flip", Flip), ("pixel_format", PixelFormat | None)):
            _check_choice(name, getattr(self, name), allowed)

    @property
    def most_fps(self) -> float | None:
        """How many pictures a second are let through at most; None where all are."""
        return None if self.every_frame else self.fps


def _check_choice(name: str, value: object, allowed: object) -> None:
    choices = [choice for part in get_args(allowed) for choice in (get_args(part) or (part,))]
    wanted = [choice for choice in choices if choice is not type(None)]
    if value not in wanted and not (value is None and type(None) in choices):
        raise UsageError(f"{name} is {value!r}: give {', '.join(map(str, wanted))}")


def parse_source(text: str) -> SourceSpec:
    """Understand what the user names as a source.

    Args:
        text: see `GRAMMAR`; a path to a video device is a camera too.

    Raises:
        UsageError: if it is none of these; without any password.
    """
    if not text:
        raise UsageError(f"the source is empty: {GRAMMAR}")
    if text == "-":
        return SourceSpec("stdin", "-")
    if re.fullmatch(r"[0-9]{1,3}", text):
        return SourceSpec("v4l2", f"/dev/video{int(text)}")
    scheme, found, rest = text.partition("://")
    if not found:
        return _path(text)
    try:
        return _SCHEMES[scheme.lower()](text, rest)
    except KeyError:
        raise UsageError(f"{redact(text)!r} has an unknown scheme: {GRAMMAR}") from None


def _device(text: str, rest: str) -> SourceSpec:
    if re.fullmatch(r"[0-9]{1,3}", rest):
        return SourceSpec("v4l2", f"/dev/video{int(rest)}")
    if not rest.startswith("/dev/"):
        raise UsageError(f"{redact(text)!r} names no device: write v4l2:///dev/video0")
    return SourceSpec("v4l2", rest)


def _sensor(text: str, rest: str) -> SourceSpec:
    if not re.fullmatch(r"[0-9]{1,2}", rest or "0"):
        raise UsageError(f"{redact(text)!r} names no camera: write csi://0, csi://1, ...")
    return SourceSpec("csi", str(int(rest or "0")))


def _stream(text: str, _: str) -> SourceSpec:
    return SourceSpec("rtsp", _checked_url(text))


def _mjpeg(text: str, _: str) -> SourceSpec:
    return SourceSpec("mjpeg", _checked_url(text))


def _file_url(_: str, rest: str) -> SourceSpec:
    return _path(unquote(rest))


_SCHEMES = {
    "v4l2": _device,
    "csi": _sensor,
    "rtsp": _stream,
    "rtsps": _stream,
    "http": _mjpeg,
    "https": _mjpeg,
    "file": _file_url,
}


def _checked_url(text: str) -> str:
    """The same URL, if it names a host.

    `urlsplit` puts what it cannot read into its messages, so none of them is passed on.
    """
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0 and not re.search(r"[\x00-\x20\x7f]", text)
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"{redact(text)!r} names no host and port that make sense: {ESCAPES}")
    return text


def _path(text: str) -> SourceSpec:
    path = Path(text)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        if re.match(r"/dev/(video|v4l/)", text):  # not plugged in yet
            return SourceSpec("v4l2", text)
        raise UsageError(f"{redact(text)!r} is no file, folder or camera: {GRAMMAR}") from None
    if stat.S_ISDIR(mode):
        return SourceSpec("folder", text)
    if stat.S_ISCHR(mode):
        return SourceSpec("v4l2", text)
    if stat.S_ISREG(mode):
        return SourceSpec("video", text)
    raise UsageError(f"{redact(text)!r} is a pipe, socket or disk: {GRAMMAR}")


def check_options(spec: SourceSpec, options: CaptureOptions) -> None:
    """Refuse options that say nothing about such a source.

    Raises:
        UsageError: names the option, and what it is for.
    """
    raw = options.pixel_format is not None
    if raw and spec.kind != "stdin":
        raise UsageError(f"{spec} tells its own pixel format: that option is for raw frames on stdin")
    if raw and options.width is None:
        raise UsageError("raw frames on stdin do not tell their size: give width and height")
    if raw and _splits_a_pair(options):
        raise UsageError(f"{options.pixel_format} frames have an even width and height")
    if options.width is not None and spec.kind not in SIZED:
        raise UsageError(f"{spec} has the size it has: width and height are asked of local cameras only")
    if options.loop and spec.kind not in RECORDED:
        raise UsageError(f"{spec} cannot begin again: loop is for video files and folders")
    if options.every_frame and spec.kind not in (*RECORDED, "stdin"):
        raise UsageError(f"{spec} is live and does not wait: every frame is for files and stdin")


def _splits_a_pair(options: CaptureOptions) -> bool:
    """Whether two pixels that share a colour would not both be there."""
    odd_width, odd_height = bool((options.width or 0) % 2), bool((options.height or 0) % 2)
    if options.pixel_format == "yuyv422":
        return odd_width
    return options.pixel_format in ("yuv420p", "nv12") and (odd_width or odd_height)
