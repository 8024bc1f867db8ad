import io

import numpy as np
import pytest
from PIL import Image
from streaming_servers import jpeg, moving_square

from lightcam_edge.streaming.sources.grammar import CaptureOptions
from lightcam_edge.streaming.sources.mjpeg import JpegPictures, JpegSplitter
from lightcam_edge.streaming.sources.reading import CorruptPictureError


def noise(rng: np.random.Generator, size_hw: tuple[int, int] = (40, 60)) -> np.ndarray:
    return rng.integers(0, 256, (*size_hw, 3), np.uint8)


def progressive_with_thumbnail(pixels: np.ndarray) -> bytes:
    """A JPEG with another JPEG in its EXIF segment, several scans, and restart markers in none."""
    exif = b"Exif\0\0" + jpeg(pixels[::4, ::4])
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "JPEG", progressive=True, exif=exif)
    return written.getvalue()


@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 20])
def test_pictures_are_found_however_the_bytes_come(rng: np.random.Generator, step: int) -> None:
    pictures = [
        jpeg(noise(rng)),
        progressive_with_thumbnail(noise(rng)),
        jpeg(moving_square(3)) + b"",
        jpeg(noise(rng), quality=100),
    ]
    stream = b"".join(
        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 99\r\n\r\n" + picture + b"\r\n"
        for picture in pictures
    )
    splitter = JpegSplitter()

    found = [p for at in range(0, len(stream), step) for p in splitter.feed(stream[at : at + step])]

    assert found == pictures
    assert splitter.corrupt == 0


def test_a_picture_is_there_with_its_last_byte() -> None:
    picture = jpeg(moving_square(0))
    splitter = JpegSplitter()

    assert splitter.feed(picture[:-1]) == []
    assert splitter.feed(picture[-1:]) == [picture]


def test_a_picture_that_is_cut_short_costs_itself_only(rng: np.random.Generator) -> None:
    whole, cut = jpeg(noise(rng)), jpeg(noise(rng))[:-300]
    splitter = JpegSplitter()

    found = splitter.feed(whole + cut + b"\r\n--frame\r\n\r\n" + whole + whole)

    assert found == [whole] * 3
    assert splitter.corrupt == 1


def test_a_damaged_header_costs_one_picture(rng: np.random.Generator) -> None:
    whole = jpeg(noise(rng))
    damaged = whole[:4] + b"\xff\xf0" + whole[6:]  # the first segment now claims 65,520 bytes
    splitter = JpegSplitter()

    found = splitter.feed(damaged + whole * 80)

    assert found == [whole] * 80
    assert splitter.corrupt == 1


def test_bytes_that_are_no_picture_do_not_gather(rng: np.random.Generator) -> None:
    splitter = JpegSplitter()
    for _ in range(100):
        assert splitter.feed(b"<html>" * 10_000) == []

    assert len(splitter._buffer) < 10
    assert splitter.corrupt == 0


def test_a_picture_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightcam_edge.streaming.sources.mjpeg.MAX_PICTURE_BYTES", 100_000)
    picture = jpeg(moving_square(0))
    splitter = JpegSplitter()
    splitter.feed(picture[:-2])
    for _ in range(20):
        splitter.feed(bytes(10_000))

    assert splitter.corrupt == 1
    assert splitter.feed(picture) == [picture]


def test_a_picture_that_cannot_be_decoded_is_told_and_the_next_one_comes() -> None:
    picture = jpeg(moving_square(0))
    undecodable = b"\xff\xd8\xff\xda\x00\x02abc\xff\xd9"
    pictures = JpegPictures("the door", CaptureOptions())
    pictures.feed(undecodable + picture)

    with pytest.raises(CorruptPictureError, match="a picture of the door"):
        pictures.next()
    found = pictures.next()

    assert found is not None
    assert found.photo.image_hw == (120, 160)
    assert found.decode_ms > 0
    assert pictures.next() is None


def test_more_pictures_than_are_wished_for_are_not_decoded() -> None:
    pictures = JpegPictures("the door", CaptureOptions(fps=1))
    pictures.feed(jpeg(moving_square(0)) * 10)

    assert pictures.next() is not None
    assert pictures.next() is None


def test_pictures_that_nobody_wants_are_not_decoded() -> None:
    undecodable = b"\xff\xd8\xff\xda\x00\x02abc\xff\xd9"
    pictures = JpegPictures("the door", CaptureOptions())
    pictures.feed(undecodable * 3)

    assert pictures.next(lambda _: False) is None


def test_a_reduced_picture_keeps_the_size_of_the_whole_one() -> None:
    pictures = JpegPictures("the door", CaptureOptions(enough_hw=(56, 56)))
    pictures.feed(jpeg(moving_square(0, (480, 640))))

    found = pictures.next()

    assert found is not None
    assert found.photo.image_hw == (480, 640)
    assert found.photo.pixels.shape == (60, 80, 3)
