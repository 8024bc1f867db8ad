"""Train, convert and measure the bundled models from the public data sets, as they are shipped.

    python benchmarks/build_models.py --data-root ../shared/datasets

Takes days on two cores; `KERAS_BACKEND=jax` trains on a GPU. What is there
already is not made again, and a training that was cut off goes on, so the same
line may be repeated. Each file's Keras model and what is known of its training
are kept in models/trained. The bundled files came from these trainings with
these differences: the last training of each, and before it the third round of
`nano` and the second of `light-cam`, started from the int8 file of the round
before, its batch normalization taken apart again; the third round that taught
`lite-fourth-round`, `tiny-first-round` and the first round of `light-cam` was
an earlier `lite` of two rounds; the pre-training of `light-cam` held 2% of
Tiny-ImageNet out, not 10%, and read it enlarged to 128 px, not 256.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
BUNDLED, TRAINED = ROOT / "lightcam_edge" / "bundled", ROOT / "models" / "trained"
COMMAND = (sys.executable, "-m", "lightcam_edge")
DATA_SET = "bird-dog"


@dataclass(frozen=True, slots=True)
class Training:
    """One call of `lightcam-edge train`.

    Args:
        name: of its output folder.
        options: its options, in a line.
        teachers: what makes the masks together, in the work folder; ImageNet's networks if empty.
        backbone: the training it starts from, or the architecture's own start.
        data: name of its photographs' folder among the data sets, or of one of the paper's sets.
    """

    name: str
    options: str
    teachers: Sequence[str | Path] = ()
    backbone: str = ""
    data: str = DATA_SET


# One split for all, so that no round has learnt the photographs that the next one is calibrated on.
COMMON = ("--seed", "0")
IMAGENET_LESSON = "lite-first-round/lesson.npz"
FIRST_ROUND, SECOND_ROUND, THIRD_ROUND, LAST_ROUND = (
    (IMAGENET_LESSON, f"{name}/model.keras")
    for name in ("lite-first-round", "lite-second-round", "lite-third-round", "lite-fourth-round")
)
TINY, NANO = (f"--architecture {name} --training-size 160" for name in ("tiny", "nano"))
NANO_RATE = "--frozen-blocks 0 --learning-rate 8e-4"
LIGHT_CAM = "--architecture light-cam --option last_pooling=false"
TRAININGS = (
    Training("lite-first-round", "--epochs 7 --training-size 192"),
    Training("lite-second-round", "--epochs 7 --training-size 192", FIRST_ROUND),
    Training(
        "lite-third-round",
        "--epochs 6 --training-size 192 --learning-rate 7e-4",
        SECOND_ROUND,
        "lite-second-round",
    ),
    Training(
        "lite-fourth-round",
        "--frozen-blocks 0 --epochs 30 --training-size 192 --averaging 0.26",
        THIRD_ROUND,
    ),
    Training(
        "lite",
        "--frozen-blocks 0 --epochs 1 --training-size 224 --learning-rate 1e-5 --averaging 0.3",
        LAST_ROUND,
        "lite-fourth-round",
    ),
    Training("tiny-first-round", f"{TINY} --frozen-blocks 0 --epochs 40 --averaging 0.2", THIRD_ROUND),
    Training(
        "tiny",
        f"{TINY} --frozen-blocks 0 --epochs 2 --learning-rate 5e-5 --averaging 0.3",
        LAST_ROUND,
        "tiny-first-round",
    ),
    Training("nano-first-round", f"{NANO} --frozen-blocks 2 --epochs 11", THIRD_ROUND, "lite-third-round"),
    Training("nano-second-round", f"{NANO} {NANO_RATE} --epochs 16", THIRD_ROUND, "nano-first-round"),
    Training(
        "nano-third-round",
        f"{NANO} {NANO_RATE} --epochs 14 --averaging 0.3",
        ("lite-fourth-round/model.keras",),
        "nano-second-round",
    ),
    Training(
        "nano-fourth-round",
        f"{NANO} {NANO_RATE} --epochs 16 --averaging 0.3 --empty-share 0.98",
        LAST_ROUND,
        "nano-third-round",
    ),
    Training(
        "nano",
        f"{NANO} --frozen-blocks 0 --epochs 4 --learning-rate 2e-4 --averaging 0.3 --empty-share 0.98",
        LAST_ROUND,
        "nano-fourth-round",
    ),
    Training(
        "light-cam-pretraining",
        f"{LIGHT_CAM} --recipe plain --epochs 20 --training-size 64 --batch-size 64 --learning-rate 2e-3",
        data="tiny_imagenet",
    ),
    Training(
        "light-cam-first-round",
        f"{LIGHT_CAM} --epochs 30 --training-size 128 --learning-rate 2e-3",
        THIRD_ROUND,
        "light-cam-pretraining",
    ),
    Training(
        "light-cam-second-round",
        f"{LIGHT_CAM} --epochs 24 --training-size 128 --learning-rate 2e-3",
        LAST_ROUND,
        "light-cam-first-round",
    ),
    Training(
        "light-cam-third-round",
        f"{LIGHT_CAM} --epochs 3 --training-size 224 --learning-rate 5e-4 --empty-share 0.98",
        LAST_ROUND,
        "light-cam-second-round",
    ),
    Training(
        "light-cam",
        f"{LIGHT_CAM} --epochs 2 --training-size 224 --learning-rate 1e-4 --empty-share 0.98",
        LAST_ROUND,
        "light-cam-third-round",
    ),
)
SOURCES = "each class came from one source of photographs, landscapes from another than animals"
SEEN = "its backbone learnt ImageNet, so it has seen Stanford Dogs' test photographs with their breeds"
PRE_TRAINED = (
    "it learnt Tiny-ImageNet first, so it has seen some of Stanford Dogs' test photographs, at 64 pixels"
)
SHIPPED = {
    "lite": [SEEN, SOURCES],
    "tiny": [SEEN, SOURCES],
    "nano": [SEEN, SOURCES],
    "light-cam": [PRE_TRAINED, SEEN.replace("its backbone", "its teachers' backbone"), SOURCES],
}


def train(training: Training, data_root: Path, work: Path) -> None:
    out = work / training.name
    if (out / "model.keras").exists():
        return
    words = [*training.options.split(), *COMMON]
    for teacher in training.teachers:
        words += ["--teacher", work / teacher]
    if training.backbone:
        words += ["--backbone", work / training.backbone / "model.keras"]
    words += ["--resume"] if (out / "state").exists() else []
    folder = data_root / training.data
    data = folder if folder.is_dir() else training.data
    call("train", data, "--data-root", data_root, "--out", out, *words)


def made(training: Training, data_root: Path, work: Path) -> Path:
    """Train and convert what is not to be bundled, unless its file is there."""
    file = work / f"{training.name}.tflite"
    if not file.exists():
        train(training, data_root, work)
        trained = work / training.name
        calibration = ("--quantize", "int8", "--calibration", trained / "images.txt")
        call("convert", trained / "model.keras", *calibration, "--name", training.name, "--out", file)
    return file


def ship(name: str, data_root: Path, work: Path) -> None:
    file, trained = work / f"{name}.tflite", work / name
    data = (DATA_SET, "--data-root", data_root)
    calibration = ("--quantize", "int8", "--calibration", trained / "images.txt", "--min-agreement", "0.98")
    call("convert", trained / "model.keras", *calibration, "--name", name, "--out", file)
    both = (trained / "model.keras", file)  # the card keeps what int8 costs
    call("evaluate", *both, *data, "--placed", DATA_SET, "--composed", DATA_SET, "--write-card")
    call("card", file, "--set", f"training_data.known_weaknesses={json.dumps(SHIPPED[name])}")
    shutil.copyfile(file, BUNDLED / file.name)
    kept = TRAINED / name
    kept.mkdir(parents=True, exist_ok=True)
    for part in ("model.keras", "training.json"):
        shutil.copyfile(trained / part, kept / part)


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
