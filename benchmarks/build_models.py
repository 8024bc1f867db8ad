"""Train, convert and measure the bundled models from the public data sets, as they are shipped.

    python benchmarks/build_models.py --data-root ../shared/datasets

Takes hours on two cores. What is there already is not made again, and a
training that was cut off goes on, so the same line may be repeated.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click

BUNDLED = Path(__file__).resolve().parents[1] / "lightcam_edge" / "bundled"
COMMAND = (sys.executable, "-m", "lightcam_edge")
DATA_SET = "bird-dog"


@dataclass(frozen=True, slots=True)
class Training:
    """One call of `lightcam-edge train`: its output folder's name, and its options."""

    name: str
    options: tuple[str, ...]
    teacher: str = ""
    backbone: str = ""


LIGHT_CAM = ("--architecture", "light-cam", "--option", "last_pooling=false")
TRAININGS = (
    Training("lite-first-round", ("--epochs", "6", "--training-size", "160", "--seed", "0")),
    Training(
        "lite",
        ("--epochs", "5", "--training-size", "192", "--learning-rate", "6e-4", "--seed", "1"),
        teacher="lite-first-round",
        backbone="lite-first-round",
    ),
    Training(
        "light-cam-first-round",
        (*LIGHT_CAM, "--epochs", "16", "--training-size", "128", "--learning-rate", "2e-3", "--seed", "1"),
        teacher="lite",
    ),
    Training(
        "light-cam",
        (*LIGHT_CAM, "--epochs", "4", "--training-size", "224", "--learning-rate", "5e-4", "--seed", "1"),
        teacher="lite",
        backbone="light-cam-first-round",
    ),
)
SHIPPED = {
    "lite": [
        "objects that fill little of the frame may be called background",
        "its backbone learnt ImageNet, so it has seen Stanford Dogs' test photographs with their breeds",
        "each class came from one source of photographs, landscapes from another than animals",
    ],
    "light-cam": [
        "objects that fill little of the frame are often called background",
        "takes about one scene in 24 for an animal",
        "its teacher's backbone has seen Stanford Dogs' test photographs with their breeds",
        "each class came from one source of photographs, landscapes from another than animals",
    ],
}


def train(training: Training, data_root: Path, work: Path) -> None:
    out = work / training.name
    if (out / "model.keras").exists():
        return
    related = [("--teacher", training.teacher), ("--backbone", training.backbone)]
    models = [part for flag, name in related if name for part in (flag, str(work / name / "model.keras"))]
    resume = ["--resume"] if (out / "state").exists() else []
    call("train", DATA_SET, "--data-root", data_root, "--out", out, *training.options, *models, *resume)


def ship(name: str, data_root: Path, work: Path) -> None:
    file, trained = work / f"{name}.tflite", work / name
    calibration = ("--quantize", "int8", "--calibration", trained / "images.txt", "--min-agreement", "0.98")
    call("convert", trained / "model.keras", *calibration, "--name", name, "--out", file)
    call("evaluate", file, DATA_SET, "--data-root", data_root, "--write-card")
    call("card", file, "--set", f"training_data.known_weaknesses={json.dumps(SHIPPED[name])}")
    shutil.copyfile(file, BUNDLED / file.name)


def call(*words: object) -> None:
    line = [str(word) for word in words]
    click.echo(f"$ lightcam-edge {' '.join(line)}", err=True)
    subprocess.run([*COMMAND, *line], check=True)


@click.command()
@click.option("--data-root", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/bundled"), show_default=True)
def main(data_root: Path, work: Path) -> None:
    for training in TRAININGS:
        train(training, data_root, work)
    for name in SHIPPED:
        ship(name, data_root, work)


if __name__ == "__main__":
    main()
