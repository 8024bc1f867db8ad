"""`lightcam-edge convert`: from a Keras model to a model file."""

import importlib
from pathlib import Path
from typing import Any

import click

from lightcam_edge.choices import COMPONENTS, METHODS
from lightcam_edge.errors import InputError, RuntimeMissingError

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
SHARE = click.FloatRange(0, 1)


@click.command("convert")
@click.argument("model", type=FILE)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Model file.")
@click.option(
    "--quantize",
    type=click.Choice(("int8", "float16", "float32", "dynamic")),
    default="int8",
    show_default=True,
    help="Of weights and, with int8, of everything between input and output.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, exists=True),
    metavar="DIR",
    help="Training photographs in a folder, or a file that lists them. int8 needs them.",
)
@click.option("--labels", type=FILE, help="One label a line, in the order of the scores.")
@click.option("--background", metavar="NAME", help="The class that means nothing is there.")
@click.option("--method", type=click.Choice(METHODS), help="How the map is made.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of the map's peak above which a pixel counts.",
)
@click.option("--component", type=click.Choice(COMPONENTS), help="Box each connected part, or all together.")
@click.option(
    "--io",
    type=click.Choice(("uint8", "int8", "float32")),
    help="What the file takes. Default: uint8 for int8, else float32.",
)
@click.option("--name", help="Of the model. Default: the file's name.")
@click.option("--min-box-iou", type=SHARE, default=0.0, help="Fail below this mean IoU with Keras's boxes.")
@click.option("--min-agreement", type=SHARE, default=0.0, help="Fail below this share of Keras's classes.")
@click.option(
    "--report", type=click.Path(path_type=Path, file_okay=False), help="Folder for pictures of worst boxes."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw of photographs.")
@click.option("--quiet", is_flag=True, help="Print no table.")
def command(
    model: Path, out: Path, calibration: Path | None, labels: Path | None, quiet: bool, **options: Any
) -> None:
    """Convert MODEL, a .keras file, and check the result against it.

    Labels, background and box rule come from training.json beside the model
    unless they are given here. Scores, maps and boxes of the file are compared
    with Keras's on photographs that int8 was not calibrated with.
    """
    try:
        conversion = importlib.import_module("lightcam_converters.conversion")
        photographs = importlib.import_module("lightcam_converters.calibration")
    except ImportError as error:
        raise RuntimeMissingError(
            f"conversion needs {error.name}, which is not installed: pip install 'lightcam-edge[convert]'"
        ) from error
    paths = photographs.find_images(calibration) if calibration else ()
    report = conversion.convert(
        model, out, calibration=paths, labels=_read_labels(labels) if labels else None, **options
    )
    if not quiet:
        click.echo(report)


def _read_labels(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read labels from {path} ({error}): give UTF-8 text") from error
    return [line.strip() for line in lines if line.strip()]
