"""Draw the letters that boxes are labelled with: lightcam_edge/letters.png.

    python deploy/draw_letters.py

One row of the printable ASCII characters in Pillow's own font (Aileron, CC0),
white on black; the first line of pixels marks where each character starts.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE = 36  # of the font, in pixels
TARGET = Path(__file__).resolve().parent.parent / "lightcam_edge" / "letters.png"
CHARACTERS = [chr(code) for code in range(32, 127)]


def main() -> None:
    font = ImageFont.load_default(SIZE)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise SystemExit("error: this Pillow is built without FreeType: pip install --force-reinstall pillow")
    ascent, descent = font.getmetrics()
    columns = [draw(character, font, ascent + descent) for character in CHARACTERS]
    content = io.BytesIO()
    Image.fromarray(np.concatenate(columns, axis=1)).save(content, "PNG", optimize=True)
    TARGET.write_bytes(content.getvalue())


def draw(character: str, font: ImageFont.FreeTypeFont, height: int) -> np.ndarray:
    width = round(font.getlength(character))
    tile = Image.new("L", (width, height))
    ImageDraw.Draw(tile).text((0, 0), character, 255, font)
    mark = np.zeros((1, width), np.uint8)
    mark[0, 0] = 255
    return np.concatenate([mark, np.asarray(tile)])


if __name__ == "__main__":
    main()
