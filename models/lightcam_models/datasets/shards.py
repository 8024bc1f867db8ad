"""Reader for WebDataset shards: tar files of images, each followed by its class index."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

from lightcam_edge.errors import InputError, UsageError
from lightcam_models.datasets.dataset import Dataset, Example, Split
from lightcam_models.datasets.photographs import SUFFIXES, settle_labels

CLASSES = "classes.txt"


def is_webdataset(folder: Path) -> bool:
    """Whether a folder holds tar shards and the list of their classes."""
    return (folder / CLASSES).exists() and any(folder.glob("*.tar"))


def webdataset_labels(folder: Path) -> tuple[str, ...]:
    """Labels by class index: the words of `wnid words` in classes.txt, or the line where words repeat."""
    lines = [line.strip() for line in (folder / CLASSES).read_text(encoding="utf-8").splitlines()]
    words = [line.partition(" ")[2] or line for line in lines]
    return tuple(words if len(set(words)) == len(words) else lines)


def iter_webdataset(folder: Path) -> Iterator[tuple[bytes, int]]:
    """Stream the encoded images of all shards with their class index, in the order of the files.

    Raises:
        InputError: if a shard is damaged.
    """
    for path in sorted(folder.glob("*.tar")):
        with path.open("rb") as shard:
            for (offset, size), index in _samples(path):
                shard.seek(offset)
                yield shard.read(size), index


def load_shards(folder: Path, split: Split, background: str | None = None) -> Dataset:
    """Index the shards, so that any image can be read out of them.

    Shards named test* or val* are the test part, all others are for training.
    Only tar headers are read; a damaged image is found when it is decoded.

    Raises:
        UsageError: if the split has no shards or fewer than two classes, or a class index has no label.
        InputError: if a shard is damaged.
    """
    shards = [
        path
        for path in sorted(folder.glob("*.tar"))
        if path.name.startswith(("test", "val")) == (split == "test")
    ]
    if not shards:
        raise UsageError(f"{folder} has no shards for {split}")
    labels = webdataset_labels(folder)
    examples: list[Example] = []
    for path in shards:
        for member, index in _samples(path):
            if not 0 <= index < len(labels):
                raise UsageError(f"{path} has class index {index}, but {CLASSES} has {len(labels)} lines")
            examples.append(Example(path, labels[index], member=member))
    layout = "shards of <key>.jpg and <key>.cls"
    labels = settle_labels(folder, (example.label for example in examples), background, layout, labels)
    return Dataset(folder.resolve().name, labels, background, tuple(examples), root=folder)


def _samples(path: Path) -> Iterator[tuple[tuple[int, int], int]]:
    """Offset and size of each image, and its class index; the members of one key lie together."""
    key, image, index = "", None, None
    try:
        with tarfile.open(path, "r:") as shard, path.open("rb") as content:
            for member in shard:
                name, _, suffix = member.name.rpartition(".")
                if name != key:
                    key, image, index = name, None, None
                if f".{suffix.lower()}" in SUFFIXES:
                    image = member.offset_data, member.size
                elif suffix == "cls":
                    content.seek(member.offset_data)
                    index = int(content.read(member.size))
                if image and index is not None:
                    yield image, index
                    image = None
            content.seek(shard.offset)
            # tarfile takes a header that is cut off for the end; the real end is a block of zeros.
            if content.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise InputError(f"{path} is damaged: it is cut off, or its end marker is missing")
    except (tarfile.TarError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}") from error
