import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from lightcam_edge import images
from lightcam_edge.errors import InputError
from lightcam_edge.images import decode_image, photo_from_array, photo_from_pil, read_image

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 60), (20, 40, 230), (250, 250, 250)
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,  # anticlockwise
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """48 wide and 32 high, each quarter of another colour, so that no two orientations look the same."""
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:16, :24], pixels[:16, 24:], pixels[16:, :24], pixels[16:, 24:] = RED, GREEN, BLUE, WHITE
    return Image.fromarray(pixels)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def assert_same(pixels: np.ndarray, expected: Image.Image, tolerance: int = 0) -> None:
    wanted = np.asarray(expected.convert("RGB"), int)
    assert pixels.shape == wanted.shape
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - wanted).max() <= tolerance


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 6),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}, 6),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("GIF", {}, 0),
        ("BMP", {}, 0),
        ("PPM", {}, 0),
    ],
)
def test_every_format_gives_the_picture(
    picture: Image.Image, kind: str, options: dict[str, Any], tolerance: int
) -> None:
    photo = decode_image(encoded(picture, kind, **options), "photo")

    assert_same(photo.pixels, picture, tolerance)
    assert photo.image_hw == (32, 48)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("endian", ["<", ">"])
def test_every_orientation_comes_out_upright(
    picture: Image.Image, kind: str, orientation: int, endian: str
) -> None:
    exif = Image.Exif()
    exif.endian = endian
    exif[0x010F] = "Maker"  # so that the orientation is not the first entry
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    content = encoded(picture, kind, exif=exif, **options)
    turn = TURNS.get(orientation)
    expected = picture if turn is None else picture.transpose(turn)

    photo = decode_image(content, "photo")

    assert photo.image_hw == ((48, 32) if orientation >= 5 else (32, 48))
    assert_same(photo.pixels, expected, 6 if kind == "JPEG" else 0)
    pil = photo_from_pil(Image.open(io.BytesIO(content)))
    assert_same(pil.pixels, expected, 6 if kind == "JPEG" else 0)


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0MM\0*\0\0\0\x08\0\x01"]
)
def test_exif_that_makes_no_sense_counts_as_none(picture: Image.Image, exif: bytes) -> None:
    plain = encoded(picture, "JPEG")
    content = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:]

    assert (decode_image(content, "photo").pixels == decode_image(plain, "photo").pixels).all()


def test_opencv_and_pillow_agree_on_a_photograph(rng: np.random.Generator) -> None:
    coarse = rng.integers(0, 256, (12, 20, 3), np.uint8)
    content = encoded(
        Image.fromarray(coarse).resize((200, 120), Image.Resampling.BICUBIC), "JPEG", quality=90
    )

    assert_same(decode_image(content, "photo").pixels, Image.open(io.BytesIO(content)), 4)


@pytest.mark.parametrize(
    ("enough_hw", "decoded_hw"), [((100, 150), (129, 203)), ((300, 10), (515, 809)), ((64, 100), (65, 102))]
)
def test_a_large_jpeg_is_decoded_at_the_scale_that_is_enough(
    enough_hw: tuple[int, int], decoded_hw: tuple[int, int]
) -> None:
    content = encoded(Image.new("RGB", (809, 515), RED), "JPEG")

    photo = decode_image(content, "photo", enough_hw)

    assert photo.pixels.shape[:2] == decoded_hw
    assert photo.image_hw == (515, 809)
    assert np.abs(photo.pixels[0, 0].astype(int) - RED).max() <= 3


def test_a_turned_jpeg_is_reduced_by_its_upright_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(Image.new("RGB", (800, 400)), "JPEG", exif=exif)

    photo = decode_image(content, "photo", (200, 100))

    assert photo.image_hw == (800, 400)
    assert photo.pixels.shape == (200, 100, 3)


def test_palette_and_grey_and_black_and_white_become_rgb(picture: Image.Image) -> None:
    for mode in ("P", "L", "1"):
        other = picture.convert(mode)
        assert_same(decode_image(encoded(other, "PNG"), "photo").pixels, other)
    grey = decode_image(encoded(picture.convert("L"), "JPEG", quality=95), "photo")
    assert_same(grey.pixels, picture.convert("L"), 8)


def test_transparent_pixels_become_white() -> None:
    half = Image.new("RGBA", (4, 2), (200, 0, 100, 0))
    half.putpixel((0, 0), (200, 0, 100, 255))
    half.putpixel((1, 0), (200, 0, 100, 51))  # a fifth

    for kind in ("PNG", "WEBP"):
        pixels = decode_image(encoded(half, kind, lossless=True), "photo").pixels
        assert pixels[0, :3].tolist() == [[200, 0, 100], [244, 204, 224], [255, 255, 255]]


def test_a_transparent_palette_entry_becomes_white() -> None:
    image = Image.new("P", (2, 1), 1)
    image.putpalette([9, 8, 7, 1, 2, 3])
    image.putpixel((0, 0), 0)

    pixels = decode_image(encoded(image, "PNG", transparency=0), "photo").pixels

    assert pixels[0].tolist() == [[255, 255, 255], [1, 2, 3]]


def test_grey_with_alpha_becomes_white_where_transparent() -> None:
    image = Image.new("LA", (2, 1), (40, 255))
    image.putpixel((1, 0), (40, 0))

    assert decode_image(encoded(image, "PNG"), "photo").pixels[0].tolist() == [[40] * 3, [255] * 3]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_cut(kind: str) -> None:
    values = np.array([[0, 257, 32896, 65535]], np.uint16)

    pixels = decode_image(encoded(Image.fromarray(values), kind), "photo").pixels

    assert pixels[0].tolist() == [[0] * 3, [1] * 3, [128] * 3, [255] * 3]


def test_sixteen_bit_colour_keeps_its_high_bytes() -> None:
    _, content = cv2.imencode(".png", np.array([[[0x1234, 0x8000, 0xFFFF]]], np.uint16))  # BGR

    assert decode_image(content.tobytes(), "photo").pixels[0, 0].tolist() == [255, 128, 0x12]


def test_the_first_frame_of_gif_and_tiff_counts(picture: Image.Image) -> None:
    other = Image.new("RGB", picture.size)

    for kind in ("GIF", "TIFF", "WEBP"):
        content = encoded(picture, kind, save_all=True, append_images=[other], lossless=True)
        assert_same(decode_image(content, "photo").pixels, picture)


def test_inverted_and_plain_cmyk_show_their_colours() -> None:
    red = Image.new("CMYK", (16, 8), (0, 255, 255, 0))

    for kind in ("JPEG", "TIFF"):  # Pillow writes JPEG as Adobe does, inverted
        pixels = decode_image(encoded(red, kind), "photo").pixels
        assert np.abs(pixels[3, 5].astype(int) - [255, 0, 0]).max() <= 3


def test_floating_point_pixels_are_refused() -> None:
    image = Image.new("F", (4, 4), 0.5)

    with pytest.raises(InputError, match=r"^photo has floating point pixels.*8 or 16 bits$"):
        decode_image(encoded(image, "TIFF"), "photo")
    with pytest.raises(InputError, match=r"^the image has floating point pixels"):
        photo_from_pil(image)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_file_cut_short_is_refused_in_one_line(kind: str, share: float, rng: np.random.Generator) -> None:
    noise = Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8))
    content = encoded(noise, kind)

    with pytest.raises(InputError, match=r"^photo is .*: (copy it again|give a JPEG.* file)$"):
        decode_image(content[: int(len(content) * share)], "photo")


def test_a_jpeg_cut_short_behind_its_thumbnail_is_refused(picture: Image.Image) -> None:
    thumbnail = encoded(picture, "JPEG")
    plain = encoded(picture.resize((480, 320)), "JPEG")
    content = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + plain[2:-200]

    with pytest.raises(InputError, match="cut short, its end is missing"):
        decode_image(content, "photo")


def test_a_jpeg_with_something_behind_its_end_is_read(picture: Image.Image) -> None:
    photo = decode_image(encoded(picture, "JPEG", quality=95, subsampling=0) + b"trailer" * 9, "photo")

    assert_same(photo.pixels, picture, 6)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_text_and_nothing_under_an_images_name_are_refused(tmp_path: Path, suffix: str) -> None:
    text, empty = tmp_path / f"text.{suffix}", tmp_path / f"empty.{suffix}"
    text.write_text("this is no image")
    empty.touch()

    with pytest.raises(InputError, match=r"text\.... is no image that can be read: give a JPEG"):
        read_image(text)
    with pytest.raises(InputError, match=r"empty\.... is empty: copy it again"):
        read_image(empty)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")

    for name, reason in (
        ("missing.jpg", "cannot read .*missing.jpg: No such file or directory"),
        ("", "is a folder, not an image"),
        ("pipe.jpg", "is a pipe, socket or device"),
        ("nul\0.jpg", "cannot read .*: .*null"),
    ):
        with pytest.raises(InputError, match=reason):
            read_image(tmp_path / name)


def test_a_file_too_large_for_an_image_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(images.MAX_FILE_BYTES + 1)

    with pytest.raises(InputError, match="bytes, more than"):
        read_image(tmp_path / "huge.jpg")


def _png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n\0\0\0\r" + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\0\0IDAT"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [11_000, 60_000])
def test_decompression_bombs_are_refused_unread(picture: Image.Image, side: int) -> None:
    jpeg = encoded(picture, "JPEG")
    frame = jpeg.index(b"\xff\xc0") + 5

    for bomb in (_png_header(side, side), jpeg[:frame] + struct.pack(">HH", side, side) + jpeg[frame + 4 :]):
        with pytest.raises(InputError, match=r"^photo has .*pixels.*: scale it down$"):
            decode_image(bomb, "photo")


def test_arrays_say_their_channels(rng: np.random.Generator) -> None:
    array = rng.integers(0, 256, (3, 5, 3), np.uint8)

    assert (photo_from_array(array, "rgb").pixels == array).all()
    assert (photo_from_array(array, "bgr").pixels == array[..., ::-1]).all()
    assert photo_from_array(array, "rgb").image_hw == (3, 5)
    with pytest.raises(ValueError, match="say 'rgb' or 'bgr'"):
        photo_from_array(array, None)


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 4), (0, 5, 3)])
def test_arrays_of_another_shape_or_type_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"not \(h, w, 3\) uint8"):
        photo_from_array(np.zeros(shape, np.uint8), "rgb")
    with pytest.raises(ValueError, match=r"float32, not \(h, w, 3\) uint8"):
        photo_from_array(np.zeros((3, 5, 3), np.float32), "rgb")  # type: ignore[arg-type]
