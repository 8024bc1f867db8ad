"""All checks, in the order in which one thing rests on another."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from lightcam_edge.benchmarking.board import ROOT, read_board, read_state
from lightcam_edge.doctor.cameras import check_cameras
from lightcam_edge.doctor.clocks import check_clocks
from lightcam_edge.doctor.cpu import check_cpu
from lightcam_edge.doctor.finding import Finding
from lightcam_edge.doctor.models import check_models
from lightcam_edge.doctor.network import check_network
from lightcam_edge.doctor.opencv import check_opencv
from lightcam_edge.doctor.picamera import check_picamera
from lightcam_edge.doctor.python import Python, check_python, read_python
from lightcam_edge.doctor.runtime import check_runtime
from lightcam_edge.doctor.storage import check_storage, read_place
from lightcam_edge.doctor.system import check_system
from lightcam_edge.doctor.time_sync import check_time

STATE = Path("/var/lib")  # where a service keeps what it still has to send
NOTHING_RUNS = ("runtime", "opencv", "models")  # what `run` exits with 3 for


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined.

    Args:
        root: the folder under which the board's `sys`, `proc`, `dev`, `etc`, `run` and `usr` lie.
        python: the interpreter and its packages.
        now: what the clock says.
        places: folders that the program writes to.
        models: model files to verify besides the bundled ones.
        config: a stream's configuration, whose addresses are reached for.
    """

    root: Path
    python: Python
    now: datetime
    places: tuple[Path, ...]
    models: tuple[str, ...] = ()
    config: Path | None = None


def this_board(root: Path = ROOT, models: Sequence[str] = (), config: Path | None = None) -> Patient:
    """This interpreter on this board, or on the board whose files lie under another root."""
    places = (Path.cwd(), Path(tempfile.gettempdir()), STATE) if root == ROOT else (Path("/"),)
    return Patient(root, read_python(), datetime.now(timezone.utc), places, tuple(models), config)


def examine(patient: Patient) -> list[Finding]:
    """Look at everything."""
    return list(_findings(patient))


def _findings(patient: Patient) -> Iterator[Finding]:
    root, python = patient.root, patient.python
    board = read_board(root)
    yield from check_system(board, python)
    yield from check_python(python)
    yield from check_runtime(python)
    yield from check_opencv(python, root)
    yield from check_models(patient.models, python)
    yield from check_cpu(board)
    yield from check_clocks(board, read_state(root))
    yield from check_storage([read_place(root, path) for path in patient.places])
    yield from check_time(root, patient.now)
    yield from check_picamera(python, root)
    yield from check_cameras(python, root)
    if patient.config is not None:
        yield from check_network(patient.config, python)


def exit_code(findings: Sequence[Finding]) -> int:
    """0 where nothing fails, 3 where the program cannot run, 1 where something else fails."""
    failing = {finding.area for finding in findings if finding.level == "fail"}
    if failing & set(NOTHING_RUNS):
        return 3
    return 1 if failing else 0
