"""Photographs of nobody knows what are named by ImageNet's network and join the training."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from painted import paint, save, write_photographs

from lightcam_edge.box import Box
from lightcam_edge.errors import InputError, UsageError
from lightcam_models import training
from lightcam_models.datasets import Dataset, load_dataset, split_validation
from lightcam_models.ordering import place
from lightcam_models.progress import Progress
from lightcam_models.pseudo_labels import SURE, add_pseudo_labels

QUIET = Progress(quiet=True)
NOTHING = Dataset("none", ("red", "blue"), None, ())


@pytest.fixture
def labelled(tmp_path: Path) -> Dataset:
    folder = write_photographs(tmp_path / "data", count=5)
    return load_dataset(folder, "train", background="background").absolute()


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    """Three photographs of each colour, the colour in their names alone, and one that is broken."""
    rng = np.random.default_rng(5)
    for number in range(3):
        for colour in ("red", "blue"):
            size = int(rng.integers(40, 70))
            pixels = paint((110, 140), (colour, Box(8, 6, 8 + size, 6 + size)))
            save(tmp_path / "more" / "below" / f"{colour}-{number}.png", pixels)
    (tmp_path / "more" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "more"


def test_photographs_get_the_class_they_show(labelled: Dataset, unlabelled: Path, tmp_path: Path) -> None:
    joined = add_pseudo_labels(labelled, NOTHING, unlabelled, tmp_path / "out", QUIET)

    added = joined.examples[len(labelled.examples) :]
    assert joined.examples[: len(labelled.examples)] == labelled.examples
    assert added
    assert all(example.path.name.startswith(example.label) for example in added)
    assert all(example.path.is_relative_to(joined.root) for example in joined.examples)


def test_photographs_may_be_links_to_elsewhere(labelled: Dataset, unlabelled: Path, tmp_path: Path) -> None:
    sorted_links, other_links = tmp_path / "links" / "train", tmp_path / "other links"
    for example in labelled.examples:
        (sorted_links / example.label).mkdir(parents=True, exist_ok=True)
        (sorted_links / example.label / example.path.name).symlink_to(example.path)
    other_links.mkdir()
    for path in [*unlabelled.glob("below/*.png"), *labelled.root.glob("train/red/*.png")]:
        (other_links / f"{path.parent.name}-{path.name}").symlink_to(path)
    links = load_dataset(sorted_links.parent, "train", background="background").absolute()

    joined = add_pseudo_labels(links, NOTHING, other_links, tmp_path / "out", QUIET)

    added = joined.examples[len(links.examples) :]
    assert added
    assert all(example.path.name.startswith("below-") for example in added)
    assert joined.digest


def test_what_was_said_of_each_is_kept_and_the_unsure_left_out(
    labelled: Dataset, unlabelled: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    add_pseudo_labels(labelled, NOTHING, unlabelled, out, QUIET)
    with (out / "pseudo-labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {Path(row["path"]).name for row in rows} == {
        f"{c}-{n}.png" for c in ("red", "blue") for n in range(3)
    }

    lines = [
        f"{row['path']},{row['label']},{0.95 if number else SURE - 0.01}" for number, row in enumerate(rows)
    ]
    (out / "pseudo-labels.csv").write_text("\n".join(["path,label,probability", *lines]) + "\n")
    again = add_pseudo_labels(labelled, NOTHING, unlabelled, out, QUIET)

    assert len(again.examples) == len(labelled.examples) + len(rows) - 1


def test_labelled_photographs_in_the_same_folder_are_left_out(tmp_path: Path) -> None:
    folder = write_photographs(tmp_path / "data", count=5)
    everything = load_dataset(folder, "train", background="background").absolute()
    training_part, held_out = split_validation(everything, 0.2, seed=0)
    with pytest.raises(UsageError, match="not labelled already"):
        add_pseudo_labels(training_part, held_out, folder / "train", tmp_path / "out", QUIET)


@pytest.mark.parametrize("row", ["a,b", "{here},green,0.99", "gone.png,red,0.99"])
def test_a_damaged_table_is_refused(labelled: Dataset, unlabelled: Path, tmp_path: Path, row: str) -> None:
    (tmp_path / "out").mkdir()
    here = unlabelled / "below" / "red-0.png"
    table = f"path,label,probability\n{row.format(here=here)}\n"
    (tmp_path / "out" / "pseudo-labels.csv").write_text(table)
    with pytest.raises(InputError, match="remove it to have it made again"):
        add_pseudo_labels(labelled, NOTHING, unlabelled, tmp_path / "out", QUIET)


def test_a_folder_without_images_is_refused(labelled: Dataset, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no image"):
        add_pseudo_labels(labelled, NOTHING, tmp_path / "empty", tmp_path / "out", QUIET)


def test_a_training_learns_them_and_holds_none_of_them_out(unlabelled: Path, tmp_path: Path) -> None:
    folder, out = write_photographs(tmp_path / "data", count=5), tmp_path / "out"
    order = place(
        str(folder),
        out,
        "plain",
        architecture="light-cam",
        background="background",
        unlabelled=unlabelled,
        options=("filters=[8,8]",),
        input_size=64,
        training_size=64,
        batch_size=8,
        epochs=1,
        precision="float32",
        progress=QUIET,
    )

    training.train(order, progress=QUIET)

    described = json.loads((out / "training.json").read_text())
    assert described["unlabelled"] == str(unlabelled)
    assert described["results"]["validation_images"] == 3
    assert not (out / "state").exists()


def test_the_number_of_epochs_counts_them(unlabelled: Path, tmp_path: Path) -> None:
    folder = write_photographs(tmp_path / "data", count=70)
    for number in range(400):
        save(unlabelled / "many" / f"{number}.png", paint((8, 8)))
    few, many = (
        place(str(folder), tmp_path / "out", "masks", unlabelled=more, progress=QUIET)
        for more in (None, unlabelled)
    )

    assert few.recipe.epochs == round(10_000 / 189)
    assert many.recipe.epochs == round(10_000 / (189 + 407))
