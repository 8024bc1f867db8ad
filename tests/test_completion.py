"""Completion as real shells do it: each starts, loads the script and completes a line."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from lightcam_edge.catalogue import bundled_models
from lightcam_edge.cli import COMMANDS, NAME, group
from lightcam_edge.commands.completion import SHELLS

BASH = """
source "$1"
COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2))
_lightcam_edge_completion lightcam-edge "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}" 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
compdef() { :; }
compadd() { [[ ${@[-1]} == completions ]] && print -l -- $completions }
_describe() { print -l -- ${completions_with_descriptions%%:*} }
_path_files() { print -- FILES }
source $1
words=(${@:2}) CURRENT=$(($# - 1))
_lightcam_edge_completion
"""
FISH = """
source $argv[1]
complete --do-complete "$argv[2]" | string replace --regex '\\t.*' ''
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `lightcam-edge`, as it is on the PATH of a user."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / NAME
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m lightcam_edge "$@"\n')
    program.chmod(0o755)
    return folder


def offered(shell: str, line: str, programs: Path, folder: Path) -> list[str]:
    """What a shell offers behind a line; its last word is completed."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    result = CliRunner().invoke(group, ["completion", shell])
    assert result.exit_code == 0, result.output
    script = folder / f"completion.{shell}"
    script.write_text(result.output)
    words = [line] if shell == "fish" else line.split(" ")
    clean = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    calls = {
        "bash": [BASH, "bash", str(script), *words],
        "zsh": [ZSH, "zsh", str(script), *words],
        "fish": [FISH, str(script), *words],
    }
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder)}
    command = [shell, *clean, "-c", *calls[shell]]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_offers_commands_options_models_and_files(shell: str, programs: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.tflite").touch()

    assert set(offered(shell, "lightcam-edge ", programs, tmp_path)) >= set(COMMANDS)
    assert set(offered(shell, "lightcam-edge run --max", programs, tmp_path)) == {"--max-boxes"}
    assert set(offered(shell, "lightcam-edge run --model li", programs, tmp_path)) - {"FILES"} == {
        "lite",
        "light-cam",
    }
    assert set(offered(shell, "lightcam-edge inspect mi", programs, tmp_path)) <= {"mine.tflite", "FILES"}


def completed(*words: str, incomplete: str = "") -> set[str]:
    complete = ShellComplete(group, {}, NAME, "_LIGHTCAM_EDGE_COMPLETE")
    return {item.value for item in complete.get_completions(list(words), incomplete)}


def test_the_classes_are_those_of_the_model_on_the_line(tmp_path: Path) -> None:
    model = tmp_path / "mine.tflite"
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("labels.txt", "cat\ncow\nnothing\n")

    assert {"bird", "dog"} <= completed("run", "photo.jpg", "--class")
    assert completed("run", "--model", str(model), "--class", incomplete="c") == {"cat", "cow"}
    assert completed("run", "--model", "missing.tflite", "--class") == set()


def test_files_are_left_to_the_shell_where_no_name_fits() -> None:
    (item,) = ShellComplete(group, {}, NAME, "_LIGHTCAM_EDGE_COMPLETE").get_completions(["inspect"], "mi")

    assert (item.type, item.value) == ("file", "mi")


def test_compare_is_completed_behind_benchmark() -> None:
    assert "--drift" in completed("benchmark", "compare", incomplete="--")


def test_every_bundled_model_is_offered_wherever_a_model_is_named() -> None:
    for words in (("run", "--model"), ("inspect",), ("card",), ("evaluate",), ("benchmark", "lite")):
        assert set(bundled_models()) <= completed(*words)


def test_completion_loads_nothing_heavy() -> None:
    code = (
        "import atexit, sys; from lightcam_edge.cli import main\n"
        "atexit.register(lambda: print({'numpy', 'cv2', 'PIL'} & set(sys.modules)))\n"
        "main()"
    )
    line = "lightcam-edge run --class "
    variables = {"_LIGHTCAM_EDGE_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": "3"}

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **variables},
    )

    assert done.stdout.endswith("set()\n")
    assert "plain,bird\n" in done.stdout
