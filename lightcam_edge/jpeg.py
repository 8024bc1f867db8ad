"""Reads a JPEG's header: enough to choose a decoder and a scale without importing Pillow."""

import struct
from dataclasses import dataclass

START, END, SCAN, EXIF = 0xD8, 0xD9, 0xDA, 0xE1
WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # those three are tables
HUFFMAN_FRAMES = {0xC0, 0xC1, 0xC2}  # what every libjpeg decodes
ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What a JPEG says of itself before its pixels.

    Args:
        height: as stored, in pixels.
        width: as stored, in pixels.
        ordinary: 8-bit grey or three-channel, baseline or progressive.
        orientation: EXIF orientation, 1 to 8.
        complete: the end-of-image marker is there.
    """

    height: int
    width: int
    ordinary: bool
    orientation: int
    complete: bool

    @property
    def upright_hw(self) -> tuple[int, int]:
        """Height and width as the image should be seen."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)


def read_jpeg_header(content: bytes) -> JpegHeader | None:
    """Read the segments before the pixels (ITU T.81, annex B).

    Returns:
        The header, or None where this is no JPEG, or one whose header ends
        early: let a decoder tell what is wrong.
    """
    if content[:3] != b"\xff\xd8\xff":
        return None
    frame: tuple[int, ...] | None = None
    orientation, at = 1, 2
    try:
        while True:
            prefix, marker = content[at], content[at + 1]
            if prefix != 0xFF:
                return None
            if marker == 0xFF:  # fill byte
                at += 1
                continue
            if marker in WITHOUT_LENGTH:
                at += 2
                continue
            if marker == SCAN:
                break
            (length,) = struct.unpack_from(">H", content, at + 2)
            if marker in FRAMES:
                frame = (marker, *struct.unpack_from(">BHHB", content, at + 4))
            elif marker == EXIF and orientation == 1:
                orientation = _exif_orientation(content[at + 4 : at + 2 + length])
            at += 2 + length
    except (IndexError, struct.error):
        return None
    if frame is None or 0 in frame[2:4]:
        return None
    marker, bits, height, width, channels = frame
    ordinary = marker in HUFFMAN_FRAMES and bits == 8 and channels in (1, 3)
    # Coded pixels never hold FF D9, so one after the scan's start is the end of the image.
    complete = content.rfind(b"\xff\xd9", at) >= 0
    return JpegHeader(height, width, ordinary, orientation, complete)


def _exif_orientation(segment: bytes) -> int:
    """Orientation in an APP1 segment's first TIFF directory; 1 where it says none or makes no sense."""
    tiff = segment[6:]
    if segment[:6] != b"Exif\0\0" or tiff[:2] not in (b"II", b"MM"):
        return 1
    order = "<" if tiff[:2] == b"II" else ">"
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, directory + 2 + 12 * entry)
            if tag == ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
