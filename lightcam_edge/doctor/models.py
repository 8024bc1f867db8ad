"""Whether the model files are what they were when they were made."""

from collections.abc import Iterator, Sequence

from lightcam_edge.catalogue import bundled_models
from lightcam_edge.doctor.finding import Finding
from lightcam_edge.doctor.python import Python
from lightcam_edge.errors import ModelFileError

NEEDED = ("numpy", "opencv")  # by the module that reads model files


def check_models(names: Sequence[str], python: Python) -> Iterator[Finding]:
    """Verify the digests of the bundled models, and of others.

    Args:
        names: model files, or names of bundled ones, besides all that are bundled.
        python: tells whether the reader of model files can be imported.
    """
    if missing := [name for name in NEEDED if not python.loads(name)]:
        message = f"not verified, because {' and '.join(missing)} must load for it"
        yield Finding("models", "digest", "info", message)
        return
    bundled = bundled_models()
    for name in dict.fromkeys([*bundled, *names]):
        yield _digest(name, name in bundled)


def _digest(name: str, is_bundled: bool) -> Finding:
    from lightcam_edge.model_file import read_model

    check = f"digest {name}"
    try:
        model = read_model(name)
    except ModelFileError as error:
        fix = "pip install --force-reinstall --no-deps lightcam-edge" if is_bundled else "copy the file again"
        return Finding("models", check, "fail", str(error), fix)
    size = model.path.stat().st_size
    facts = {"path": str(model.path), "size": size}
    if model.card is None:
        message = f"{model.path} has no model card, so nothing vouches for it"
        return Finding(
            "models", check, "warn", message, "lightcam-edge convert MODEL.keras --out FILE", facts
        )
    message = f"{name} {size / 1e6:.2f} MB, digest verified"
    return Finding("models", check, "ok", message, facts=facts | {"sha256": model.card.sha256})
