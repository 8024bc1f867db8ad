"""`lightcam-edge doctor`: what is wrong with this board, and what mends it."""

import json
from pathlib import Path

import click

from lightcam_edge.commands import completing


@click.command("doctor")
@click.argument("models", metavar="[MODEL]...", nargs=-1, shell_complete=completing.models)
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    shell_complete=completing.files,
    help="A stream's TOML file: reach for its cameras, broker and webhook.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default="/",
    show_default=True,
    help="Folder under which the board's sys, proc, dev and etc lie.",
)
def command(models: tuple[str, ...], config: Path | None, as_json: bool, root: Path) -> None:
    """Look for what is wrong with this board, and say what mends it.

    MODEL is a model file to verify besides the bundled ones.

    Exit codes: 0 nothing fails, 1 something fails, 2 wrong usage, 3 the
    program cannot run here: runtime, OpenCV or a model fails.
    """
    from lightcam_edge.doctor import report
    from lightcam_edge.doctor.examination import examine, exit_code, this_board

    findings = examine(this_board(root, models, config))
    if as_json:
        click.echo(json.dumps(report.to_dict(findings), ensure_ascii=False))
    else:
        click.echo(report.to_text(findings))
    click.get_current_context().exit(exit_code(findings))
