"""Which models come with this package; imports nothing heavy, since shells ask at every press of Tab."""

from pathlib import Path

DEFAULT_MODEL = "lite"


def bundled_models() -> dict[str, Path]:
    """The models that come with this package, by name."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "bundled").glob("*.tflite"))}
