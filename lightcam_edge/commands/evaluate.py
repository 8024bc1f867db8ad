"""`lightcam-edge evaluate`: how good models are on photographs whose truth is known."""

import importlib
import os
from pathlib import Path
from typing import Any

import click

from lightcam_edge.choices import COMPONENTS, METHODS, SCORINGS
from lightcam_edge.commands import completing
from lightcam_edge.errors import RuntimeMissingError

FOLDER = click.Path(path_type=Path, file_okay=False)

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("evaluate")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, shell_complete=completing.models)
@click.argument("data", shell_complete=completing.files)
@click.option("--data-root", type=FOLDER, help="Where the public data sets lie, for a DATA like bird-dog.")
@click.option(
    "--split",
    type=click.Choice(("train", "test", "held-out")),
    help="Part of DATA; held-out: what training has not learnt from, to choose by. Default: test.",
)
@click.option("--background", metavar="NAME", help="The class of DATA that means nothing is there.")
@click.option("--method", type=click.Choice(METHODS), help="Default: the model card's.")
@click.option("--threshold", type=click.FloatRange(0, 1, max_open=True), help="Default: the model card's.")
@click.option("--component", type=click.Choice(COMPONENTS), help="Default: the model card's.")
@click.option("--score", type=click.Choice(SCORINGS), help="Classify frames or regions. Default: the card's.")
@click.option("--presence", type=click.FloatRange(0), help="Least peak of a region. Default: the card's.")
@click.option("--several", is_flag=True, help="Score photographs with several boxes too, by the best match.")
@click.option(
    "--pet-boxes",
    type=click.Choice(("body", "head")),
    default="body",
    show_default=True,
    help="Which boxes Oxford-IIIT Pet, and cat-dog, give.",
)
@click.option(
    "--placed", metavar="CUTOUTS", help="Place objects on scenes too: data with masks or boxes, or PNGs."
)
@click.option(
    "--composed", metavar="CUTOUTS", help="Count every box on scenes of 2 to 5 objects too, from the same."
)
@click.option(
    "--scenes", type=FOLDER, help="Photographs without objects. Default: landscape/test of --data-root."
)
@click.option(
    "--calibrate",
    type=click.Choice(("boxes", "no-boxes")),
    help="Choose the box rule on held-out training photographs, with or without boxes, into the card.",
)
@click.option(
    "--held-out",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.1,
    show_default=True,
    help="Share of the training photographs, as in the training, whose --seed counts too.",
)
@click.option("--limit", type=click.IntRange(1), help="At most so many photographs.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of every choice by chance.")
@click.option("--threads", type=click.IntRange(1), help="Default: physical cores.")
@click.option("--json", "as_json", is_flag=True, help="Print everything that was measured as JSON.")
@click.option("--report", type=FILE, help="Write an HTML page with curves and photographs.")
@click.option("--write-card", is_flag=True, help="Store the results in each model file's card.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(models: tuple[str, ...], data: str, **settings: Any) -> None:
    """Measure each MODEL on DATA: how often class and box are right, and what a box that never looks scores.

    MODEL is a model file, the name of a bundled one, or a trained model.keras
    beside its training.json. DATA is a folder with one sub-folder a class and
    boxes (COCO, VOC or CSV), a public data set's folder, or one of the paper's
    data sets by name (bird-dog, cat-dog, stanford-dogs-10, stanford-dogs) with
    --data-root.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        running = importlib.import_module("lightcam_models.evaluation.running")
    except ImportError as error:
        raise RuntimeMissingError(
            f"evaluation needs {error.name}, which is not installed: pip install 'lightcam-edge[train]'"
        ) from error
    click.echo(running.run(models, data, **settings))
