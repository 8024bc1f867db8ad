"""Finds JPEG pictures in a stream of bytes, whatever is between them, and decodes them."""

import re
import struct
import time
from collections import deque

from lightcam_edge.errors import InputError
from lightcam_edge.images import decode_image
from lightcam_edge.jpeg import END, SCAN, START, WITHOUT_LENGTH
from lightcam_edge.streaming.sources.grammar import CaptureOptions
from lightcam_edge.streaming.sources.reading import CorruptPictureError, Picture, Throttle, Wants, always

MAX_PICTURE_BYTES = 64 << 20
_BEGIN = b"\xff\xd8\xff"
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # what ends a scan: neither a stuffed byte nor a restart


class JpegSplitter:
    """Takes bytes as they come and gives each picture as soon as its last byte is there.

    It follows the segments (ITU T.81, annex B) instead of multipart headers:
    cameras write wrong boundaries and lengths, and a reader that waits for the
    next boundary is a picture late. A thumbnail inside a segment does not end
    the picture.
    """

    def __init__(self) -> None:
        self.corrupt = 0
        self._buffer = bytearray()
        self._at = 0  # how far the picture at the buffer's start has been followed; 0 before its start
        self._in_scan = False

    def feed(self, content: bytes) -> list[bytes]:
        """Take more bytes.

        Returns:
            Pictures that are whole now, in order.
        """
        self._buffer += content
        pictures = []
        while (end := self._find_end()) is not None:
            pictures.append(bytes(self._buffer[:end]))
            self._drop(end)
        if len(self._buffer) > MAX_PICTURE_BYTES:
            self._give_up(len(self._buffer))
        return pictures

    def _find_end(self) -> int | None:
        """Where the first picture ends, or None where its end is not there yet."""
        while self._at or self._find_start():
            step = self._follow_scan() if self._in_scan else self._follow_segment()
            if step == END:
                return self._at
            if step is None:
                return None
        return None

    def _find_start(self) -> bool:
        start = self._buffer.find(_BEGIN)
        if start < 0:
            del self._buffer[: max(len(self._buffer) - len(_BEGIN) + 1, 0)]
            return False
        del self._buffer[:start]
        self._at = 2
        return True

    def _follow_scan(self) -> int | None:
        """Go to the marker that ends a scan; None where it is not there yet."""
        found = _MARKER.search(self._buffer, self._at)
        if found is None:
            self._at = max(self._at, len(self._buffer) - 1)
            return None
        self._at, self._in_scan = found.start(), False
        return 0

    def _follow_segment(self) -> int | None:
        """Pass one marker and its segment. Returns it, or None where it is not there yet."""
        head = self._buffer[self._at : self._at + 4]
        if len(head) < 2:
            return None
        marker = head[1]
        if head[0] != 0xFF or marker == START:
            # A wrong length may have led past the next picture's start; that of a scan cannot.
            self._give_up(self._at if head[0] == 0xFF else len(_BEGIN))
            return 0
        if marker == 0xFF:  # fill byte
            self._at += 1
        elif marker == END or marker in WITHOUT_LENGTH:
            self._at += 2
        elif len(head) < 4:
            return None
        else:
            self._at += 2 + int(struct.unpack_from(">H", head, 2)[0])
            self._in_scan = marker == SCAN
        return marker if marker in (END, START) else 0

    def _give_up(self, length: int) -> None:
        self.corrupt += 1
        self._drop(length)

    def _drop(self, length: int) -> None:
        del self._buffer[:length]
        self._at, self._in_scan = 0, False


class JpegPictures:
    """Turns bytes into pictures, one at a time.

    Args:
        name: of the source, for messages.
        options: how pictures are wished for.
    """

    def __init__(self, name: str, options: CaptureOptions) -> None:
        self._name = name
        self._enough_hw = options.enough_hw
        self._throttle = Throttle(options.most_fps)
        self._splitter = JpegSplitter()
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._corrupt_told = 0

    def feed(self, content: bytes) -> None:
        """Take bytes that have arrived."""
        now = time.monotonic_ns()
        self._waiting.extend((found, now) for found in self._splitter.feed(content))

    def next(self, wants: Wants = always) -> Picture | None:
        """Decode the next picture that is wanted; None where more bytes are needed.

        Args:
            wants: see `Camera.read`.

        Raises:
            CorruptPictureError: if it is damaged; the one after it may be asked for.
        """
        while self._waiting:
            content, arrived_ns = self._waiting.popleft()
            if self._throttle.passes() and wants(arrived_ns):
                return self._decode(content, arrived_ns)
        if self._corrupt_told < self._splitter.corrupt:
            self._corrupt_told += 1
            raise CorruptPictureError(f"a picture of {self._name} is cut short")
        return None

    def _decode(self, content: bytes, arrived_ns: int) -> Picture:
        started = time.perf_counter_ns()
        try:
            photo = decode_image(content, f"a picture of {self._name}", self._enough_hw)
        except InputError as error:
            raise CorruptPictureError(error) from None
        return Picture(photo, arrived_ns, (time.perf_counter_ns() - started) / 1e6)
