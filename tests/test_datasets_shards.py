"""Tar shards of images with their class index."""

import io
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from lightcam_edge.errors import InputError, UsageError
from lightcam_models.datasets import iter_webdataset, load_dataset, read_bytes, webdataset_labels


def picture(level: int, kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8), level).save(file, kind)
    return file.getvalue()


def write_shard(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as shard:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            shard.addfile(info, io.BytesIO(content))


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two shards of three images, the class index before or after its image."""
    (tmp_path / "classes.txt").write_text("n01 goldfish, Carassius\nn02 crane\nn03 bus\n")
    first = {"a.webp": picture(10, "webp"), "a.cls": b"0", "b.cls": b"2\n", "b.jpg": picture(20, "jpeg")}
    write_shard(tmp_path / "train-000.tar", first)
    write_shard(tmp_path / "train-001.tar", {"c.png": picture(30, "png"), "c.cls": b"1"})
    return tmp_path


def test_labels_are_the_words_of_the_classes(shards: Path) -> None:
    assert webdataset_labels(shards) == ("goldfish, Carassius", "crane", "bus")


def test_words_that_repeat_keep_their_identifier(shards: Path) -> None:
    (shards / "classes.txt").write_text("n01 crane\nn02 crane\n")

    assert webdataset_labels(shards) == ("n01 crane", "n02 crane")


def test_images_stream_with_their_index(shards: Path) -> None:
    assert list(iter_webdataset(shards)) == [
        (picture(10, "webp"), 0),
        (picture(20, "jpeg"), 2),
        (picture(30, "png"), 1),
    ]


def test_shards_load_as_a_data_set_whose_bytes_can_be_read(shards: Path) -> None:
    dataset = load_dataset(shards, "train")

    assert dataset.labels == ("goldfish, Carassius", "crane", "bus")
    assert [e.label for e in dataset.examples] == ["goldfish, Carassius", "bus", "crane"]
    assert read_bytes(dataset.examples[1]) == picture(20, "jpeg")
    assert len(dataset.digest) == 64


def test_the_background_of_shards_comes_last(shards: Path) -> None:
    dataset = load_dataset(shards, "train", background="crane")

    assert dataset.labels == ("goldfish, Carassius", "bus", "crane")


def test_shards_for_training_have_no_test_part(shards: Path) -> None:
    with pytest.raises(UsageError, match="no shards for test"):
        load_dataset(shards, "test")


def test_an_index_without_a_label_is_refused(shards: Path) -> None:
    (shards / "classes.txt").write_text("n01 goldfish\nn02 crane\n")

    with pytest.raises(UsageError, match=r"class index 2, but classes\.txt has 2 lines"):
        load_dataset(shards, "train")


@pytest.mark.parametrize("length", [300, 1500])
def test_a_shard_cut_off_is_refused(shards: Path, length: int) -> None:
    path = shards / "train-000.tar"
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(InputError, match=r"train-000\.tar is damaged"):
        load_dataset(shards, "train")


def test_the_real_shards_hold_350_photographs_of_each_of_200_classes(shared_data: Path) -> None:
    dataset = load_dataset(shared_data / "tiny_imagenet", "train")

    counts = Counter(e.label for e in dataset.examples)

    assert len(dataset.labels) == 200
    assert set(counts.values()) == {350}
    assert read_bytes(dataset.examples[-1])[8:12] == b"WEBP"
