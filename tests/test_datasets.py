"""What every data set has in common, and folders of the user's own."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from lightcam_edge.box import Box
from lightcam_edge.errors import InputError, UsageError
from lightcam_models.datasets import Dataset, Example, load_dataset, read_bytes, split_validation
from lightcam_models.datasets.annotations import Annotation


def save(path: Path, wh: tuple[int, int] = (40, 30), orientation: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", wh, (90, 120, 60))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)
    return path


def voc(path: Path, name: str, box: tuple[int, int, int, int], wh: tuple[int, int] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = f"<size><width>{wh[0]}</width><height>{wh[1]}</height></size>" if wh else ""
    x0, y0, x1, y1 = box
    corners = f"<xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
    path.write_text(
        f"<annotation>{size}<object><name>{name}</name><bndbox>{corners}</bndbox></object></annotation>"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three cats, two dogs and one scene in sub-folders."""
    for name in ("cat/1.jpg", "cat/2.png", "cat/more/3.JPG", "dog/1.jpg", "dog/2.webp", "scene/1.jpg"):
        save(tmp_path / name)
    return tmp_path


def boxes_by_name(dataset: Dataset) -> dict[str, tuple[Box, ...]]:
    return {f"{e.label}/{e.path.name}": e.boxes for e in dataset.examples if e.boxes}


def test_sub_folders_are_classes_and_the_background_is_the_last(folder: Path) -> None:
    dataset = load_dataset(folder, "train", background="cat")

    assert dataset.labels == ("dog", "scene", "cat")
    assert (dataset.background, dataset.background_index) == ("cat", 2)
    assert Counter(e.label for e in dataset.examples) == {"cat": 3, "dog": 2, "scene": 1}
    assert (dataset.name, dataset.skipped) == (folder.name, ())


def test_no_background_is_guessed(folder: Path) -> None:
    dataset = load_dataset(folder, "train")

    assert dataset.labels == ("cat", "dog", "scene")
    assert dataset.background_index is None


def test_a_background_that_is_no_class_is_refused_with_the_classes_there_are(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"background 'sky' is no class of .*: cat, dog, scene"):
        load_dataset(folder, "train", background="sky")


@pytest.mark.parametrize("name", ["test", "val"])
def test_levels_hold_the_splits(tmp_path: Path, name: str) -> None:
    for path in ("train/cat/1.jpg", "train/dog/1.jpg", f"{name}/cat/2.jpg", f"{name}/dog/2.jpg"):
        save(tmp_path / path)

    train, test = load_dataset(tmp_path, "train"), load_dataset(tmp_path, "test")

    assert {e.path.name for e in train.examples} == {"1.jpg"}
    assert {e.path.name for e in test.examples} == {"2.jpg"}


def test_a_train_level_alone_has_no_test_part(tmp_path: Path) -> None:
    save(tmp_path / "train/cat/1.jpg")
    save(tmp_path / "train/dog/1.jpg")

    with pytest.raises(UsageError, match="neither test/ nor val/"):
        load_dataset(tmp_path, "test")


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    save(tmp_path / "train/1.jpg")
    save(tmp_path / "bus/1.jpg")

    assert load_dataset(tmp_path, "train").labels == ("bus", "train")


def test_broken_images_are_told_with_their_path_and_the_others_go_on(folder: Path) -> None:
    (folder / "cat/empty.jpg").touch()
    (folder / "cat/text.jpg").write_text("no picture")
    (folder / "dog/cut.png").write_bytes((folder / "cat/2.png").read_bytes()[:60])
    (folder / "fish").mkdir()

    dataset = load_dataset(folder, "train")

    reasons = {path.name: reason for path, reason in dataset.skipped}
    assert len(dataset.examples) == 6
    assert reasons.keys() == {"empty.jpg", "text.jpg", "cut.png", "fish"}
    assert reasons["empty.jpg"] == "the file is empty"
    assert reasons["text.jpg"] == "no image that can be read"
    assert reasons["fish"] == "no images in this folder"


def test_one_class_is_refused_with_the_layout_that_was_expected(tmp_path: Path) -> None:
    save(tmp_path / "cat/1.jpg")

    with pytest.raises(UsageError, match=r"only the class 'cat', 1 images: expected one sub-folder a class"):
        load_dataset(tmp_path, "train")


def test_loose_images_are_no_class(tmp_path: Path) -> None:
    save(tmp_path / "1.jpg")

    with pytest.raises(UsageError, match="1 images lie outside the class sub-folders"):
        load_dataset(tmp_path, "train")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no class with images"):
        load_dataset(tmp_path, "train")


def test_a_folder_that_does_not_exist_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no data set .*none: give a folder that exists, or one of bird-dog"
    ):
        load_dataset(tmp_path / "none", "train")


def test_voc_boxes_lie_beside_the_images_or_in_annotations(folder: Path) -> None:
    voc(folder / "cat/1.xml", "cat", (1, 2, 30, 20))
    voc(folder / "annotations/cat/2.xml", "cat", (3, 4, 99, 20))
    voc(folder / "annotations/3.xml", "dog", (0, 0, 9, 9))

    dataset = load_dataset(folder, "test")

    assert dataset.labels == ("cat", "dog", "scene")
    assert boxes_by_name(dataset) == {"cat/1.jpg": (Box(1, 2, 30, 20),), "cat/2.png": (Box(3, 4, 40, 20),)}


def test_names_that_are_no_classes_do_not_matter(folder: Path) -> None:
    voc(folder / "cat/1.xml", "kitten", (1, 2, 30, 20))

    assert boxes_by_name(load_dataset(folder, "test")) == {"cat/1.jpg": (Box(1, 2, 30, 20),)}


def test_a_damaged_annotation_is_told_and_its_image_kept(folder: Path) -> None:
    (folder / "cat/1.xml").write_text("<annotation>")

    dataset = load_dataset(folder, "train")

    assert len(dataset.examples) == 6
    assert [path.name for path, _ in dataset.skipped] == ["1.jpg"]
    assert "not well-formed" in dataset.skipped[0][1]


def test_coco_boxes(folder: Path) -> None:
    content = {
        "images": [
            {"id": 7, "file_name": "cat/1.jpg", "width": 40, "height": 30},
            {"id": 8, "file_name": "2.webp"},
        ],
        "annotations": [
            {"image_id": 7, "category_id": 1, "bbox": [5, 6, 10, 11]},
            {"image_id": 7, "category_id": 1, "bbox": [0, 0, 40, 30], "iscrowd": 1},
            {"image_id": 7, "category_id": 2, "bbox": [0, 0, 3, 3]},
            {"image_id": 8, "category_id": 2, "bbox": [1, 1, 8, 8]},
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    (folder / "boxes.json").write_text(json.dumps(content))

    assert boxes_by_name(load_dataset(folder, "test")) == {
        "cat/1.jpg": (Box(5, 6, 15, 17),),
        "dog/2.webp": (Box(1, 1, 9, 9),),
    }


def test_coco_that_lacks_a_box_is_refused(folder: Path) -> None:
    (folder / "boxes.json").write_text('{"images": [], "annotations": [{"image_id": 1}]}')

    with pytest.raises(UsageError, match=r"boxes\.json is not COCO JSON"):
        load_dataset(folder, "test")


def test_csv_boxes_and_other_tables(folder: Path) -> None:
    rows = ("1,2,3.5,4,cat", "10,2,13,4,cat", "0,0,9,9,dog")
    table = "".join(f"cat/1.jpg,{row}\n" for row in rows)
    (folder / "boxes.csv").write_text(f"filename,x0,y0,x1,y1,label\n{table}")
    (folder / "notes.csv").write_text("who,when\nme,now\n")

    assert boxes_by_name(load_dataset(folder, "test")) == {
        "cat/1.jpg": (Box(1, 2, 3.5, 4), Box(10, 2, 13, 4))
    }


def test_a_csv_row_without_four_numbers_is_named(folder: Path) -> None:
    (folder / "boxes.csv").write_text("filename,x0,y0,x1,y1\ncat/1.jpg,1,2,3,4\ncat/2.png,1,,3,4\n")

    with pytest.raises(UsageError, match=r"boxes\.csv, row 2"):
        load_dataset(folder, "test")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_of_stored_pixels_follow_the_exif_orientation(orientation: int) -> None:
    stored = np.zeros((30, 40, 3), np.uint8)
    stored[3:10, 5:25] = 255
    image = Image.fromarray(stored)
    image.getexif()[0x0112] = orientation
    shown = np.asarray(ImageOps.exif_transpose(image))[..., 0]
    ys, xs = np.nonzero(shown)

    (box,) = Annotation((("", Box(5, 3, 25, 10)),)).boxes((40, 30), orientation)

    assert box == Box(xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


@pytest.mark.parametrize(
    ("stated_wh", "expected"),
    [((40, 30), Box(20, 5, 27, 25)), ((30, 40), Box(5, 3, 25, 10)), (None, Box(20, 5, 27, 25))],
)
def test_the_size_that_an_annotation_states_tells_its_frame(
    tmp_path: Path, stated_wh: tuple[int, int] | None, expected: Box
) -> None:
    save(tmp_path / "cat/1.jpg", (40, 30), orientation=6)
    save(tmp_path / "dog/1.jpg")
    voc(tmp_path / "cat/1.xml", "cat", (5, 3, 25, 10), stated_wh)

    assert boxes_by_name(load_dataset(tmp_path, "test")) == {"cat/1.jpg": (expected,)}


def test_csv_boxes_lie_in_the_upright_image(tmp_path: Path) -> None:
    save(tmp_path / "cat/1.jpg", (40, 30), orientation=6)
    save(tmp_path / "dog/1.jpg")
    (tmp_path / "boxes.csv").write_text("filename,x0,y0,x1,y1\ncat/1.jpg,5,3,25,38\n")

    assert boxes_by_name(load_dataset(tmp_path, "test")) == {"cat/1.jpg": (Box(5, 3, 25, 38),)}


def test_the_digest_knows_paths_labels_and_sizes_but_not_where_the_folder_lies(folder: Path) -> None:
    before = load_dataset(folder, "train").digest
    moved = folder.rename(folder.with_name(folder.name + "-moved"))
    assert load_dataset(moved, "train").digest == before

    with (moved / "cat/1.jpg").open("ab") as file:
        file.write(b"\0")
    assert load_dataset(moved, "train").digest != before


def numbered(cats: int, dogs: int) -> Dataset:
    names = [("cat", n) for n in range(cats)] + [("dog", n) for n in range(dogs)]
    examples = tuple(Example(Path(f"{label}/{n}.jpg"), label) for label, n in names)
    return Dataset("numbered", ("cat", "dog"), None, examples)


def test_the_same_share_of_every_class_is_held_out() -> None:
    dataset = numbered(40, 10)

    train, held_out = split_validation(dataset, share=0.2, seed=3)

    assert Counter(e.label for e in held_out.examples) == {"cat": 8, "dog": 2}
    assert not set(train.examples) & set(held_out.examples)
    assert set(train.examples) | set(held_out.examples) == set(dataset.examples)
    assert split_validation(dataset, share=0.2, seed=3) == (train, held_out)
    assert split_validation(dataset, share=0.2, seed=4) != (train, held_out)


def test_a_small_class_gives_one_and_a_single_photograph_stays_in_training() -> None:
    _, held_out = split_validation(numbered(2, 1), share=0.1)

    assert [e.label for e in held_out.examples] == ["cat"]


def test_nothing_is_held_out_at_share_0() -> None:
    dataset = numbered(4, 4)

    assert split_validation(dataset, share=0)[0] == dataset


def test_a_share_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1\.0 is outside"):
        split_validation(numbered(2, 2), share=1.0)


def test_a_file_that_has_gone_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_bytes(Example(tmp_path / "gone.jpg", "cat"))


def test_the_readers_load_without_keras() -> None:
    import subprocess
    import sys

    code = (
        "import sys, lightcam_models.datasets; print({'keras', 'tensorflow', 'scipy'} & sys.modules.keys())"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "set()"


def test_a_png_and_a_tiff_turn_their_boxes_as_a_jpeg_does(tmp_path: Path) -> None:
    for name in ("1.png", "2.tif", "3.webp"):
        save(tmp_path / "cat" / name, (40, 30), orientation=3)
        voc((tmp_path / "cat" / name).with_suffix(".xml"), "cat", (5, 3, 25, 10))
    save(tmp_path / "dog/1.png")

    found = boxes_by_name(load_dataset(tmp_path, "test"))

    assert found == dict.fromkeys(("cat/1.png", "cat/2.tif", "cat/3.webp"), (Box(15, 20, 35, 27),))
