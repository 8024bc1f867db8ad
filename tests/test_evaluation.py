import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import painted
import pytest

from lightcam_edge.box import Box
from lightcam_edge.card import Background
from lightcam_edge.errors import UsageError
from lightcam_edge.geometry import Fit, fit_pixels
from lightcam_edge.localizer import Localizer, Options
from lightcam_edge.model_file import read_model
from lightcam_models.datasets import Dataset, Example, load_dataset
from lightcam_models.evaluation.calibrating import Setting, _choice_by_truth, _every_box, move
from lightcam_models.evaluation.evaluating import Request, Trial, evaluate, load_model
from lightcam_models.evaluation.judging import THRESHOLDS, KnownBox, baselines, ious_by_rule, judge
from lightcam_models.evaluation.observing import Observation, observe, shots
from lightcam_models.evaluation.running import run
from lightcam_models.evaluation.tables import evaluation_summary
from lightcam_models.progress import Progress

QUIET = Progress(quiet=True)
RED = Box(8, 6, 56, 54)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return painted.write_photographs(tmp_path_factory.mktemp("painted"))


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copy(tiny_model, tmp_path / "model.tflite"))


def one_dataset(folder: Path, *examples: tuple[str, np.ndarray, tuple[Box, ...]]) -> Dataset:
    """A data set of painted photographs, whatever their labels say."""
    made = tuple(
        Example(painted.save(folder / f"{number}.png", pixels), label, boxes)
        for number, (label, pixels, boxes) in enumerate(examples)
    )
    return Dataset("made", painted.LABELS, "background", made, root=folder)


def seen(localizer: Localizer, dataset: Dataset) -> tuple[Observation, ...]:
    return observe(localizer, shots(dataset, localizer.card)[0], QUIET).seen


def trial(model: Path, photographs: Path, **request: object) -> Trial:
    return evaluate(
        [load_model(model, Options())],
        Request(str(photographs), background="background", **request),  # type: ignore[arg-type]
        QUIET,
    )


def test_a_model_that_sees_everything_is_always_right(tiny_model: Path, photographs: Path) -> None:
    found = trial(tiny_model, photographs)

    assert found.photographs.images == {"red": 6, "blue": 6, "background": 6}
    assert found.models[0].shipped == "br-avgcam"
    for verdict in found.models[0].verdicts.values():
        assert verdict.overall.images == 18
        assert verdict.overall.top1.percent == 100
        assert verdict.overall.top1_localization.percent == 100
        assert verdict.overall.top1_localization.images == 12
        assert verdict.overall.gt_known["0.7"].percent == 100
        assert verdict.overall.max_box_acc == 100
        assert verdict.overall.called_background.percent == pytest.approx(100 / 3)
        assert list(verdict.by_class) == ["red", "blue", "background"]
        assert len(verdict.curves["largest"].gt_known) == len(THRESHOLDS)


def test_the_boxes_scored_are_those_that_ship(tiny_model: Path, photographs: Path) -> None:
    localizer = Localizer(tiny_model)
    dataset = load_dataset(photographs, "test", background="background")

    for observation in seen(localizer, dataset):
        shipped = localizer(observation.shot.name)
        boxes = [detection.box for detection in shipped.detections]
        sight = observation.sights[localizer.method]
        assert [sight.box] == (boxes or [None])
        assert sight.class_index == shipped.class_index


def test_options_of_the_caller_count(tiny_model: Path, photographs: Path) -> None:
    options = Options(method="cam", threshold=0.9, component="all")

    found = evaluate(
        [load_model(tiny_model, options)], Request(str(photographs), background="background"), QUIET
    )

    result = found.models[0]
    assert (result.shipped, result.threshold, result.component) == ("cam", 0.9, "all")
    assert result.threshold_source == "chosen on the command line"


def test_a_wrong_class_is_not_localized_though_the_box_told_the_class_may_be_right(
    tiny_model: Path, tmp_path: Path
) -> None:
    localizer = Localizer(tiny_model)
    dataset = one_dataset(tmp_path, ("red", painted.paint((96, 96), ("blue", RED)), (RED,)))

    by_method = {m: judge(seen(localizer, dataset), m, localizer.card, QUIET) for m in ("cam", "br-avgcam")}

    for verdict in by_method.values():
        assert verdict.overall.top1.percent == 0
        assert verdict.overall.top1_localization.percent == 0
    assert by_method["br-avgcam"].overall.gt_known["0.5"].percent == 100
    assert by_method["cam"].overall.gt_known["0.5"].percent == 0  # the map of red holds nothing


def test_an_object_called_background_is_counted_and_still_boxed_when_told(
    tiny_model: Path, tmp_path: Path
) -> None:
    speck = Box(8, 6, 16, 14)
    localizer = Localizer(tiny_model)
    dataset = one_dataset(tmp_path, ("red", painted.paint((96, 96), ("red", speck)), (speck,)))

    observations = seen(localizer, dataset)
    verdict = judge(observations, "br-avgcam", localizer.card, QUIET)

    assert observations[0].sights["br-avgcam"].box is None
    assert observations[0].sights["br-avgcam"].told_box is not None
    assert verdict.overall.called_background.percent == 100
    assert verdict.overall.top1_localization.percent == 0


def test_photographs_with_several_boxes_are_scored_only_when_asked_for(
    tiny_model: Path, tmp_path: Path
) -> None:
    localizer = Localizer(tiny_model)
    pixels = painted.paint((96, 96), ("red", RED))
    dataset = one_dataset(tmp_path, ("red", pixels, (Box(80, 80, 90, 90), RED)), ("red", pixels, (RED,)))
    observations = seen(localizer, dataset)

    single = judge(observations, "br-avgcam", localizer.card, QUIET)
    several = judge(observations, "br-avgcam", localizer.card, QUIET, several=True)

    assert (single.overall.images, single.overall.top1_localization.images) == (2, 1)
    assert (several.overall.top1_localization.images, several.overall.top1_localization.percent) == (2, 100)


def test_photographs_without_boxes_count_for_classification(tiny_model: Path, tmp_path: Path) -> None:
    localizer = Localizer(tiny_model)
    dataset = one_dataset(tmp_path, ("red", painted.paint((96, 96), ("red", RED)), ()))

    verdict = judge(seen(localizer, dataset), "cam", localizer.card, QUIET)

    assert verdict.overall.top1.percent == 100
    assert verdict.overall.top1_localization.images == 0
    assert verdict.curves["all"].gt_known == ()


def test_the_background_of_the_data_is_that_of_the_model(tiny_model: Path, tmp_path: Path) -> None:
    card = Localizer(tiny_model).card
    made = one_dataset(tmp_path, ("landscape", painted.paint((96, 96)), ()))

    known, unknown = shots(replace(made, labels=("red", "landscape"), background="landscape"), card)

    assert [shot.label for shot in known] == ["background"]
    assert unknown == {}


def test_classes_the_model_does_not_know_are_left_out_and_named(tiny_model: Path, tmp_path: Path) -> None:
    card = Localizer(tiny_model).card
    pixels = painted.paint((96, 96))
    made = replace(
        one_dataset(tmp_path, ("red", pixels, ()), ("green", pixels, ())),
        labels=("red", "green"),
        background=None,
    )

    known, unknown = shots(made, card)

    assert [shot.label for shot in known] == ["red"]
    assert unknown == {"green": 1}
    with pytest.raises(UsageError, match="knows red, blue, background; made has green"):
        shots(replace(made, labels=("green",), examples=made.examples[1:]), card)


def test_a_limit_takes_the_same_photographs_for_the_same_seed(tiny_model: Path, photographs: Path) -> None:
    names = [
        [observation.shot.name for observation in trial(tiny_model, photographs, limit=5, seed=seed).seen[0]]
        for seed in (1, 1, 2)
    ]

    assert len(names[0]) == 5
    assert names[0] == names[1] != names[2]


def test_a_broken_photograph_is_reported_and_the_others_go_on(
    tiny_model: Path, photographs: Path, tmp_path: Path
) -> None:
    shutil.copytree(photographs, tmp_path / "data")
    broken = tmp_path / "data" / "test" / "red" / "0.png"
    broken.write_bytes(broken.read_bytes()[:-40])

    found = trial(tiny_model, tmp_path / "data")

    assert found.photographs.images["red"] == 5
    assert any("red/0.png" in reason for reason in found.photographs.skipped)


def test_boxes_that_never_look_are_scored_beside(tiny_model: Path, tmp_path: Path) -> None:
    pixels = painted.paint((100, 100), ("red", Box(0, 0, 90, 90)))
    dataset = one_dataset(
        tmp_path, ("red", pixels, (Box(0, 0, 90, 90),)), ("blue", pixels, (Box(30, 30, 70, 70),))
    )
    training = [
        KnownBox("red", Box(5, 5, 95, 95), (100, 100)),
        KnownBox("blue", Box(30, 30, 70, 70), (100, 100)),
    ]

    whole, one, own = baselines(seen(Localizer(tiny_model), dataset), training)

    assert (whole.overall.percent, whole.by_class["red"].percent, whole.by_class["blue"].percent) == (
        50,
        100,
        0,
    )
    assert one.share["red"] == one.share["blue"]
    assert own.share == {"red": 0.9, "blue": 0.4}
    assert (own.by_class["red"].percent, own.by_class["blue"].percent) == (100, 100)


def test_the_constant_box_is_chosen_on_the_training_part(tiny_model: Path, photographs: Path) -> None:
    names = [baseline.name for baseline in trial(tiny_model, photographs).baselines]

    assert names[0] == "whole image"
    assert names[1].startswith("centred box, ")


def test_the_curve_boxes_the_map_at_every_threshold() -> None:
    cam = np.zeros((20, 20), np.float32)
    cam[2:12, 2:12] = 0.42
    cam[4:8, 4:8] = 1
    fit = Fit((40, 20), (20, 20))  # the image is twice as high as the input

    ious = ious_by_rule(cam, fit, [Box(2, 4, 12, 24)])

    assert ious.shape == (2, 20)
    low = [threshold < 0.42 for threshold in THRESHOLDS]
    assert np.allclose(ious[0], np.where(low, 1, 16 / 100))
    assert np.array_equal(ious[0], ious[1])


def test_json_holds_every_number(tiny_model: Path, photographs: Path) -> None:
    text = run([str(tiny_model)], str(photographs), background="background", as_json=True, quiet=True)

    values = json.loads(text)["photographs"]
    result = values["models"][0]["verdicts"]["br-avgcam"]
    assert result["overall"]["gt_known"]["0.5"] == {
        "percent": 100.0,
        "low": 100.0,
        "high": 100.0,
        "images": 12,
    }
    assert result["by_class"]["background"]["max_box_acc"] is None
    assert len(values["thresholds"]) == len(result["curves"]["all"]["gt_known"])
    assert len(values["photographs"]["digest"]) == 64


def test_the_table_names_models_methods_classes_and_baselines(tiny_model: Path, photographs: Path) -> None:
    text = run([str(tiny_model)], str(photographs), background="background", quiet=True)

    for expected in ("tiny br-avgcam *", "tiny cam", "  blue", "whole image", "centred box", "MaxBoxAcc"):
        assert expected in text
    assert max(len(line) for line in text.splitlines()) < 200


def test_the_card_is_given_the_results(model: Path, photographs: Path) -> None:
    run([str(model)], str(photographs), background="background", write_card=True, quiet=True)

    card = read_model(model).card  # verifies the digest
    assert card is not None
    stored = card.metrics["photographs"]
    assert stored["top1_localization"] == [100.0, 100.0, 100.0]
    assert stored["images"] == {"red": 6, "blue": 6, "background": 6}
    assert set(stored["by_class"]) == {"red", "blue", "background"}
    assert "whole image" in stored["baselines_gt_known"]


def test_results_in_a_card_name_the_rule_they_were_found_by(model: Path, photographs: Path) -> None:
    rule = {"method": "cam", "threshold": 0.3, "component": "all", "presence": 0.1}
    run(
        [str(model)],
        str(photographs),
        background="background",
        score="region",
        write_card=True,
        quiet=True,
        **rule,  # type: ignore[arg-type]
    )

    card = read_model(model).card
    assert card is not None
    stored = card.metrics["photographs"]
    assert {key: stored[key] for key in rule} == rule
    assert stored["score_by"] == "region"


def test_the_card_is_given_what_was_found_on_composed_scenes(
    model: Path, photographs: Path, tmp_path: Path
) -> None:
    run(
        [str(model)],
        str(photographs),
        background="background",
        composed=str(painted.write_cut_outs(tmp_path / "cut")),
        scenes=painted.write_scenes(tmp_path / "scenes"),
        limit=4,
        write_card=True,
        quiet=True,
    )

    card = read_model(model).card
    assert card is not None
    assert set(card.metrics) == {"photographs", "composed"}
    assert card.metrics["composed"]["images"] == 4
    assert len(card.metrics["composed"]["digest"]) == 64


def test_models_of_other_classes_are_not_compared(
    tiny_model: Path, make_tiny_model: Callable[..., Path], photographs: Path
) -> None:
    other = make_tiny_model("other", labels=("rot", "blau", "nichts"), background=Background(2, "nichts"))

    with pytest.raises(UsageError, match="evaluate models of the same classes together"):
        run([str(tiny_model), str(other)], str(photographs), quiet=True)


def test_two_files_of_one_name_are_told_apart(tiny_model: Path, model: Path, photographs: Path) -> None:
    localizers = [load_model(path, Options()) for path in (tiny_model, model)]

    found = evaluate(localizers, Request(str(photographs), background="background", limit=3), QUIET)

    assert [result.name for result in found.models] == [str(tiny_model), str(model)]


def test_calibration_with_boxes_finds_the_threshold_that_fits(model: Path, photographs: Path) -> None:
    run([str(model)], str(photographs), background="background", calibrate="boxes", held_out=0.5, quiet=True)

    card = read_model(model).card
    assert card is not None
    assert card.cam.threshold_source.startswith("most boxes right: 6 held-out training photographs")


@pytest.mark.parametrize(("more", "chosen"), [(2, 0.2), (20, 0.4)])
def test_the_cards_rule_stays_unless_another_is_clearly_better(more: int, chosen: float) -> None:
    settings = [Setting("cam", 0.0, "largest", threshold) for threshold in (0.2, 0.4)]
    ious = np.zeros((100, 2))
    ious[:50] = 0.8
    ious[:1, 1] = 0.1
    ious[50 : 50 + more, 1] = 0.8

    choice = _choice_by_truth(settings, 0, ious, ious >= 0.5)

    assert choice.setting.threshold == chosen
    assert choice.right == (50 if chosen == 0.2 else 69)


def test_calibration_without_boxes_uses_none_and_tells_its_cost(model: Path, photographs: Path) -> None:
    said = run(
        [str(model)],
        str(photographs),
        background="background",
        calibrate="no-boxes",
        held_out=0.5,
        quiet=True,
    )

    card = read_model(model).card
    assert card is not None
    assert card.cam.method == "br-avgcam"
    assert "no box used" in card.cam.threshold_source
    assert "choosing without boxes costs 0.0 points" in said
    again = trial(model, photographs)
    assert again.models[0].verdicts["br-avgcam"].overall.gt_known["0.5"].percent == 100


def test_calibration_without_boxes_needs_no_boxes_at_all(
    model: Path, photographs: Path, tmp_path: Path
) -> None:
    shutil.copytree(photographs / "train", tmp_path / "bare", ignore=shutil.ignore_patterns("*.csv"))
    arguments = {"background": "background", "held_out": 0.5, "quiet": True}

    said = run([str(model)], str(tmp_path / "bare"), calibrate="no-boxes", **arguments)  # type: ignore[arg-type]

    assert "chosen: br-avgcam" in said
    assert "costs" not in said
    with pytest.raises(UsageError, match="with one true box: calibrate with no-boxes"):
        run([str(model)], str(tmp_path / "bare"), calibrate="boxes", **arguments)  # type: ignore[arg-type]


def test_a_model_is_measured_on_what_its_training_held_out(model: Path, photographs: Path) -> None:
    found, other = (
        trial(model, photographs, split="held-out", share=0.5, seed=seed).photographs for seed in (0, 1)
    )

    assert found.name == f"held-out training photographs of {photographs.name} (share 0.5, seed 0)"
    assert found.images == other.images == {"red": 3, "blue": 3, "background": 3}
    assert found.digest != other.digest


def test_held_out_objects_are_placed_on_held_out_scenes(model: Path, photographs: Path) -> None:
    said = json.loads(
        run(
            [str(model)],
            str(photographs),
            split="held-out",
            held_out=0.5,
            background="background",
            placed=str(photographs),
            composed=str(photographs),
            limit=4,
            as_json=True,
            quiet=True,
        )
    )

    placed, where = said["placed"]["photographs"], f"on held-out background of {photographs.name}"
    assert "4 placements of 4 cut-outs" in placed["name"]
    assert where in placed["name"]
    assert placed["images"]["background"] == 3
    assert where in said["composed"]["pictures"]["name"]


def test_calibration_refuses_the_test_part(model: Path, photographs: Path) -> None:
    before = model.read_bytes()

    with pytest.raises(UsageError, match="never sees the test part"):
        run([str(model)], str(photographs), split="test", calibrate="boxes", quiet=True)

    assert model.read_bytes() == before


def test_a_moved_photograph_lies_whole_where_it_is_said_to(rng: np.random.Generator) -> None:
    photo = rng.integers(0, 256, (30, 50, 3), dtype=np.uint8)

    canvas, (x, y) = move(photo, np.zeros((10, 10, 3), np.uint8), rng)

    assert np.array_equal(canvas[y : y + 30, x : x + 50], photo)
    assert 50 / 0.8 - 1 <= canvas.shape[1] <= 50 / 0.5 + 1
    canvas[y : y + 30, x : x + 50] = 0
    assert not canvas.any()


def test_a_setting_smooths_before_it_thresholds() -> None:
    cam = np.zeros((8, 8), np.float32)
    cam[4, 4] = 1
    fit = Fit((8, 8), (8, 8))

    settings = [Setting("cam", sigma, "largest", 0.2) for sigma in (0.0, 1.0)]
    sharp, soft = _every_box({"cam": cam}, fit, settings)

    assert sharp == Box(4, 4, 5, 5)
    assert soft == Box(3, 3, 6, 6)


def test_a_keras_model_takes_the_same_path(
    small_keras: Path, small_photographs: Path, tmp_path: Path
) -> None:
    import keras

    path = Path(shutil.copy(small_keras, tmp_path / "model.keras"))
    note = {
        "labels": ["fruit", "water", "background"],
        "background": "background",
        "cam": {"method": "br-avgcam"},
    }
    (tmp_path / "training.json").write_text(json.dumps(note))
    localizer = load_model(path, Options())
    photo = localizer.open(next(small_photographs.glob("fruit/*.png")))

    _, outputs = localizer.infer(photo)

    fitted = fit_pixels(photo.pixels, Fit(photo.image_hw, localizer.input_hw))
    expected = keras.models.load_model(path).predict(fitted[None].astype(np.float32), verbose=0)[0]
    assert outputs.scores == pytest.approx(expected, abs=1e-5)
    found = evaluate([localizer], Request(str(small_photographs), background="background", limit=12), QUIET)
    assert found.models[0].verdicts["br-avgcam"].overall.top1.images == 12
    assert found.baselines[0].overall.images == 0


def test_model_files_are_evaluated_where_keras_is_not_installed(tiny_model: Path, photographs: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('keras', 'tensorflow', 'matplotlib', 'scipy', 'h5py', 'lightcam_converters'):\n"
        "    sys.modules[name] = None\n"
        "from lightcam_models.evaluation.running import run\n"
        "print(run([sys.argv[1]], sys.argv[2], background='background', quiet=True))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny_model), str(photographs)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "tiny br-avgcam *" in done.stdout


def test_a_card_has_room_for_the_summary_of_many_classes(tiny_model: Path, photographs: Path) -> None:
    found = trial(tiny_model, photographs)
    verdict = found.models[0].verdicts["br-avgcam"]
    many = replace(verdict, by_class={f"class {n}": verdict.by_class["red"] for n in range(97)})
    result = replace(found.models[0], verdicts={"br-avgcam": many})

    summary = evaluation_summary({"photographs": replace(found, models=(result,))}, 0)

    assert "by_class" not in summary["photographs"]
    assert summary["photographs"]["baselines_gt_known"]["whole image"].keys() == {"overall"}
    assert len(json.dumps(summary)) < 2000
