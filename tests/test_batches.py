from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightcam_models.augmentation import Augmentation
from lightcam_models.batches import Batches, decode_photographs
from lightcam_models.datasets import load_dataset
from lightcam_models.progress import Progress

TARGETS = np.array([0, 0, 1, 1, 2, 2, 2], np.int64)


def batches(
    augmentation: Augmentation | None = None, masks: np.ndarray | None = None, **changes: object
) -> Batches:
    pixels = np.broadcast_to(np.arange(7, dtype=np.uint8)[:, None, None, None] * 30, (7, 256, 256, 3))
    settings = {"size": 64, "batch_size": 3, "map_side": 4, "seed": 5, **changes}
    return Batches(
        pixels, masks, TARGETS, np.ones(3, np.float32), background=2, augmentation=augmentation, **settings
    )


def test_unaugmented_batches_show_every_photograph_once_in_order() -> None:
    served = batches()
    images = np.concatenate([served[index][0] for index in range(len(served))])
    assert images.shape == (7, 64, 64, 3)
    assert images[:, 0, 0, 0].tolist() == [0, 30, 60, 90, 120, 150, 180]
    assert served[0][1]["targets"].tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert served[0][1]["foreground"].shape == (3, 4, 4)


def test_a_seed_and_an_epoch_fix_the_batches() -> None:
    first, again = batches(Augmentation()), batches(Augmentation())
    assert len(first) == 2
    assert np.array_equal(first[1][0], again[1][0])
    first.on_epoch_end()
    assert not np.array_equal(first[1][0], again[1][0])
    assert np.array_equal(first[1][0], batches(Augmentation(), start_epoch=1)[1][0])


def test_masks_reach_the_map_and_scenes_have_none() -> None:
    masks = np.zeros((7, 128, 128), np.uint8)
    masks[:4, :64] = 255
    _, known = batches(masks=masks)[0]
    assert known["foreground"][0].tolist() == [[1] * 4, [1] * 4, [0] * 4, [0] * 4]
    served = batches(masks=masks)
    assert not served[2][1]["foreground"].any()


def test_a_scene_with_objects_of_both_classes_is_told_as_both() -> None:
    masks = np.zeros((7, 128, 128), np.uint8)
    masks[:4, 32:96, 32:96] = 255
    crowded = Augmentation(paste=1.0, several=1.0)
    soft = np.tile(np.float32([0.7, 0.2, 0.1]), (7, 1))
    served = batches(crowded, masks=masks, batch_size=7, soft_targets=soft)[0][1]

    mixed = served["single"] == 0
    assert mixed.any()
    assert (served["targets"][mixed] > 0).sum(axis=1).tolist() == [2] * int(mixed.sum())
    assert np.array_equal(served["teacher"][mixed], served["targets"][mixed])
    assert np.allclose(served["teacher"][~mixed], soft[0])
    assert served["targets"].sum(axis=1) == pytest.approx(1)


def test_scenes_are_also_cut_from_beside_other_objects() -> None:
    masks = np.zeros((7, 128, 128), np.uint8)
    masks[:4, :, 64:] = 255
    everywhere = Augmentation(paste=1.0, several=0.0, surroundings=1.0, blur=0.0, lightness=0.0)
    served = batches(everywhere, masks=masks, batch_size=7)

    images, known = served[0]
    corners = images[known["targets"][:, 2] == 0][:, [0, 0, -1, -1], [0, -1, 0, -1], 0]

    assert len(served.strips) == 4
    assert set(np.median(corners, axis=1).tolist()) <= {0.0, 30.0, 60.0, 90.0}


def test_doubted_masks_count_less_and_are_not_cut_out() -> None:
    masks = np.zeros((7, 128, 128), np.uint8)
    masks[:4, 32:96, 32:96] = 255
    certainty = np.float32([0.2, 0.56, 0.7, 1, 1, 1, 1])

    served = batches(masks=masks, certainty=certainty, batch_size=7)

    assert served[0][1]["belief"].tolist() == pytest.approx([0, 0.6, 1, 1, 1, 1, 1])
    assert served.objects.tolist() == [1, 2, 3]


def test_photographs_are_decoded_once_and_broken_ones_left_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (300, 200), (number * 50, 0, 0)).save(
                tmp_path / "data" / label / f"{number}.jpg"
            )
    broken = tmp_path / "data" / "a" / "1.jpg"
    broken.write_bytes(broken.read_bytes()[:-300])
    dataset = load_dataset(tmp_path / "data", "train")

    pixels, kept = decode_photographs(dataset, tmp_path / "state", Progress())

    assert pixels.shape == (5, 256, 256, 3)
    assert len(kept.examples) == 5
    assert broken not in [example.path for example in kept.examples]
    assert str(broken) in capfd.readouterr().err
    again, same = decode_photographs(dataset, tmp_path / "state", Progress(quiet=True))
    assert same == kept
    assert np.array_equal(again[: len(pixels)], pixels)
