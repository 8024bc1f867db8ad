"""Public data sets: tiny ones in each layout, and the counts of the real ones."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from lightcam_edge.box import Box
from lightcam_edge.errors import UsageError
from lightcam_models.datasets import NAMED, Split, load_dataset
from lightcam_models.evaluation.evaluating import Request

BREEDS = ("n01-Pug", "n02-Saluki")


def save(path: Path, wh: tuple[int, int] = (40, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", wh, (90, 120, 60)).save(path)


def voc(path: Path, *objects: tuple[str, int, int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    items = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for name, x0, y0, x1, y1 in objects
    )
    path.write_text(f"<annotation>{items}</annotation>")


def make_cub(folder: Path) -> None:
    files = ("001.Auk/a.jpg", "001.Auk/b.jpg", "002.Crow/c.jpg", "002.Crow/d.jpg")
    for file in files:
        save(folder / "images" / file)
    columns = {
        "images": files,
        "image_class_labels": (1, 1, 2, 2),
        "train_test_split": (1, 0, 1, 0),
        "bounding_boxes": ("1.0 2.0 10.5 20.0",) * 4,
        "classes": ("001.Auk", "002.Crow"),
    }
    for name, values in columns.items():
        (folder / f"{name}.txt").write_text("".join(f"{i} {v}\n" for i, v in enumerate(values, 1)))


def make_dogs(folder: Path) -> None:
    files = {"train": ("n01-Pug/p1", "n02-Saluki/s1", "n02-Saluki/s2"), "test": ("n01-Pug/p2",)}
    for split, names in files.items():
        for name in names:
            save(folder / "Images" / f"{name}.jpg")
            voc(folder / "Annotation" / name, ("dog", 3, 4, 30, 25), ("dog", 0, 0, 9, 9))
        column = np.array([[f"{name}.jpg"] for name in names], object)
        savemat(folder / f"{split}_list.mat", {"file_list": column})


def make_pets(folder: Path) -> None:
    rows = "Bengal_1 6 1 1\nbeagle_1 5 2 1\n"
    for name in ("Bengal_1", "beagle_1"):
        save(folder / "images" / f"{name}.jpg")
        trimap = np.full((30, 40), 2, np.uint8)
        trimap[5:20, 8:30] = 3
        trimap[6:19, 9:29] = 1
        (folder / "annotations/trimaps").mkdir(parents=True, exist_ok=True)
        Image.fromarray(trimap).save(folder / "annotations/trimaps" / f"{name}.png")
    voc(folder / "annotations/xmls/Bengal_1.xml", ("cat", 10, 6, 20, 12))
    (folder / "annotations/test.txt").write_text(rows)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with one tiny data set in each layout that the paper's need."""
    make_cub(tmp_path / "CUB_200_2011")
    make_dogs(tmp_path / "stanford_dogs")
    make_pets(tmp_path / "oxford_pets")
    for name in ("cat.0.jpg", "cat.1.jpg", "dog.0.jpg"):
        save(tmp_path / "dogs_vs_cats/train" / name)
    save(tmp_path / "landscape/train/sea_1.jpg")
    save(tmp_path / "landscape/test/sea_2.jpg")
    return tmp_path


def test_cub_has_its_species_its_own_split_and_boxes_by_width_and_height(root: Path) -> None:
    train, test = (load_dataset(root / "CUB_200_2011", split) for split in ("train", "test"))

    assert train.labels == ("Auk", "Crow")
    assert [(e.path.name, e.label) for e in train.examples] == [("a.jpg", "Auk"), ("c.jpg", "Crow")]
    assert [e.path.name for e in test.examples] == ["b.jpg", "d.jpg"]
    assert train.examples[0].boxes == (Box(1, 2, 11.5, 22),)
    assert "non-commercial" in train.terms


def test_an_image_that_a_list_names_but_nobody_has_is_skipped(root: Path) -> None:
    (root / "CUB_200_2011/images/002.Crow/c.jpg").unlink()
    save(root / "CUB_200_2011/images/002.Crow/e.jpg")

    dataset = load_dataset("bird-dog", "train", root=root)

    assert [(path.name, reason) for path, reason in dataset.skipped] == [("c.jpg", "there is no such file")]


def test_stanford_dogs_has_its_breeds_and_every_dog_of_an_image(root: Path) -> None:
    train = load_dataset(root / "stanford_dogs", "train")

    assert train.labels == ("Pug", "Saluki")
    assert Counter(e.label for e in train.examples) == {"Saluki": 2, "Pug": 1}
    assert train.examples[0].boxes == (Box(3, 4, 30, 25), Box(0, 0, 9, 9))


def test_classes_that_a_split_lacks_keep_their_index(root: Path) -> None:
    test = load_dataset("stanford-dogs", "test", root=root)

    assert test.labels == ("Pug", "Saluki", "background")
    assert {e.label for e in test.examples} == {"Pug", "background"}


def test_pets_have_body_boxes_from_the_trimap_and_head_boxes_where_published(root: Path) -> None:
    body = load_dataset(root / "oxford_pets", "test")
    head = load_dataset(root / "oxford_pets", "test", boxes="head")

    assert [(e.label, e.boxes) for e in body.examples] == [
        ("cat", (Box(8, 5, 30, 20),)),
        ("dog", (Box(8, 5, 30, 20),)),
    ]
    assert [(e.label, e.boxes) for e in head.examples] == [("cat", (Box(10, 6, 20, 12),)), ("dog", ())]
    assert body.examples[0].mask == root / "oxford_pets/annotations/trimaps/Bengal_1.png"


def test_an_evaluation_may_ask_for_head_boxes(root: Path) -> None:
    dataset = Request("cat-dog", root, pet_boxes="head").load()

    assert [e.boxes for e in dataset.examples if e.label == "cat"] == [(Box(10, 6, 20, 12),)]


def test_pets_without_a_training_list_are_for_testing_only(root: Path) -> None:
    with pytest.raises(UsageError, match=r"no train part: trainval\.txt"):
        load_dataset(root / "oxford_pets", "train")


def test_dogs_vs_cats_is_for_training_only(root: Path) -> None:
    train = load_dataset(root / "dogs_vs_cats", "train", background="dog")

    assert train.labels == ("cat", "dog")
    assert Counter(e.label for e in train.examples) == {"cat": 2, "dog": 1}
    with pytest.raises(UsageError, match="for training only"):
        load_dataset(root / "dogs_vs_cats", "test")


def test_kaggle_names_in_class_folders_are_class_folders(tmp_path: Path) -> None:
    save(tmp_path / "cats/cat.0.jpg")
    save(tmp_path / "dogs/dog.0.jpg")

    assert load_dataset(tmp_path, "train").labels == ("cats", "dogs")


def test_images_with_annotations_are_labelled_by_their_object(tmp_path: Path) -> None:
    for name in ("Cats_Test0", "Cats_Test1", "Cats_Test2"):
        save(tmp_path / "images" / f"{name}.png")
    voc(tmp_path / "annotations/Cats_Test0.xml", ("cat", 1, 2, 30, 20), ("dog", 0, 0, 9, 9))
    voc(tmp_path / "annotations/Cats_Test1.xml", ("dog", 1, 2, 30, 20))

    dataset = load_dataset(tmp_path, "test")

    assert [(e.label, e.boxes) for e in dataset.examples] == [
        ("cat", (Box(1, 2, 30, 20),)),
        ("dog", (Box(1, 2, 30, 20),)),
    ]
    assert [path.name for path, _ in dataset.skipped] == ["Cats_Test2.png"]


def test_scenes_without_a_split_get_one_that_holds(root: Path) -> None:
    scenes = [f"{n:08d}.jpg" for n in range(60)]
    for level in ("train", "test"):
        next((root / "landscape" / level).iterdir()).unlink()
        (root / "landscape" / level).rmdir()
    for name in scenes:
        save(root / "landscape" / name)

    parts = [
        {e.path.name for e in load_dataset("bird-dog", split, root=root).examples} & set(scenes)
        for split in ("train", "test")
    ]

    assert not parts[0] & parts[1]
    assert parts[0] | parts[1] == set(scenes)
    assert 8 <= len(parts[1]) <= 28


def test_cats_and_dogs_are_put_together_from_two_sources_for_training(root: Path) -> None:
    train = load_dataset("cat-dog", "train", root=root)
    test = load_dataset("cat-dog", "test", root=root)

    assert train.labels == test.labels == ("cat", "dog", "background")
    assert Counter(e.label for e in train.examples) == {"cat": 2, "dog": 4, "background": 1}
    assert Counter(e.label for e in test.examples) == {"cat": 1, "dog": 1, "background": 1}


def test_a_named_set_without_its_place_asks_for_it() -> None:
    with pytest.raises(UsageError, match="--data-root"):
        load_dataset("bird-dog", "train")


def test_a_named_set_says_which_part_is_missing(root: Path) -> None:
    (root / "landscape").rename(root / "scenes")

    with pytest.raises(UsageError, match="lacks landscape/"):
        load_dataset("bird-dog", "train", root=root)


def test_the_folder_of_all_data_sets_is_no_data_set(root: Path) -> None:
    with pytest.raises(UsageError, match="holds whole data sets"):
        load_dataset(root, "train")


def test_a_layout_without_one_of_its_lists_is_refused(root: Path) -> None:
    (root / "CUB_200_2011/classes.txt").unlink()

    with pytest.raises(UsageError, match=r"lacks classes\.txt"):
        load_dataset(root / "CUB_200_2011", "train")


@pytest.mark.parametrize(
    ("name", "split", "counts"),
    [
        ("bird-dog", "train", {"bird": 1200, "dog": 1659, "background": 1700}),
        ("bird-dog", "test", {"bird": 1108, "dog": 553, "background": 745}),
        ("cat-dog", "train", {"cat": 800, "dog": 2059, "background": 1700}),
        ("cat-dog", "test", {"cat": 197, "dog": 92, "background": 745}),
    ],
)
def test_the_real_sets_have_the_counts_they_are_published_with(
    shared_data: Path, name: str, split: Split, counts: dict[str, int]
) -> None:
    dataset = load_dataset(name, split, root=shared_data)

    assert Counter(e.label for e in dataset.examples) == counts
    assert dataset.labels == tuple(counts)
    assert dataset.skipped == ()


def test_the_real_test_photographs_have_the_boxes_the_baselines_were_counted_on(shared_data: Path) -> None:
    boxes = Counter(len(e.boxes) for e in load_dataset("bird-dog", "test", root=shared_data).examples)
    heads = load_dataset("cat-dog", "test", root=shared_data, boxes="head")

    assert boxes[1] == 1634
    assert sum(boxes.values()) - boxes[0] - boxes[1] == 27
    assert sum(len(e.boxes) for e in heads.examples) == 154


def test_the_real_breeds_are_96_and_the_ten_largest_are_a_part_of_them(shared_data: Path) -> None:
    every = load_dataset("stanford-dogs", "test", root=shared_data)
    ten = load_dataset("stanford-dogs-10", "test", root=shared_data)

    assert (len(every.labels), len(ten.labels)) == (97, 11)
    assert set(ten.labels) < set(every.labels)
    assert {"Maltese_dog", "Saint_Bernard", "German_shepherd", "golden_retriever"} < set(ten.labels)


@pytest.mark.parametrize("name", sorted(NAMED))
def test_no_real_test_photograph_is_trained_on(shared_data: Path, name: str) -> None:
    train, test = (
        {e.path for e in load_dataset(name, split, root=shared_data).examples} for split in ("train", "test")
    )

    assert train
    assert test
    assert not train & test
