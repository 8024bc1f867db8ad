"""Asks video devices what they are and can do (Linux, `videodev2.h`)."""

import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Takes a request's number and its structure, which the kernel fills in; OSError where it refuses.
Ioctl = Callable[[int, bytearray], None]

QUERYCAP = 0x80685600
ENUM_FMT = 0xC0405602
ENUM_FRAMESIZES = 0xC02C564A
ENUM_FRAMEINTERVALS = 0xC034564B

VIDEO_CAPTURE = 0x00000001
VIDEO_CAPTURE_MPLANE = 0x00001000
VIDEO_M2M = 0x00008000 | 0x00004000  # codecs and scalers: memory in, memory out
DEVICE_CAPS = 0x80000000

CAPTURE_BUFFER, CAPTURE_BUFFER_MPLANE = 1, 9
DISCRETE = 1
BIG_ENDIAN = 1 << 31
MOST = 256  # answers to one question, should a driver never end


@dataclass(frozen=True, slots=True)
class Capability:
    """What a device says of itself.

    Args:
        driver: the kernel's.
        card: the device's name.
        bus: where it is plugged in.
        flags: of this node.
    """

    driver: str
    card: str
    bus: str
    flags: int

    @property
    def is_camera(self) -> bool:
        """Whether pictures come out of it, rather than metadata, sound or a codec's result."""
        return bool(self.flags & (VIDEO_CAPTURE | VIDEO_CAPTURE_MPLANE)) and not self.flags & VIDEO_M2M

    @property
    def buffer_type(self) -> int:
        """How its formats are asked for."""
        return CAPTURE_BUFFER if self.flags & VIDEO_CAPTURE else CAPTURE_BUFFER_MPLANE


@dataclass(frozen=True, slots=True)
class Mode:
    """A format and size that a camera offers.

    Args:
        pixel_format: its four letters, such as YUYV or MJPG, with -BE for big-endian samples.
        width: in pixels; the largest where the camera scales freely.
        height: in pixels.
        fps: pictures a second, the fastest first; empty where it does not tell.
    """

    pixel_format: str
    width: int
    height: int
    fps: tuple[float, ...]


@contextmanager
def device_ioctl(device: Path) -> Iterator[Ioctl]:
    """Open a device for questions, which another program's use of it does not disturb.

    Raises:
        OSError: if it cannot be opened.
    """
    descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield lambda request, content: _ioctl(descriptor, request, content)
    finally:
        os.close(descriptor)


def _ioctl(descriptor: int, request: int, content: bytearray) -> None:
    fcntl.ioctl(descriptor, request, content, True)


def read_capability(ioctl: Ioctl) -> Capability:
    """Ask what a device is.

    Raises:
        OSError: if it is no video device.
    """
    answer = bytearray(104)
    ioctl(QUERYCAP, answer)
    driver, card, bus, _, all_nodes, this_node = struct.unpack_from("=16s32s32sIII", answer)
    flags = this_node if all_nodes & DEVICE_CAPS else all_nodes
    return Capability(_text(driver), _text(card), _text(bus), flags)


def read_modes(ioctl: Ioctl, buffer_type: int) -> tuple[Mode, ...]:
    """Ask for all formats, sizes and rates."""
    return tuple(
        Mode(_four_letters(code), width, height, tuple(_rates(ioctl, code, width, height)))
        for code in _formats(ioctl, buffer_type)
        for width, height in _sizes(ioctl, code)
    )


def _formats(ioctl: Ioctl, buffer_type: int) -> Iterator[int]:
    for answer in _enumerate(ioctl, ENUM_FMT, 64, struct.pack("=I", buffer_type)):
        yield struct.unpack_from("=I", answer, 44)[0]


def _sizes(ioctl: Ioctl, code: int) -> Iterator[tuple[int, int]]:
    for answer in _enumerate(ioctl, ENUM_FRAMESIZES, 44, struct.pack("=I", code)):
        kind, a, b, _, _, d, _ = struct.unpack_from("=7I", answer, 8)
        if kind != DISCRETE:
            yield b, d  # the largest of a range
            return
        yield a, b


def _rates(ioctl: Ioctl, code: int, width: int, height: int) -> Iterator[float]:
    rates = []
    question = struct.pack("=III", code, width, height)
    for answer in _enumerate(ioctl, ENUM_FRAMEINTERVALS, 52, question):
        kind, numerator, denominator = struct.unpack_from("=III", answer, 16)
        if numerator and denominator:
            rates.append(round(denominator / numerator, 2))
        if kind != DISCRETE:
            break
    yield from sorted(set(rates), reverse=True)


def _enumerate(ioctl: Ioctl, request: int, length: int, question: bytes) -> Iterator[bytearray]:
    """Ask for item 0, 1, ... until the driver says that there is none."""
    for index in range(MOST):
        answer = bytearray(length)
        struct.pack_into("=I", answer, 0, index)
        answer[4 : 4 + len(question)] = question
        try:
            ioctl(request, answer)
        except OSError:
            return
        yield answer


def _four_letters(code: int) -> str:
    """As `v4l2-ctl` writes it; the highest bit says that the samples are big-endian."""
    letters = (code & ~BIG_ENDIAN).to_bytes(4, "little").decode("ascii", errors="replace")
    return letters + "-BE" if code & BIG_ENDIAN else letters.strip()


def _text(content: bytes) -> str:
    return content.partition(b"\0")[0].decode(errors="replace").strip()


def wants_mjpeg(modes: tuple[Mode, ...], size_wh: tuple[int, int], fps: float | None) -> bool:
    """Whether a camera has to send JPEG to reach a rate at a size.

    Raw pictures need no decoding, but USB 2 carries only a few large ones a
    second, and drivers give those by themselves.

    Args:
        modes: what the camera offers.
        size_wh: width and height, in pixels.
        fps: pictures a second; None for the most.
    """
    fastest: dict[bool, float] = {True: 0.0, False: 0.0}
    for mode in modes:
        if (mode.width, mode.height) == size_wh:
            is_jpeg = mode.pixel_format in ("MJPG", "JPEG")
            fastest[is_jpeg] = max(fastest[is_jpeg], *mode.fps, 1.0)
    return fastest[False] < min(fastest[True], fps or fastest[True])
