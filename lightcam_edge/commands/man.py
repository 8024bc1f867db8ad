"""`lightcam-edge man`: write the manual pages."""

from pathlib import Path

import click

from lightcam_edge.errors import LightcamError


@click.command("man")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def command(folder: Path) -> None:
    """Write the manual pages, one a command, to FOLDER.

    `man` finds them in /usr/local/share/man/man1, and those of one user in
    ~/.local/share/man/man1 where ~/.local/bin is on the PATH.
    """
    from lightcam_edge.cli import NAME, group
    from lightcam_edge.man_pages import man_pages
    from lightcam_edge.model_file import write_atomically

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, page in man_pages(group, NAME).items():
            write_atomically(folder / name, page.encode())
    except OSError as error:
        raise LightcamError(f"cannot write manual pages to {folder}: {error.strerror}") from error
