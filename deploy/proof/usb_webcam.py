"""Plug a USB webcam into this machine's kernel, by its driver for USB over a network: usb_webcam.py [bgr]

It is a USB Video Class 1.0 device with a bulk endpoint: MJPEG at 1280x720 and YUYV
at 640x480, or BGR at 320x240, 15 frames/s, of a bright square that wanders; it is red
in BGR. What the file /run/webcam says becomes of it: `unplugged`, or `stalled` for
one that gives no pictures.
"""

import socket
import struct
import sys
import threading
import time
from collections import deque
from pathlib import Path

import cv2
import numpy as np

PORT = Path("/sys/devices/platform/vhci_hcd.0")
FATE = Path("/run/webcam")
SUBMIT, UNLINK, SUBMITTED, UNLINKED = 1, 2, 3, 4
HIGH_SPEED, DEVICE = 3, 0x10002
STALLED, UNLINKED_IN_TIME = -32, -104  # EPIPE, ECONNRESET
PAYLOAD = 32 * 512
FPS = 15
INTERVAL = 10_000_000 // FPS  # in 100 ns
MJPEG, YUYV, BGR = 1, 2, 3
SIZES_WH = {BGR: (320, 240)} if sys.argv[1:] == ["bgr"] else {MJPEG: (1280, 720), YUYV: (640, 480)}
FIRST = min(SIZES_WH)
# The GUID and the bits a pixel of what is not compressed.
RAW = {
    YUYV: (bytes.fromhex("5955593200001000800000aa00389b71"), 16),
    BGR: (bytes.fromhex("7deb36e44f52ce119f530020af0ba770"), 24),
}


def described(kind: int, content: bytes) -> bytes:
    return bytes([len(content) + 2, kind]) + content


def largest(kind: int) -> int:
    return SIZES_WH[kind][0] * SIZES_WH[kind][1] * (3 if kind == BGR else 2)


def format_described(kind: int) -> bytes:
    rate = largest(kind) * 8 * FPS
    frame = struct.pack(
        "<BBHHIIIIBI", 1, 0, *SIZES_WH[kind], rate, rate, largest(kind), INTERVAL, 1, INTERVAL
    )
    if kind == MJPEG:
        return described(0x24, struct.pack("<BBBBBBBBB", 6, MJPEG, 1, 1, 1, 0, 0, 0, 0)) + described(
            0x24, b"\7" + frame
        )
    content = struct.pack("<BBB16sBBBBBB", 4, kind, 1, *RAW[kind], 1, 0, 0, 0, 0)
    return described(0x24, content) + described(0x24, b"\5" + frame)


def configuration() -> bytes:
    """The class's descriptors (USB Device Class Definition for Video Devices 1.0)."""
    terminals = described(0x24, struct.pack("<BBHBBHHHB3x", 2, 1, 0x0201, 0, 0, 0, 0, 0, 3))
    terminals += described(0x24, struct.pack("<BBHBBB", 3, 2, 0x0101, 0, 1, 0))
    control = described(0x24, struct.pack("<BHHIBB", 1, 0x0100, 13 + len(terminals), 48_000_000, 1, 1))
    formats = b"".join(format_described(kind) for kind in SIZES_WH)
    length = 13 + len(SIZES_WH) + len(formats)
    stream = described(
        0x24,
        struct.pack("<BBHBBBBBBB", 1, len(SIZES_WH), length, 0x81, 0, 2, 0, 0, 0, 1) + bytes(len(SIZES_WH)),
    )
    all_of_it = b"".join(
        (
            described(11, struct.pack("<BBBBBB", 0, 2, 0x0E, 3, 0, 0)),
            described(4, struct.pack("<BBBBBBB", 0, 0, 0, 0x0E, 1, 0, 0)),
            control,
            terminals,
            described(4, struct.pack("<BBBBBBB", 1, 0, 1, 0x0E, 2, 0, 0)),
            stream,
            formats,
            described(5, struct.pack("<BBHB", 0x81, 2, 512, 0)),
        )
    )
    return described(2, struct.pack("<HBBBBB", 9 + len(all_of_it), 2, 1, 0, 0x80, 250)) + all_of_it


DESCRIPTORS = {
    1: described(1, struct.pack("<HBBBBHHHBBBB", 0x0200, 0xEF, 2, 1, 64, 0x1D6B, 0x0102, 0x0100, 1, 2, 0, 1)),
    2: configuration(),
}
STRINGS = [described(3, struct.pack("<H", 0x0409))]
STRINGS += [described(3, text.encode("utf-16-le")) for text in ("lightcam-edge", "Proof Webcam")]


class Webcam:
    """One plugged-in device: answers the kernel's requests on a socket."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        self.waiting: deque[tuple[int, int]] = deque()
        self.lock = threading.Lock()
        self.probed = self.negotiated(FIRST)
        self.streaming = 0
        with (PORT / "attach").open("w") as attach:
            attach.write(f"0 {theirs.fileno()} {DEVICE} {HIGH_SPEED}")
        theirs.close()
        threading.Thread(target=self.answer_all, daemon=True).start()
        threading.Thread(target=self.film, daemon=True).start()

    def unplug(self) -> None:
        self.ours.shutdown(socket.SHUT_RDWR)
        self.ours.close()

    @staticmethod
    def negotiated(wanted: int) -> bytes:
        return struct.pack("<HBBIHHHHHII", 1, wanted, 1, INTERVAL, 0, 0, 0, 0, 0, largest(wanted), PAYLOAD)

    def take(self, count: int) -> bytes:
        content = self.ours.recv(count, socket.MSG_WAITALL) if count else b""
        if len(content) < count:
            raise OSError("unplugged")
        return content

    def answer_all(self) -> None:
        try:
            while True:
                self.answer_one()
        except OSError:
            pass

    def answer_one(self) -> None:
        command, number, _, to_host, endpoint = struct.unpack(">5I", self.take(20))
        details = self.take(28)
        if command == UNLINK:
            self.forget(number, struct.unpack_from(">I", details)[0])
            return
        (length,) = struct.unpack_from(">4xi", details)
        content = b"" if to_host else self.take(length)
        if endpoint:
            with self.lock:
                self.waiting.append((number, length))
            return
        reply = self.controlled(*struct.unpack("<BBHHH", details[20:]), content)
        if reply is None:
            self.send(number, STALLED, b"")
        else:
            self.send(number, 0, reply[:length] if to_host else b"", len(content))

    def forget(self, number: int, unlinked: int) -> None:
        with self.lock:
            there = [one for one in self.waiting if one[0] == unlinked]
            for one in there:
                self.waiting.remove(one)
            status = UNLINKED_IN_TIME if there else 0
            self.ours.sendall(struct.pack(">5Ii24x", UNLINKED, number, 0, 0, 0, status))

    def send(self, number: int, status: int, content: bytes, taken: int = 0) -> None:
        header = struct.pack(">5I5i8x", SUBMITTED, number, 0, 0, 0, status, len(content) or taken, 0, 0, 0)
        self.ours.sendall(header + content)

    def controlled(
        self, kind: int, request: int, value: int, index: int, length: int, content: bytes
    ) -> bytes | None:
        """The answer to a control request; None for what a webcam does not know."""
        what = value >> 8
        if kind == 0x80 and request == 6:
            return STRINGS[value & 0xFF] if what == 3 else DESCRIPTORS.get(what)
        if kind in (0x80, 0x81, 0x82) and request == 0:
            return bytes(2)
        if kind in (0xA1, 0x21) and index == 1 and what in (1, 2):
            if request == 1:
                self.probed = self.negotiated(content[2] if content[2] in SIZES_WH else FIRST)
                self.streaming = self.probed[2] if what == 2 else self.streaming
                return b""
            return {0x85: struct.pack("<H", len(self.probed)), 0x86: b"\3"}.get(request, self.probed)
        return b"" if kind in (0x00, 0x01, 0x02) else None

    def film(self) -> None:
        """Send pictures as fast as they are due, while they are asked for."""
        number = 0
        try:
            while True:
                time.sleep(1 / FPS)
                if self.waiting and self.streaming and fate() != "stalled":
                    self.show(picture(number, self.streaming), number % 2)
                    number += 1
        except OSError:
            pass

    def show(self, content: bytes, parity: int) -> None:
        pieces = [content[start : start + PAYLOAD - 2] for start in range(0, len(content), PAYLOAD - 2)]
        for place, piece in enumerate(pieces, start=1):
            last = 2 if place == len(pieces) else 0
            until = time.monotonic() + 1
            while not self.waiting and time.monotonic() < until:
                time.sleep(0.001)
            with self.lock:
                if self.waiting:
                    self.send(self.waiting.popleft()[0], 0, bytes([2, 0x80 | last | parity]) + piece)


def picture(number: int, kind: int) -> bytes:
    width, height = SIZES_WH[kind]
    image = np.full((height, width, 3), 40, np.uint8)
    left = number * 8 % (width - 200)
    image[100:300, left : left + 200] = (40, 40, 220) if kind == BGR else 220
    if kind == BGR:
        return image.tobytes()
    if kind == MJPEG:
        return cv2.imencode(".jpg", image)[1].tobytes()
    grey = image[:, :, 0]
    return np.dstack([grey, np.full_like(grey, 128)]).tobytes()


def fate() -> str:
    return FATE.read_text().strip() if FATE.exists() else ""


def main() -> None:
    webcam: Webcam | None = Webcam()
    while True:
        time.sleep(0.2)
        if webcam and fate() == "unplugged":
            webcam.unplug()
            webcam = None
        elif not webcam and fate() != "unplugged":
            webcam = Webcam()


if __name__ == "__main__":
    main()
