"""Pages whose commands run, in order, and print what the page shows.

They run in a folder that looks like a clone of the repository and also holds
generated photographs under the names that the pages use. `pip install` gets
no network and installs nothing: it resolves against what is installed. `scp`
and `ssh` reach a folder in the place of a board. A comment `<!-- tested with
OPTIONS -->` before a block adds options to its lines.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(
    r"(?:^<!-- tested with (?P<options>[^\n]+) -->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?!https?://)([^)#]+)\)")
LANGUAGES = {"sh", "python", "text", "json", "toml", ""}
COLOURS = {"bird": (200, 40, 40), "dog": (40, 40, 200), "nothing": None}
OBJECT_WH = (60, 40)
FIGURE = re.compile(r"-?\d+(?:\.\d+)?(?P<time> ms)?")
OF_A_CLONE = (
    "Makefile",
    "README.md",
    "LICENSE",
    "NOTICE",
    "pyproject.toml",
    "lightcam_edge",
    "models",
    "converters",
    "deploy",
)
# The wire to the board, cut short: what is copied and run there is copied and run in a folder, by this user.
WIRES = {
    "scp": 'set -e; for last; do :; done; while (($# > 1)); do cp -r "$1" "$BOARD/${last#*:}"; shift; done',
    "ssh": 'shift; cd "$BOARD"; exec bash -o pipefail -c "$*"',
    "sudo": 'exec "$@"',
}


@dataclass(frozen=True, slots=True)
class Command:
    """A line of a page as it is run, and the output that the page shows for it."""

    line: str
    output: str | None = None


@dataclass(frozen=True)
class Page:
    """A page of the documents.

    Args:
        path: from the repository's root.
    """

    path: str

    @cached_property
    def text(self) -> str:
        return (ROOT / self.path).read_text()

    @cached_property
    def blocks(self) -> list[re.Match[str]]:
        return list(BLOCK.finditer(self.text))

    @cached_property
    def commands(self) -> list[Command]:
        found: list[Command] = []
        for block, after in pairwise([*self.blocks, None]):
            if block["language"] == "sh":
                options = f" {block['options']}" if block["options"] else ""
                lines = [line + options for line in block["body"].replace("\\\n", "").splitlines()]
                output = after["body"] if after and after["language"] == "text" else None
                found += [*(Command(line) for line in lines[:-1]), Command(lines[-1], output)]
            elif block["language"] == "python":
                found.append(Command(f"python -c {shlex.quote(block['body'])}"))
        return found

    def links(self) -> list[str]:
        """Files of the repository that it leads to, from the repository's root."""
        folder = (ROOT / self.path).parent
        return [os.path.relpath(folder / link, ROOT) for link in LINK.findall(self.text)]

    def dead_links(self) -> list[str]:
        return [link for link in self.links() if not (ROOT / link).exists()]

    def oddities(self) -> list[str]:
        """Blocks that would be neither run nor taken for output."""
        odd = [
            f"a block of {block['language']}" for block in self.blocks if block["language"] not in LANGUAGES
        ]
        if self.text.count("```") != 2 * len(self.blocks):
            odd.append("a block that does not end")
        if self.text.count("<!-- tested with") != sum(block["options"] is not None for block in self.blocks):
            odd.append("options of no block")
        return odd


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
    """Runs pages' commands in order, each once, and only as far as a test asks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: dict[str, subprocess.CompletedProcess[str]] = {}
        write_environment(folder / ".venv")
        for name, script in WIRES.items():
            (folder / "wires").mkdir(exist_ok=True)
            (folder / "wires" / name).write_text(f"#!/bin/bash\n{script}\n")
            (folder / "wires" / name).chmod(0o755)
        (folder / "board").mkdir()
        tools = (folder / ".venv" / "bin", folder / "wires", os.environ["PATH"])
        # An outer `make test` would hand its variables down to the page's own make.
        outer = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}
        offline = {"PIP_NO_INDEX": "1", "PIP_DRY_RUN": "1", "PIP_NO_BUILD_ISOLATION": "0"}
        nested = {"ARGS": f"--collect-only -q -p no:cacheprovider {ROOT / 'tests' / 'test_packaging.py'}"}
        places = {"PATH": os.pathsep.join(map(str, tools)), "BOARD": str(folder / "board")}
        self.environment = {**outer, **offline, **nested, **places}

    def result(self, page: Page, number: int) -> subprocess.CompletedProcess[str]:
        for command in page.commands[: number + 1]:
            if command.line not in self.done:
                self.done[command.line] = self.run(command.line)
        return self.done[page.commands[number].line]

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        shell = ["bash", "-o", "pipefail", "-c", line]
        return subprocess.run(shell, cwd=self.folder, env=self.environment, capture_output=True, text=True)


def make_clone(folder: Path) -> Clone:
    rng = np.random.default_rng(0)
    for name in OF_A_CLONE:
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
