"""What `lightcam-edge evaluate` does."""

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Literal

from lightcam_edge.box import Component
from lightcam_edge.cam import Method
from lightcam_edge.choices import Scoring
from lightcam_edge.errors import RuntimeMissingError, UsageError
from lightcam_edge.localizer import Localizer, Options
from lightcam_edge.model_file import rewrite_card
from lightcam_models.datasets import PetBoxes
from lightcam_models.datasets.loading import LANDSCAPE
from lightcam_models.evaluation import calibrating
from lightcam_models.evaluation.canvas import Scenes
from lightcam_models.evaluation.composed import composed_set
from lightcam_models.evaluation.counting import DetectionTrial, hold_detection_trial
from lightcam_models.evaluation.detection_tables import detection_summary, detection_table, detection_values
from lightcam_models.evaluation.evaluating import (
    Part,
    Request,
    Trial,
    evaluate,
    hold_trial,
    known_boxes,
    load_model,
    model_names,
)
from lightcam_models.evaluation.placed import placed_set
from lightcam_models.evaluation.tables import calibration_text, evaluation_summary, trial_table, trial_values
from lightcam_models.progress import Progress


def run(
    models: Sequence[str],
    data: str,
    *,
    data_root: Path | None = None,
    split: Part | None = None,
    background: str | None = None,
    method: Method | None = None,
    threshold: float | None = None,
    component: Component | None = None,
    score: Scoring | None = None,
    presence: float | None = None,
    several: bool = False,
    pet_boxes: PetBoxes = "body",
    limit: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    placed: str | None = None,
    composed: str | None = None,
    scenes: Path | None = None,
    calibrate: Literal["boxes", "no-boxes"] | None = None,
    held_out: float = 0.1,
    as_json: bool = False,
    report: Path | None = None,
    write_card: bool = False,
    quiet: bool = False,
) -> str:
    """Evaluate models as the command line asks for it, and give what it prints.

    Raises:
        UsageError: if the options contradict each other, or do not suit the models or the data.
    """
    options = Options(method=method, threshold=threshold, component=component, score=score, presence=presence)
    localizers = [load_model(name, options, threads) for name in models]
    if report:
        _report_module()
    if calibrate:
        _refuse_cardless(localizers)
    elif write_card:
        _refuse_cardless([one for one in localizers if one.model.flatbuffer] or localizers)
    if calibrate and split == "test":
        raise UsageError("--calibrate never sees the test part: it takes held-out training photographs")
    part: Part = "held-out" if calibrate else split or "test"
    request = Request(data, data_root, part, background, limit, seed, several, pet_boxes, held_out)
    if calibrate:
        return _calibrate(localizers, request, calibrate == "boxes", as_json, Progress(quiet))
    progress = Progress(quiet)
    trials = {"photographs": evaluate(localizers, request, progress)}
    if placed:
        where = _scenes("--placed", scenes, request)
        trials["placed"] = _place(localizers, placed, where, request, progress)
    several_objects = None
    if composed:
        where = _scenes("--composed", scenes, request)
        several_objects = _compose(localizers, composed, where, request, progress)
    if report:
        _report_module().write_report(trials, localizers, report, several_objects)
    if write_card:
        _write_cards(localizers, trials, several_objects)
    return _json(trials, several_objects) if as_json else _text(trials, several_objects)


def _json(trials: Mapping[str, Trial], composed: DetectionTrial | None) -> str:
    values = {kind: trial_values(trial) for kind, trial in trials.items()}
    values |= {"composed": detection_values(composed)} if composed else {}
    return json.dumps(values, ensure_ascii=False)


def _text(trials: Mapping[str, Trial], composed: DetectionTrial | None) -> str:
    tables = [trial_table(trial) for trial in trials.values()]
    return "\n\n".join([*tables, *([detection_table(composed)] if composed else [])])


def _calibrate(
    localizers: Sequence[Localizer],
    request: Request,
    with_boxes: bool,
    as_json: bool,
    progress: Progress,
) -> str:
    done = [calibrating.calibrate(one, request, with_boxes, progress) for one in localizers]
    for localizer, calibration in zip(localizers, done, strict=True):
        card = replace(localizer.card, cam=calibration.spec(localizer.card.cam))
        rewrite_card(localizer.model.path, card)
    if as_json:
        return json.dumps([asdict(one) for one in done], ensure_ascii=False)
    return "\n\n".join(
        calibration_text(localizer.card.name, one) for localizer, one in zip(localizers, done, strict=True)
    )


def _scenes(option: str, scenes: Path | None, request: Request) -> Scenes:
    """The folder of the command line, or held-out photographs of the background, or the test landscapes."""
    if scenes is None and request.split == "held-out":
        dataset = request.load()
        empty = (one.path for one in dataset.examples if one.label == dataset.background and not one.member)
        found = Scenes(f"held-out {dataset.background} of {dataset.name}", tuple(empty))
        if found.files:
            return found
    elif scenes is None and request.data_root:
        scenes = request.data_root / LANDSCAPE / "test"
    if scenes is None:
        raise UsageError(f"{option} needs --scenes: a folder of photographs without objects")
    return Scenes.in_folder(scenes)


def _place(
    localizers: Sequence[Localizer], placed: str, scenes: Scenes, request: Request, progress: Progress
) -> Trial:
    card = localizers[0].card
    test = placed_set(placed, scenes, card, request, progress)
    return hold_trial(localizers, test, known_boxes(request, card), request, progress)


def _compose(
    localizers: Sequence[Localizer], composed: str, scenes: Scenes, request: Request, progress: Progress
) -> DetectionTrial:
    test = composed_set(composed, scenes, localizers[0].card, request, progress)
    return hold_detection_trial(model_names(localizers), localizers, test, request.seed, progress)


def _report_module() -> ModuleType:
    try:
        return importlib.import_module("lightcam_models.evaluation.report")
    except ImportError as error:
        raise RuntimeMissingError(
            f"--report needs {error.name}, which is not installed: pip install 'lightcam-edge[train]'"
        ) from error


def _refuse_cardless(localizers: Sequence[Localizer]) -> None:
    for localizer in localizers:
        if not localizer.card.sha256:
            raise UsageError(f"{localizer.model.path} has no model card to write to: convert it first")


def _write_cards(
    localizers: Sequence[Localizer], trials: Mapping[str, Trial], composed: DetectionTrial | None
) -> None:
    for number, localizer in enumerate(localizers):
        if not localizer.model.flatbuffer:  # a Keras model that the files are compared with
            continue
        metrics = {**localizer.card.metrics, **evaluation_summary(trials, number)}
        metrics |= {"composed": detection_summary(composed, number)} if composed else {}
        rewrite_card(localizer.model.path, replace(localizer.card, metrics=metrics))
