"""`lightcam-edge run`: find objects in images and videos."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from lightcam_edge.choices import BACKENDS, OVERLAYS
from lightcam_edge.commands import completing
from lightcam_edge.commands.localizing import localizer_options, localizing
from lightcam_edge.errors import UsageError

if TYPE_CHECKING:
    from lightcam_edge.localizer import Localizer


@click.command("run")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", shell_complete=completing.files)
@localizing
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for annotated pictures."
)
@click.option(
    "--overlay",
    type=click.Choice(OVERLAYS),
    default="none",
    show_default=True,
    help="Heat map in the pictures: beside the photograph, or in its place.",
)
@click.option("--crops", is_flag=True, help="Write what is inside each box to --out as well.")
@click.option("--map", "maps", is_flag=True, help="Write the raw activation map to --out as .npy.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.option("--threads", type=click.IntRange(1), help="Work on so many cores. Default: all physical ones.")
@click.option("--backend", type=click.Choice(BACKENDS), help="TFLite runtime. Default: the first installed.")
@click.option("--quiet", is_flag=True, help="Print errors and, with --json, results; nothing else.")
def command(paths: tuple[str, ...], quiet: bool, as_json: bool, **options: Any) -> None:
    """Find the object in each image, and in each frame of a video.

    PATH is an image, a video, a folder (searched through), a pattern such as
    'photos/*.jpg', or - for a list of these on stdin.

    Exit codes: 0 all done, 1 some inputs failed, 2 wrong usage, 3 bad model or
    missing runtime.
    """
    out, crops, maps = options["out"], options["crops"], options["maps"]
    if out is None and (crops or maps or options["overlay"] != "none"):
        raise UsageError("--overlay, --crops and --map write to a folder: add --out DIR")

    from lightcam_edge.running import run

    make_localizer, threads = _localizers(options)
    folder = None
    if out is not None:
        from lightcam_edge.outputs import OutputFolder

        folder = OutputFolder(out, options["overlay"], crops, maps)
    failed = run(make_localizer, threads, paths, _stdin(), folder, as_json, quiet)
    click.get_current_context().exit(1 if failed else 0)


def _stdin() -> Iterator[str]:
    if sys.stdin is None:  # a service may have none
        return
    try:
        # Python aborts at its end where a thread still waits in its own sys.stdin.
        lines: BinaryIO = open(sys.stdin.fileno(), "rb", closefd=False)  # noqa: SIM115
    except OSError:
        lines = sys.stdin.buffer
    yield from map(os.fsdecode, lines)


def _localizers(options: dict[str, Any]) -> "tuple[Callable[[int], Localizer], int]":
    """What makes localizers, by their number of threads, and how many threads there are."""
    from lightcam_edge.catalogue import DEFAULT_MODEL
    from lightcam_edge.localizer import Localizer, physical_cores
    from lightcam_edge.model_file import read_model

    model = read_model(options["model"] or DEFAULT_MODEL)
    wanted = localizer_options(options)

    def make_localizer(threads: int) -> Localizer:
        # The command line keeps the runtime's log lines from the user, see native_log.
        return Localizer(model, threads=threads, backend=options["backend"], options=wanted, verbose=True)

    return make_localizer, options["threads"] or physical_cores()
