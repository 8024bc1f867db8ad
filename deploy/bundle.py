"""Pack all that a board needs into one archive, to install without a network; see README.md beside this."""

import argparse
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement

DEPLOY = Path(__file__).parent
EXTRA = "stream"
# The C library of the system that ships the Python: bookworm, and so on.
GLIBC_MINOR = {"3.10": 35, "3.11": 36, "3.12": 39, "3.13": 41}
OLDEST_GLIBC_MINOR = 17
FROM_APT = ("numpy", "opencv-python-headless", "pillow")  # on 32-bit ARM, for which PyPI has none
WITHOUT_WHEEL = ("tornado",)  # on 32-bit ARM; it runs without its C part
# pip picks wheels for another platform, but asks the markers of requirements on the one where it runs.
PIP_FOR_BOARD = """
import json, sys
from pip._internal.cli.main import main
from pip._vendor.packaging import markers
board = {**markers.default_environment(), **json.loads(sys.argv[1])}
markers.default_environment = lambda: board
sys.exit(main(sys.argv[2:]))
"""


@dataclass(frozen=True, slots=True)
class Board:
    """What the wheels have to suit: `arch` as uname says it, `python` as in 3.11."""

    arch: str
    python: str

    @property
    def platforms(self) -> list[str]:
        """Tags of all wheels that run there, the newest first."""
        minors = range(GLIBC_MINOR[self.python], OLDEST_GLIBC_MINOR - 1, -1)
        return [*(f"manylinux_2_{minor}_{self.arch}" for minor in minors), f"manylinux2014_{self.arch}"]

    @property
    def markers(self) -> dict[str, str]:
        """What requirements may ask about the board."""
        versions = {"python_version": self.python, "python_full_version": f"{self.python}.0"}
        return {"platform_machine": self.arch, **versions}

    @property
    def constraints(self) -> list[str]:
        """Up to Python 3.12 the systems' own modules are built for NumPy 1."""
        return [] if self.python == "3.13" else ["numpy<2"]


def requirements_beside_apt(board: Board, wheel: Path) -> list[str]:
    """What `wheel` needs besides that which apt has; none of these needs anything itself."""
    with ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        declared = message_from_string(files.read(name).decode()).get_all("Requires-Dist", [])
    machine = {**board.markers, "extra": EXTRA}
    needed = (one for one in map(Requirement, declared) if not one.marker or one.marker.evaluate(machine))
    return [f"{one.name}{one.specifier}" for one in needed if one.name not in FROM_APT]


def pip(*arguments: str | Path, **environment: str) -> None:
    """Run this Python's pip."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, env=os.environ | environment)


def download(board: Board, wanted: Iterable[str | Path], folder: Path, *options: str | Path) -> None:
    """Put wheels that run on the board into a folder, with all that they need."""
    tags = (("--platform", tag) for tag in board.platforms)
    target: list[str | Path] = [
        "--only-binary",
        ":all:",
        "--python-version",
        board.python,
        *itertools.chain(*tags),
    ]
    quiet: list[str | Path] = ["--quiet", "--disable-pip-version-check", "--dest", folder]
    command = [sys.executable, "-c", PIP_FOR_BOARD, json.dumps(board.markers), "download"]
    subprocess.run([*command, *target, *quiet, *options, *wanted], check=True)


def download_all(board: Board, wheel: Path, folder: Path) -> None:
    """Put `wheel`, all that it needs on the board, and pip to install it, into a folder."""
    if board.arch != "armv7l":
        constraints = folder.parent / "constraints.txt"
        constraints.write_text("\n".join(board.constraints))
        download(
            board,
            [f"lightcam-edge[{EXTRA}] @ {wheel.resolve().as_uri()}", "pip"],
            folder,
            "--constraint",
            constraints,
        )
        constraints.unlink()
        return
    wanted = requirements_beside_apt(board, wheel)
    pure = [one for one in wanted if one.startswith(WITHOUT_WHEEL)]
    ready = [one for one in wanted if one not in pure]
    download(board, [wheel, "pip", *ready], folder, "--no-deps")
    pip("wheel", "--no-deps", "--no-binary", ":all:", "--wheel-dir", folder, *pure, TORNADO_EXTENSION="0")


def installer_files() -> list[Path]:
    """What lies in the bundle beside the wheels."""
    return [DEPLOY / "install.sh", *sorted(DEPLOY.glob("*.service")), *sorted(DEPLOY.glob("*.toml"))]


def lay_out(board: Board, wheel: Path, folder: Path) -> None:
    """Put the installer, the wheels, and what they are for, into a folder."""
    (folder / "wheels").mkdir(parents=True)
    for path in installer_files():
        shutil.copy(path, folder)
    (folder / "target").write_text(f"{board.arch} {board.python}\n")
    download_all(board, wheel, folder / "wheels")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = (
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}" for path in files
    )
    (folder / "SHA256SUMS").write_text("\n".join(digests) + "\n")


def pack(folder: Path, out: Path) -> Path:
    """Archive a folder as one file named after it; the wheels are compressed already."""
    path = out / f"{folder.name}.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(folder, folder.name, filter=_nobodys)
    return path


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path, help="the wheel of lightcam-edge")
    parser.add_argument("--arch", choices=("aarch64", "armv7l", "x86_64"), required=True)
    parser.add_argument("--python", choices=GLIBC_MINOR, required=True, help="Python of the board")
    parser.add_argument("--out", type=Path, required=True, help="folder for the archive")
    chosen = parser.parse_args()
    board = Board(chosen.arch, chosen.python)
    if board.arch == "armv7l" and board.python != "3.11":
        parser.error("for armv7l there is an interpreter for Python 3.11 only")
    version = chosen.wheel.name.split("-")[1]
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work, f"lightcam-edge-{version}-{board.arch}-python{board.python}")
        lay_out(board, chosen.wheel, folder)
        path = pack(folder, chosen.out)
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
