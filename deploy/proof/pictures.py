"""Make pictures to look at: pictures.py FOLDER. The samples, and PNGs of them, since JPEG decoders differ."""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter

SAMPLES = Path(__file__).resolve().parents[2] / "lightcam_edge" / "samples"


def sample(name: str) -> Image.Image:
    return Image.open(SAMPLES / f"{name}.jpg").convert("RGB")


def placed(name: str, width: int, at: tuple[int, int]) -> Image.Image:
    """An animal's photograph, small, on the landscape."""
    scene, animal = sample("landscape"), sample(name)
    scene.paste(animal.resize((width, width * animal.height // animal.width), Image.Resampling.LANCZOS), at)
    return scene


def noise(deviation: float) -> Image.Image:
    pixels: npt.NDArray[np.float64] = np.asarray(sample("dog"), np.float64)
    noisy = pixels + np.random.default_rng(0).normal(0, deviation, pixels.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def pictures() -> dict[str, Image.Image]:
    bird, dog = sample("bird"), sample("dog")
    return {
        "bird-mirrored": bird.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "bird-upright": bird.rotate(90, expand=True),
        "bird-cropped": bird.crop((bird.width // 5, 0, bird.width, bird.height * 4 // 5)),
        "bird-grey": bird.convert("L").convert("RGB"),
        "bird-placed": placed("bird", 180, (60, 150)),
        "dog-noisy": noise(20),
        "dog-dark": ImageEnhance.Brightness(dog).enhance(0.4),
        "dog-blurred": dog.filter(ImageFilter.GaussianBlur(4)),
        "dog-placed": placed("dog", 240, (300, 120)),
        "landscape-mirrored": sample("landscape").transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "grey": Image.new("RGB", (640, 480), (120, 120, 120)),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("bird", "dog", "landscape"):
        (folder / f"{name}.jpg").write_bytes((SAMPLES / f"{name}.jpg").read_bytes())
    for name, picture in pictures().items():
        picture.save(folder / f"{name}.png")


if __name__ == "__main__":
    main()
