import shutil
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lightcam_edge.cli import COMMANDS, group
from lightcam_edge.man_pages import man_pages


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("man") / "man1"
    result = CliRunner().invoke(group, ["man", str(path)])
    assert result.exit_code == 0, result.output
    return path


def shown(path: Path) -> str:
    if shutil.which("man") is None:
        pytest.skip("man is not installed (man-db)")
    command = ["man", "--warnings", "-l", str(path)]
    environment = {"PATH": "/usr/bin:/bin", "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stderr == ""
    return done.stdout


def test_every_command_has_a_page_that_man_shows_without_a_warning(folder: Path) -> None:
    pages = {path.stem for path in folder.iterdir()}

    assert pages == {
        "lightcam-edge",
        "lightcam-edge-benchmark-compare",
        *(f"lightcam-edge-{name}" for name in COMMANDS),
    }
    for path in folder.iterdir():
        assert "SEE ALSO" in shown(path)


def test_a_page_tells_every_option_of_its_command(folder: Path) -> None:
    page = shown(folder / "lightcam-edge-run.1")

    for parameter in group.get_command(click.Context(group), "run").params:  # type: ignore[union-attr]
        if isinstance(parameter, click.Option):
            assert parameter.opts[-1] in page
    assert "lightcam-edge run [OPTIONS] PATH..." in page
    assert "a pattern such as 'photos/*.jpg'" in page


def test_what_troff_would_take_for_a_request_is_printed_as_it_is(tmp_path: Path) -> None:
    help_text = "Look.\n\n.SH is no heading\n'quoted' at the start, a \\fBbackslash\\fR and --dashes"
    command = click.Command("odd", help=help_text, params=[click.Option(["--x"], help=".5 of it")])
    (tmp_path / "odd.1").write_text(man_pages(command, "odd")["odd.1"])

    page = shown(tmp_path / "odd.1")

    assert ".SH is no heading 'quoted' at the start, a \\fBbackslash\\fR and --dashes" in page
    assert ".5 of it" in page


def test_hidden_commands_and_options_have_no_page(tmp_path: Path) -> None:
    secret = click.Command("secret", hidden=True)
    option = click.Option(["--secret"], hidden=True)
    shown_group = click.Group("all", commands={"secret": secret}, params=[option], help="All.")

    pages = man_pages(shown_group, "all")

    assert list(pages) == ["all.1"]
    assert "secret" not in pages["all.1"]


def test_a_folder_that_cannot_be_made_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    result = CliRunner().invoke(group, ["man", str(tmp_path / "file" / "man1")])

    assert str(result.exception).startswith(f"cannot write manual pages to {tmp_path / 'file' / 'man1'}: ")
