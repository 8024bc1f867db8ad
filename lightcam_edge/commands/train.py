"""`lightcam-edge train`: from a folder of labelled photographs to a Keras model."""

import importlib
import os
from pathlib import Path
from typing import Any

import click

from lightcam_edge.commands import completing
from lightcam_edge.errors import RuntimeMissingError

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("train")
@click.argument("data", shell_complete=completing.files)
@click.option("--out", type=FOLDER, required=True, help="Folder for the model and all that belongs to it.")
@click.option("--architecture", default="lite", show_default=True, help="lite, light-cam, vgg16, ...")
@click.option("--recipe", default="masks", show_default=True, help="masks, plain, or paper.")
@click.option("--background", metavar="NAME", help="The class that means nothing is there.")
@click.option("--data-root", type=FOLDER, help="Where the public data sets lie, for a DATA like bird-dog.")
@click.option("--epochs", type=click.IntRange(1), help="Default: by the number of photographs.")
@click.option("--batch-size", type=click.IntRange(1), help="Photographs a step. Default: the recipe's.")
@click.option("--learning-rate", type=float, help="At its peak. Default: the recipe's.")
@click.option("--input-size", type=click.IntRange(32), help="Side of the input in pixels.")
@click.option("--training-size", type=click.IntRange(32), help="Default: 5/7 of the input size.")
@click.option("--frozen-blocks", type=click.IntRange(0), help="Left as they are. Default: the recipe's.")
@click.option(
    "--averaging",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of the training whose weights are averaged; for long ones. Default: the recipe's.",
)
@click.option("--option", "options", metavar="NAME=VALUE", multiple=True, help="Of the architecture.")
@click.option("--backbone", type=FILE, help="Saved .keras or .weights.h5 file to start from.")
@click.option(
    "--teacher",
    "teachers",
    metavar="imagenet|FILE",
    multiple=True,
    help="Makes the masks: .keras, .tflite or lesson.npz. Several vote. Default: imagenet.",
)
@click.option(
    "--unlabelled",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of more photographs; ImageNet's network tells what each shows.",
)
@click.option("--validation-share", type=click.FloatRange(0, 0.5), default=0.1, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--precision", default="auto", show_default=True, help="auto, float32, mixed_bfloat16, ...")
@click.option(
    "--empty-share",
    type=click.FloatRange(0.5, 1),
    default=0.99,
    show_default=True,
    help="Held-out background photographs to be found empty: more means fewer false finds, and more missed.",
)
@click.option("--resume", is_flag=True, help="Go on where the same training stopped.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(data: str, out: Path, recipe: str, resume: bool, quiet: bool, **settings: Any) -> None:
    """Train a network on DATA: a folder with one sub-folder a class.

    DATA may also be a public data set's folder, or one of the paper's data sets
    by name (bird-dog, cat-dog, stanford-dogs-10, stanford-dogs) with
    --data-root. Writes model.keras, training.json, history.csv and curve.png to
    --out; `lightcam-edge convert` takes it from there.

    KERAS_BACKEND chooses tensorflow (the default, and the fastest on CPUs), torch or jax.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        ordering = importlib.import_module("lightcam_models.ordering")
        training = importlib.import_module("lightcam_models.training")
        progress = importlib.import_module("lightcam_models.progress")
    except ImportError as error:
        raise RuntimeMissingError(
            f"training needs {error.name}, which is not installed: pip install 'lightcam-edge[train]'"
        ) from error
    tell = progress.Progress(quiet)
    order = ordering.place(data, out, recipe, progress=tell, **settings)
    click.echo(training.train(order, resume, tell))
