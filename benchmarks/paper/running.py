"""One experiment: train, convert, count what the file gets right, write it all down."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from plan import COMPONENT, QUANTIZATION, THRESHOLD, TINY_TEST, TINY_TRAINING, Budget, Experiment

from lightcam_edge.benchmarking.board import read_board, read_state
from lightcam_edge.errors import LightcamError
from lightcam_edge.localizer import Localizer
from lightcam_edge.model_file import write_atomically

COMMAND = (sys.executable, "-m", "lightcam_edge")
PAPER_RULE = ("--threshold", str(THRESHOLD), "--component", COMPONENT)
LIBRARIES = (
    "lightcam-edge",
    "keras",
    "tensorflow",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "ai-edge-litert",
)
MOST_CLASSES = 12

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where data lies and results go.

    Args:
        data_root: folder of the public data sets.
        work: folder of the trainings.
        results: folder of the results.
    """

    data_root: Path
    work: Path
    results: Path

    def result_of(self, experiment: Experiment) -> Path:
        """The file that an experiment ends in."""
        return self.results / f"{experiment.name}.json"

    def folder_of(self, experiment: Experiment) -> Path:
        """Where its model is trained."""
        return self.work / experiment.name

    def model_of(self, experiment: Experiment) -> Path:
        """Its model file."""
        return self.folder_of(experiment) / f"{experiment.row}.tflite"


def run(experiment: Experiment, budget: Budget, place: Place, tiny: bool) -> Path:
    """Do what of an experiment is not done yet, and give the file with its result."""
    result = place.result_of(experiment)
    if result.exists():
        _refuse_other_budget(result, json.loads(result.read_text())["training"], budget)
        click.echo(f"{result} is there already: remove it to measure again", err=True)
        return result
    folder, model = place.folder_of(experiment), place.model_of(experiment)
    train(experiment, budget, place.data_root, folder, tiny)
    if not model.exists():
        calibration = ("--quantize", QUANTIZATION[experiment.table], "--calibration", folder / "images.txt")
        call("convert", folder / "model.keras", *calibration, "--name", experiment.row, "--out", model)
    evaluation = {
        boxes: evaluate(model, experiment, boxes, place.data_root, tiny) for boxes in experiment.boxes
    }
    result.parent.mkdir(parents=True, exist_ok=True)
    values = describe(experiment, folder, model, tiny) | {"evaluation": evaluation}
    write_atomically(result, (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode())
    return result


def train(experiment: Experiment, budget: Budget, data_root: Path, folder: Path, tiny: bool) -> None:
    """Train an experiment's network from random weights, or go on where that was cut off."""
    note = folder / "training.json"
    if (folder / "model.keras").exists():
        _refuse_other_budget(folder, json.loads(note.read_text()), budget)
        return
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from lightcam_models.datasets import split_validation
    from lightcam_models.ordering import place
    from lightcam_models.training import train as train_order

    settings = asdict(budget)
    try:
        order = place(
            experiment.data,
            folder,
            "paper",
            architecture=experiment.architecture,
            data_root=data_root,
            **settings,
        )
        if tiny:
            share = TINY_TRAINING / len(order.dataset.examples)
            order = replace(order, dataset=split_validation(order.dataset, share, budget.seed)[1])
        clock = Clock(folder)
        clock.start()
        train_order(order, resume=(folder / "state" / "order.json").exists())
        clock.stop()
    except LightcamError as error:
        raise click.ClickException(str(error)) from error


@dataclass(frozen=True, slots=True)
class Clock:
    """What a training took, over all its parts; the epoch that a cut lost is not counted.

    Args:
        folder: of the training.
    """

    folder: Path

    @property
    def parts(self) -> list[Values]:
        """When each part started, with the load average before it, and how many seconds it took."""
        file = self.folder / "clock.json"
        parts: list[Values] = json.loads(file.read_text()) if file.exists() else []
        if parts and parts[-1]["seconds"] is None:
            saved = self.folder / "state" / "epochs.json"
            end = saved.stat().st_mtime if saved.exists() else 0.0
            parts[-1]["seconds"] = max(0.0, end - parts[-1]["started"])
        return parts

    def start(self) -> None:
        """Note a part that starts now."""
        self._write([*self.parts, {"started": time.time(), "load": read_state().load, "seconds": None}])

    def stop(self) -> None:
        """Note that the last part is done."""
        file = self.folder / "clock.json"
        parts = json.loads(file.read_text())
        parts[-1]["seconds"] = time.time() - parts[-1]["started"]
        self._write(parts)

    def _write(self, parts: Sequence[Values]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / "clock.json", json.dumps(list(parts)).encode())


def evaluate(model: Path, experiment: Experiment, boxes: str, data_root: Path, tiny: bool) -> Values:
    """Count what a model file gets right by the paper's rule, without what a table has no use for."""
    few = ("--limit", TINY_TEST) if tiny else ()
    data = (experiment.data, "--data-root", data_root, "--pet-boxes", boxes)
    trial: Values = json.loads(call("evaluate", model, *data, *PAPER_RULE, *few, "--json"))["photographs"]
    photographs, (result,) = trial["photographs"], trial["models"]
    del trial["thresholds"]
    photographs["skipped"] = [text.replace(f"{data_root}/", "") for text in photographs["skipped"]]
    result["path"] = model.name
    for verdict in result["verdicts"].values():
        del verdict["ious"], verdict["curves"]
        if len(verdict["by_class"]) > MOST_CLASSES:
            del verdict["by_class"]
    return trial


def describe(experiment: Experiment, folder: Path, model: Path, tiny: bool) -> Values:
    """Everything needed to repeat a measurement."""
    card = Localizer(model).card
    parts = [
        {"minutes": round(part["seconds"] / 60, 1), "load": part["load"]} for part in Clock(folder).parts
    ]
    seconds = sum(part["seconds"] for part in Clock(folder).parts)
    return {
        "experiment": experiment.name,
        "tiny": tiny,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": asdict(read_board()),
        "versions": {name: version(name) for name in LIBRARIES},
        "minutes": round(seconds / 60, 1),
        "parts": parts,
        "training": json.loads((folder / "training.json").read_text()),
        "quantization": dict(card.quantization),
        "parity": {key: value for key, value in card.parity.items() if key != "worst"},
    }


def call(*words: object) -> str:
    """Run `lightcam-edge` and give what it prints."""
    line = [str(word) for word in words]
    click.echo(f"$ lightcam-edge {' '.join(line)}", err=True)
    done = subprocess.run([*COMMAND, *line], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise click.ClickException(f"lightcam-edge {line[0]} ended with {done.returncode}")
    return done.stdout


def _refuse_other_budget(place: Path, training: Values, budget: Budget) -> None:
    known, wanted = asdict(Budget.of(training)), asdict(budget)
    if changed := [f"{name} {known[name]}" for name in known if known[name] != wanted[name]]:
        raise click.ClickException(
            f"{place} was trained with {', '.join(changed)}: ask for that, or remove it"
        )
