"""Options that say how objects are found, the same for every command that looks for some."""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any

import click

from lightcam_edge.choices import COMPONENTS, METHODS, SCORINGS
from lightcam_edge.commands import completing

if TYPE_CHECKING:
    from lightcam_edge.localizer import Options

Decorated = Callable[..., Any]
MODEL = click.option(
    "--model",
    metavar="FILE|NAME",
    shell_complete=completing.models,
    help="Model file, or a bundled model's name. Default: lite.",
)
NAMES = (
    "method",
    "threshold",
    "component",
    "score",
    "presence",
    "label",
    "max_boxes",
    "split",
    "min_score",
)
OPTIONS = (
    click.option(
        "--method", type=click.Choice(METHODS), help="How the map is made. Default: the model card's."
    ),
    click.option(
        "--threshold",
        type=click.FloatRange(0, 1, max_open=True),
        help="Share of the map's peak above which a pixel counts. Default: the model card's.",
    ),
    click.option(
        "--component",
        type=click.Choice(COMPONENTS),
        help="Box each connected part, the largest first, or all parts together. Default: the model card's.",
    ),
    click.option(
        "--score",
        type=click.Choice(SCORINGS),
        help="Classify the whole frame, or the region of each box. Default: the model card's.",
    ),
    click.option(
        "--presence",
        type=click.FloatRange(0),
        help="Value of the map that an object must reach where regions are scored. "
        "Default: the model card's.",
    ),
    click.option(
        "--class",
        "label",
        metavar="LABEL",
        shell_complete=completing.labels,
        help="Find this class, whatever scores highest.",
    ),
    click.option(
        "--max-boxes", type=click.IntRange(0), default=1, show_default=True, help="Boxes an image; 0 is all."
    ),
    click.option(
        "--split/--no-split",
        default=None,
        help="Give objects that touch a box each. Default: where several boxes are wanted.",
    ),
    click.option(
        "--min-score",
        type=click.FloatRange(0, 1),
        default=0.0,
        show_default=True,
        help="No box where the class scores less.",
    ),
)


def decorate(command: Decorated, options: tuple[Callable[[Decorated], Decorated], ...]) -> Decorated:
    """Give a command options, in their order."""
    return reduce(lambda decorated, option: option(decorated), reversed(options), command)


def localizing(command: Decorated) -> Decorated:
    """Give a command `--model` and the options that say how objects are found."""
    return decorate(command, (MODEL, *OPTIONS))


def localizer_options(values: Mapping[str, Any]) -> "Options":
    """What the caller wants otherwise than the model card."""
    from lightcam_edge.localizer import Options

    return Options(**{name: values[name] for name in NAMES})
