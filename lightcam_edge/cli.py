"""The command line: a group whose commands are imported when they are called."""

import gc
import importlib
import io
import os
import sys
import warnings

import click

from lightcam_edge import __version__
from lightcam_edge.errors import LightcamError
from lightcam_edge.native_log import native_log_hushed

NAME = "lightcam-edge"
COMMANDS = {
    "run": "Find objects in images and videos.",
    "stream": "Find objects in what cameras see.",
    "train": "Train a network on labelled photographs.",
    "convert": "Turn a Keras model into a model file.",
    "inspect": "Show what a model file holds.",
    "card": "Change a model file's card.",
    "evaluate": "Measure a model on images with boxes.",
    "benchmark": "Measure speed, memory and energy on this board.",
    "doctor": "Find what is wrong with this board, and what mends it.",
    "completion": "Complete commands and model names in a shell.",
    "man": "Write the manual pages.",
}


class Commands(click.Group):
    """Imports `lightcam_edge.commands.<name>` when that command is called, and not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The module's `command`, with `--verbose`."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name != "train":  # maps are too small to share out, and idle threads of OpenBLAS spin
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        command: click.Command = importlib.import_module(f"lightcam_edge.commands.{cmd_name}").command
        if VERBOSE not in command.params:
            command.params.append(VERBOSE)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _hush(ctx: click.Context, _: click.Parameter, verbose: bool) -> None:
    if not verbose and not ctx.resilient_parsing:
        ctx.with_resource(native_log_hushed())


VERBOSE = click.Option(
    ["-v", "--verbose"],
    is_flag=True,
    expose_value=False,
    callback=_hush,
    help="Let native libraries' log lines through.",
)


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name=NAME)
def group() -> None:
    """Find objects on small boards with models trained from image-level labels only."""


def main() -> None:
    """Run the command line, and exit with 0 (all done), 1 (some inputs failed), 2 (usage) or 3 (model)."""
    gc.set_threshold(20_000)  # 700 costs a cold run 3% of its time, and finds nothing
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of oddities in files that it reads all the same
    warnings.showwarning = _show_warning
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be any bytes
    try:
        code = group.main(prog_name=NAME, standalone_mode=False)
    except click.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except LightcamError as error:
        click.echo(f"error: {error}", err=True)
        code = error.exit_code
    gc.freeze()  # the end would look through all that numpy and OpenCV made, a tenth of a cold run
    sys.exit(code if isinstance(code, int) else 0)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    click.echo(f"warning: {message}", err=True)
