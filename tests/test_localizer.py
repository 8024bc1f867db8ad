import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightcam_edge import Box, Localization, Localizer, Options
from lightcam_edge.card import CamSpec, InputSpec
from lightcam_edge.errors import InputError, ModelFileError, UsageError
from lightcam_edge.localizer import Stopwatch, physical_cores

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture(scope="module")
def localizer(tiny_model: Path) -> Localizer:
    return Localizer(tiny_model, threads=1)


def scene(hw: tuple[int, int], *things: tuple[Box, tuple[int, int, int]]) -> np.ndarray:
    """Grey, with coloured boxes."""
    pixels = np.full((*hw, 3), 128, np.uint8)
    for box, colour in things:
        pixels[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = colour
    return pixels


def softmax(*logits: float) -> list[float]:
    total = sum(map(math.exp, logits))
    return [math.exp(logit) / total for logit in logits]


def boxes(found: Localization) -> list[Box]:
    return [detection.box for detection in found.detections]


def test_a_red_thing_is_boxed_to_the_pixel(localizer: Localizer) -> None:
    # 64x144 is the input twice as high and three times as wide: cells are 8x12.
    box = Box(36, 16, 72, 40)

    found = localizer(scene((64, 144), (box, RED)), "rgb")

    share = 36 * 24 / (64 * 144)
    assert found.label == "red"
    assert found.class_index == 0
    assert found.scores.tolist() == pytest.approx(softmax(40 * share, -10 * share, 2 - 10 * share), abs=1e-4)
    assert found.score == pytest.approx(found.scores[0])
    assert boxes(found) == [box]
    assert found.detections[0].label == "red"
    assert found.detections[0].score == found.score
    assert found.cam.shape == (8, 12)
    assert found.cam.max() == pytest.approx(25, abs=0.01)


@pytest.mark.parametrize(
    ("resize", "image_hw", "box"),
    [
        ("squash", (320, 96), Box(16, 40, 40, 160)),
        (
            "letterbox",
            (64, 48),
            Box(16, 16, 32, 40),
        ),  # scaled by a half, 12 cells pixels of padding on each side
        ("letterbox", (40, 96), Box(24, 4, 48, 28)),
        ("crop", (64, 160), Box(64, 8, 96, 32)),
        ("crop", (96, 96), Box(16, 40, 48, 64)),
    ],
)
def test_boxes_are_exact_whatever_the_resize_mode(
    make_tiny_model: Callable[..., Path], resize: str, image_hw: tuple[int, int], box: Box
) -> None:
    localizer = Localizer(make_tiny_model(resize, input=InputSpec(32, 48, resize)), threads=1)

    found = localizer(scene(image_hw, (box, RED)), "rgb")

    (got,) = boxes(found)
    assert [got.x0, got.y0, got.x1, got.y1] == pytest.approx([box.x0, box.y0, box.x1, box.y1])


def test_the_background_has_no_box(localizer: Localizer) -> None:
    found = localizer(scene((50, 70)), "rgb")

    assert found.label == "background"
    assert found.score == pytest.approx(softmax(0, 0, 2)[2], abs=1e-4)
    assert found.detections == ()


SMALL_RED, SMALL_BLUE = Box(36, 16, 60, 24), Box(108, 40, 120, 56)


def test_a_small_thing_is_named_by_its_region_where_the_frame_sees_none(localizer: Localizer) -> None:
    pixels = scene((64, 144), (SMALL_RED, RED))
    by_frame = localizer(pixels, "rgb")
    localizer.set_options(Options(score="region"))
    try:
        by_region = localizer(pixels, "rgb")
    finally:
        localizer.set_options(Options())

    assert (by_frame.label, boxes(by_frame)) == ("background", [])
    assert (by_region.label, boxes(by_region)) == ("red", [SMALL_RED])
    assert by_region.scores.tolist() == pytest.approx(softmax(40, -10, 2 - 10), abs=1e-4)
    assert by_region.score == by_region.detections[0].score


def test_every_region_has_a_class_of_its_own(tiny_model: Path) -> None:
    everything = Localizer(tiny_model, threads=1, options=Options(score="region", max_boxes=0, split=False))

    found = everything(scene((64, 144), (SMALL_RED, RED), (SMALL_BLUE, BLUE)), "rgb")

    assert [(one.label, one.box) for one in found.detections] == [("red", SMALL_RED), ("blue", SMALL_BLUE)]
    assert found.label == "red"


def test_what_stays_below_the_presence_is_nothing(make_tiny_model: Callable[..., Path]) -> None:
    # a cell of pure red is 25 on the BR-AvgCAM map
    spec = CamSpec("br-avgcam", 0.5, score="region", presence=26)
    localizer = Localizer(make_tiny_model("presence", cam=spec), threads=1)
    pixels = scene((64, 144), (SMALL_RED, RED))

    found = localizer(pixels, "rgb")
    localizer.set_options(Options(presence=24))
    nearer = localizer(pixels, "rgb")
    localizer.set_options(Options(label="red"))
    told = localizer(pixels, "rgb")

    assert (found.label, found.detections) == ("background", ())
    assert found.score == found.scores[2]
    assert (nearer.label, boxes(nearer)) == ("red", [SMALL_RED])
    assert (told.label, boxes(told)) == ("red", [SMALL_RED])


def test_regions_scored_by_cam_are_those_of_the_likeliest_object(tiny_model: Path) -> None:
    localizer = Localizer(tiny_model, threads=1, options=Options(score="region", method="cam"))

    found = localizer(scene((64, 144), (SMALL_BLUE, BLUE)), "rgb")

    assert (found.label, boxes(found)) == ("blue", [SMALL_BLUE])


def test_a_region_below_the_least_score_has_no_box(tiny_model: Path) -> None:
    localizer = Localizer(tiny_model, threads=1, options=Options(score="region", min_score=1.0))

    found = localizer(scene((64, 144), (SMALL_RED, (250, 225, 225))), "rgb")

    assert (found.label, found.detections) == ("background", ())


def test_paths_pillow_images_and_arrays_give_the_same(localizer: Localizer, tmp_path: Path) -> None:
    pixels = scene((64, 144), (Box(36, 16, 72, 40), BLUE))
    Image.fromarray(pixels).save(tmp_path / "photo.png")

    results = [
        localizer(tmp_path / "photo.png"),
        localizer(str(tmp_path / "photo.png")),
        localizer(Image.fromarray(pixels)),
        localizer(pixels, "rgb"),
        localizer(np.ascontiguousarray(pixels[..., ::-1]), "bgr"),
        *localizer.batch([tmp_path / "photo.png"]),
    ]

    assert {result.label for result in results} == {"blue"}
    assert {tuple(boxes(result)) for result in results} == {(Box(36, 16, 72, 40),)}


def test_channels_are_never_guessed(localizer: Localizer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="say 'rgb' or 'bgr'"):
        localizer(scene((8, 8)))
    with pytest.raises(ValueError, match="is for arrays"):
        localizer(tmp_path / "photo.png", "rgb")


def test_an_unreadable_image_is_an_input_error(localizer: Localizer) -> None:
    with pytest.raises(InputError, match="No such file"):
        localizer("missing.jpg")


LARGE, SMALL = Box(12, 8, 60, 40), Box(96, 16, 120, 32)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (Options(), [LARGE]),
        (Options(max_boxes=0, split=False), [LARGE, SMALL]),
        (Options(max_boxes=0, component="largest"), [LARGE, SMALL]),
        (Options(component="all"), [Box(12, 8, 120, 40)]),
        (Options(method="cam", max_boxes=0, split=False), [LARGE]),  # the red map does not see the blue thing
        (Options(method="cam", label="blue", max_boxes=0, split=False), [SMALL]),
        (Options(label="background"), []),
        (Options(min_score=1.0), []),
    ],
)
def test_options_change_what_is_boxed(localizer: Localizer, options: Options, expected: list[Box]) -> None:
    localizer.set_options(options)
    try:
        found = localizer(scene((64, 144), (LARGE, RED), (SMALL, BLUE)), "rgb")
    finally:
        localizer.set_options(Options())

    assert boxes(found) == expected


def test_a_lower_threshold_makes_a_wider_box(tiny_model: Path) -> None:
    pixels = scene((64, 144), (LARGE, RED))

    wide = Localizer(tiny_model, threads=1, options=Options(threshold=0.2))(pixels, "rgb")

    # 0.2 of a step is crossed between the first and second of the 4 pixels next to it: one input pixel more.
    assert boxes(wide) == [Box(12 - 3, 8 - 2, 60 + 3, 40 + 2)]


def test_the_cards_method_counts_until_another_is_asked_for(make_tiny_model: Callable[..., Path]) -> None:
    path = make_tiny_model("plain", background=None, cam=CamSpec("cam", 0.5))

    assert Localizer(path, threads=1).method == "cam"
    with pytest.raises(UsageError, match="br-avgcam needs a model with a background class"):
        Localizer(path, threads=1, options=Options(method="br-avgcam"))


def test_without_a_background_every_class_is_boxed(make_tiny_model: Callable[..., Path]) -> None:
    path = make_tiny_model("plain", background=None, cam=CamSpec("cam", 0.5))

    found = Localizer(path, threads=1)(scene((64, 144)), "rgb")

    assert found.label == "background"  # a class like the others here, and its map is 0: nothing to box
    assert found.detections == ()


def test_a_file_without_a_card_runs_plain_cam_with_a_warning(bare_tiny_model: Path) -> None:
    with pytest.warns(UserWarning, match="has no model card: plain CAM"):
        localizer = Localizer(bare_tiny_model, threads=1)

    found = localizer(scene((64, 144), (Box(36, 16, 72, 40), RED)), "rgb")
    assert (localizer.method, found.label) == ("cam", "class 0")
    assert localizer.card.background is None


def test_a_card_of_another_network_is_refused(make_tiny_model: Callable[..., Path]) -> None:
    for name, fields in (
        ("size", {"input": InputSpec(48, 32)}),
        ("labels", {"labels": ("red", "background"), "background": None, "cam": CamSpec("cam")}),
    ):
        with pytest.raises(ModelFileError, match="the card's input size or labels are not the network's"):
            Localizer(make_tiny_model(name, **fields), threads=1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "gradcam"}, "none of cam, br-avgcam"),
        ({"score": "cell"}, "none of frame, region"),
        ({"presence": -1.0}, "negative"),
        ({"max_boxes": -1}, "max_boxes -1 is negative"),
        ({"min_score": 1.5}, r"min_score 1.5 is outside \[0, 1\]"),
    ],
)
def test_options_out_of_range_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Options(**values)  # type: ignore[arg-type]


def test_options_the_model_cannot_take_are_refused(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="no class 'cat': it has red, blue, background"):
        Localizer(tiny_model, options=Options(label="cat"))
    with pytest.raises(UsageError, match=r"threshold 1 is outside \[0, 1\)"):
        Localizer(tiny_model, options=Options(threshold=1))
    with pytest.raises(ValueError, match="threads is 0"):
        Localizer(tiny_model, threads=0)


def test_threads_change_nothing_but_time(tiny_model: Path, localizer: Localizer) -> None:
    pixels = scene((64, 144), (LARGE, RED))

    two = Localizer(tiny_model, threads=2)

    assert two.threads == 2
    assert two(pixels, "rgb").scores.tolist() == localizer(pixels, "rgb").scores.tolist()
    assert Localizer(tiny_model).threads == physical_cores() >= 1


def test_results_outlive_the_next_image(localizer: Localizer) -> None:
    first = localizer(scene((64, 144), (LARGE, RED)), "rgb")
    scores, cam = first.scores.tolist(), first.cam.tolist()

    localizer(scene((64, 144), (SMALL, BLUE)), "rgb")

    assert (first.scores.tolist(), first.cam.tolist()) == (scores, cam)


def test_every_stage_has_its_time(localizer: Localizer) -> None:
    times = localizer(scene((64, 144)), "rgb").latency_ms

    assert list(times) == ["decode", "preprocess", "inference", "cam", "box", "total"]
    assert times["total"] == pytest.approx(sum(list(times.values())[:-1]))
    assert min(times.values()) >= 0


def test_a_stopwatch_goes_on_from_laps_taken_elsewhere() -> None:
    stopwatch = Stopwatch({"decode": 5.0})
    stopwatch.lap("box")

    assert stopwatch.total()["total"] == 5.0 + stopwatch.laps["box"]


def test_importing_the_package_alone_loads_nothing_heavy() -> None:
    heavy = {"numpy", "cv2", "click", "PIL"}
    code = f"import sys, lightcam_edge; print(lightcam_edge.__version__, *{heavy} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "0.1.0"


def test_a_name_the_package_lacks_is_an_attribute_error() -> None:
    import lightcam_edge

    with pytest.raises(AttributeError, match="no attribute 'Locator'"):
        _ = lightcam_edge.Locator  # type: ignore[attr-defined]


def test_things_that_touch_get_a_box_each_where_several_are_wanted(tiny_model: Path) -> None:
    # a red and a blue thing, with a fainter bridge between them
    bridge = (Box(48, 24, 84, 32), (170, 80, 128))
    pixels = scene((64, 144), (Box(12, 16, 48, 40), RED), bridge, (Box(84, 16, 120, 40), BLUE))
    localizer = Localizer(tiny_model, threads=1, options=Options(score="region", threshold=0.2))

    single = localizer(pixels, "rgb")
    localizer.set_options(Options(score="region", threshold=0.2, max_boxes=0))
    several = localizer(pixels, "rgb")

    assert [one.box.x1 > 110 and one.box.x0 < 20 for one in single.detections] == [True]
    assert sorted(one.label for one in several.detections) == ["blue", "red"]
