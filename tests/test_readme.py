"""README.md keeps its word: its commands run, in order, and print what it shows.

They run in a folder that looks like a clone of the repository and also holds
generated photographs under the names that README.md uses. `pip install` gets
no network and installs nothing: it resolves against what is installed. A
comment `<!-- tested with OPTIONS -->` before a block adds options to its lines.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lightcam_edge.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(
    r"(?:^<!-- tested with (?P<options>[^\n]+) -->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?!https?://)([^)#]+)\)")
COLOURS = {"bird": (200, 40, 40), "dog": (40, 40, 200), "nothing": None}
OBJECT_WH = (60, 40)
FIGURE = re.compile(r"-?\d+(?:\.\d+)?(?P<time> ms)?")


@dataclass(frozen=True, slots=True)
class Command:
    """A line of README.md as it is run, and the output that README.md shows for it."""

    line: str
    output: str | None = None


def blocks() -> list[re.Match[str]]:
    return list(BLOCK.finditer(README))


def commands() -> list[Command]:
    found: list[Command] = []
    for block, after in pairwise([*blocks(), None]):
        if block["language"] == "sh":
            options = f" {block['options']}" if block["options"] else ""
            lines = [line + options for line in block["body"].replace("\\\n", "").splitlines()]
            output = after["body"] if after and after["language"] == "text" else None
            found += [*(Command(line) for line in lines[:-1]), Command(lines[-1], output)]
        elif block["language"] == "python":
            found.append(Command(f"python -c {shlex.quote(block['body'])}"))
    return found


def photograph(
    rng: np.random.Generator, colour: tuple[int, int, int] | None
) -> tuple[np.ndarray, tuple[int, int] | None]:
    """A grey, grainy picture, 150 wide and 100 high, and the corner of its coloured rectangle if any."""
    pixels = rng.integers(90, 160, (100, 150, 3), dtype=np.uint8)
    if colour is None:
        return pixels, None
    x, y = (int(n) for n in rng.integers(10, 50, 2))
    pixels[y : y + OBJECT_WH[1], x : x + OBJECT_WH[0]] = colour
    return pixels, (x, y)


def write_photographs(folder: Path, rng: np.random.Generator) -> None:
    rows = ["filename,x0,y0,x1,y1"]
    for part, label, number in product(("train", "test"), COLOURS, range(8)):
        name = f"{part}/{label}/{number}.jpg"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels, corner = photograph(rng, COLOURS[label])
        Image.fromarray(pixels).save(folder / name)
        if corner:
            x, y = corner
            rows.append(f"{name},{x},{y},{x + OBJECT_WH[0]},{y + OBJECT_WH[1]}")
    (folder / "boxes.csv").write_text("\n".join(rows) + "\n")


def write_clip(path: Path, rng: np.random.Generator) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (150, 100))
    for _ in range(3):
        writer.write(photograph(rng, COLOURS["bird"])[0])
    writer.release()


def write_environment(folder: Path) -> None:
    """A virtual environment that make takes as set up, and that is the one the tests run in."""
    folder.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        if (entry := Path(sys.prefix, name)).exists():
            (folder / name).symlink_to(entry)
    for stamp in (".created", ".runtime", ".dev"):
        (folder / stamp).touch()


class Clone:
    """Runs the commands in order, each once, and only as far as a test asks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: list[subprocess.CompletedProcess[str]] = []
        write_environment(folder / ".venv")
        tools = f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        # An outer `make test` would hand its variables down to the README's own make.
        outer = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}
        offline = {"PIP_NO_INDEX": "1", "PIP_DRY_RUN": "1", "PIP_NO_BUILD_ISOLATION": "0"}
        nested = {"ARGS": f"--collect-only -q -p no:cacheprovider {ROOT / 'tests' / 'test_packaging.py'}"}
        self.environment = {**outer, **offline, **nested, "PATH": tools}

    def result(self, number: int) -> subprocess.CompletedProcess[str]:
        for command in commands()[len(self.done) : number + 1]:
            shell = ["bash", "-o", "pipefail", "-c", command.line]
            self.done.append(
                subprocess.run(shell, cwd=self.folder, env=self.environment, capture_output=True, text=True)
            )
        return self.done[number]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    folder, rng = tmp_path_factory.mktemp("clone"), np.random.default_rng(0)
    for name in (
        "Makefile",
        "README.md",
        "LICENSE",
        "NOTICE",
        "pyproject.toml",
        "lightcam_edge",
        "models",
        "converters",
    ):
        (folder / name).symlink_to(ROOT / name)
    write_photographs(folder / "photos", rng)
    Image.fromarray(photograph(rng, COLOURS["bird"])[0]).save(folder / "photo.jpg")
    write_clip(folder / "clip.mp4", rng)
    return Clone(folder)


def words(text: str) -> list[list[str]]:
    """Words of each line, figures struck out."""
    return [FIGURE.sub("#", line).split() for line in text.strip().splitlines()]


def figures(text: str) -> list[float]:
    """Figures that do not depend on how fast the machine is."""
    return [float(match[0]) for match in FIGURE.finditer(text) if not match["time"]]


@pytest.mark.parametrize("number", range(len(commands())), ids=[command.line[:60] for command in commands()])
def test_readme_command_works_and_prints_what_is_shown(clone: Clone, number: int) -> None:
    done, shown = clone.result(number), commands()[number].output

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "does not provide the extra" not in done.stderr
    if shown is not None:
        assert words(done.stdout) == words(shown)
        assert figures(done.stdout) == pytest.approx(figures(shown), rel=0.1, abs=0.05), done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_readme_shows_every_command(name: str) -> None:
    assert any(f"lightcam-edge {name} " in command.line for command in commands())


def test_every_link_of_the_readme_leads_somewhere() -> None:
    assert [link for link in LINK.findall(README) if not (ROOT / link).exists()] == []


def test_every_block_of_the_readme_is_run_or_shown_as_output() -> None:
    languages = [block["language"] for block in blocks()]

    assert set(languages) <= {"sh", "python", "text", "json", ""}
    assert README.count("```") == 2 * len(languages)
    assert README.count("<!-- tested with") == sum(block["options"] is not None for block in blocks())
