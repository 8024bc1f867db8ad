"""One evaluation: models, photographs, and what each model gets right."""

import importlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from lightcam_edge.box import Component
from lightcam_edge.cam import Method
from lightcam_edge.card import ModelCard
from lightcam_edge.choices import Scoring
from lightcam_edge.errors import RuntimeMissingError, UsageError
from lightcam_edge.localizer import Localizer, Options
from lightcam_models.datasets import Dataset, PetBoxes, Split, load_dataset, split_validation
from lightcam_models.datasets.photographs import upright_hw
from lightcam_models.evaluation.comparing import Comparison, difference, rights
from lightcam_models.evaluation.judging import Baseline, KnownBox, Verdict, baselines, judge
from lightcam_models.evaluation.metrics import information_density
from lightcam_models.evaluation.observing import (
    Observation,
    Observations,
    Shot,
    methods_of,
    observe,
    sample,
    shots,
)
from lightcam_models.progress import Progress

Part = Literal["train", "test", "held-out"]


@dataclass(frozen=True, slots=True)
class TestSet:
    """What models are to be tested on, see `Photographs`."""

    name: str
    digest: str
    terms: str
    shots: tuple[Shot, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Photographs:
    """What was tested on.

    Args:
        name: of the data set, and its part.
        digest: SHA-256 of the data set part, see `Dataset.digest`.
        images: photographs by class.
        several: how many hold several true boxes.
        skipped: what could not be shown, and why.
        terms: of the data.
    """

    name: str
    digest: str
    images: Mapping[str, int]
    several: int
    skipped: tuple[str, ...] = ()
    terms: str = ""


@dataclass(frozen=True, slots=True)
class ModelResult:
    """What one model gets right.

    Args:
        name: of the model.
        path: of its file.
        sha256: of its network.
        parameters: number of weights.
        macs: multiply-accumulates an image.
        input_hw: height and width of its input, in pixels.
        shipped: the method that its card, or the caller, chooses.
        threshold: share of the map's maximum that counts, by the card or the caller.
        component: component rule, by the card or the caller.
        threshold_source: where the card has it from.
        scoring: whether the frame is classified, or the region of each box.
        presence: value of the map that an object must reach where regions are.
        verdicts: by method.
        density: top-1 localization in percent per million parameters, by method; empty if not known.
    """

    name: str
    path: str
    sha256: str
    parameters: int
    macs: int
    input_hw: tuple[int, int]
    shipped: Method
    threshold: float
    component: Component
    threshold_source: str
    scoring: Scoring
    presence: float
    verdicts: Mapping[Method, Verdict]
    density: Mapping[Method, float]


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of photographs, and how every model and baseline fares on it.

    Args:
        photographs: what was tested on.
        baselines: boxes that never look.
        models: by model.
        comparisons: of each further model with the first.
        seen: by model, what it made of each photograph; for pictures.
    """

    photographs: Photographs
    baselines: tuple[Baseline, ...]
    models: tuple[ModelResult, ...]
    comparisons: tuple[Comparison, ...]
    seen: tuple[tuple[Observation, ...], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be evaluated, and how.

    Args:
        data: folder or name of the data set.
        data_root: folder of the public data sets.
        split: part of the data set; `held-out` are the training photographs that a training with this seed,
            which held out this share, has not learnt from.
        background: which label is the background; a named set knows.
        limit: at most so many photographs.
        seed: of the choice of photographs, and of the bootstrap.
        several: score photographs with several boxes too, by the box that fits best.
        pet_boxes: which boxes Oxford-IIIT Pet gives.
        share: of the training photographs, which was held out.
    """

    data: str
    data_root: Path | None = None
    split: Part = "test"
    background: str | None = None
    limit: int | None = None
    seed: int = 0
    several: bool = False
    pet_boxes: PetBoxes = "body"
    share: float = 0.1

    def name(self, dataset: Dataset) -> str:
        """What to call the part of a data set."""
        if self.split != "held-out":
            return f"{dataset.name} {self.split}"
        return f"held-out training photographs of {dataset.name} (share {self.share:g}, seed {self.seed})"

    def load(self) -> Dataset:
        """Read the data set."""
        split: Split = "test" if self.split == "test" else "train"
        dataset = load_dataset(self.data, split, self.background, self.data_root, self.pet_boxes)
        return split_validation(dataset, self.share, self.seed)[1] if self.split == "held-out" else dataset


def load_model(name: str | Path, options: Options, threads: int | None = None) -> Localizer:
    """A model file, the name of a bundled one, or a trained `.keras` file.

    Raises:
        RuntimeMissingError: if a `.keras` file is given and Keras is not installed.
    """
    if Path(name).suffix != ".keras":
        return Localizer(name, options=options, threads=threads)
    try:
        keras_network = importlib.import_module("lightcam_models.evaluation.keras_localizer")
    except ImportError as error:
        raise RuntimeMissingError(
            f"{name} needs {error.name}, which is not installed: pip install 'lightcam-edge[train]'"
        ) from error
    localizer: Localizer = keras_network.load_keras(Path(name), options)
    return localizer


def evaluate(models: Sequence[Localizer], request: Request, progress: Progress) -> Trial:
    """Test models on the photographs of a data set.

    Raises:
        UsageError: if the models know other classes than the data set, or each other.
    """
    _refuse_other_classes(models)
    test = test_set(request.load(), models[0].card, request)
    boxes = known_boxes(request, models[0].card) if any(shot.truths for shot in test.shots) else ()
    return hold_trial(models, test, boxes, request, progress)


def test_set(dataset: Dataset, card: ModelCard, request: Request) -> TestSet:
    """The photographs of a data set that a model can be tested on, at most as many as requested."""
    known, unknown = shots(dataset, card)
    chosen = sample(known, request.limit, request.seed)
    name = request.name(dataset)
    if len(chosen) < len(known):
        name += f", {len(chosen)} of {len(known)} images (seed {request.seed})"
    skipped = [f"{path}: {reason}" for path, reason in dataset.skipped]
    skipped += [f"{count} images of {label}: the model has no such class" for label, count in unknown.items()]
    return TestSet(name, dataset.digest, dataset.terms, tuple(chosen), tuple(skipped))


def hold_trial(
    models: Sequence[Localizer],
    test: TestSet,
    boxes: Sequence[KnownBox],
    request: Request,
    progress: Progress,
) -> Trial:
    """Show every model the same photographs and count what it gets right.

    Args:
        models: of the same classes.
        test: the photographs.
        boxes: of training photographs, for the best constant box.
        request: seed, and whether photographs with several boxes are scored.
        progress: told how far it is.
    """
    names = model_names(models)
    observed = [
        observe(model, test.shots, progress, f"{name}, {test.name}")
        for name, model in zip(names, models, strict=True)
    ]
    results = tuple(judge_model(*one, request, progress) for one in zip(names, models, observed, strict=True))
    first = observed[0].seen
    counts = Counter(observation.shot.label for observation in first)
    photographs = Photographs(
        test.name,
        test.digest,
        {label: counts[label] for label in models[0].card.labels if counts[label]},
        sum(len(observation.shot.truths) > 1 for observation in first),
        (*test.skipped, *observed[0].skipped),
        test.terms,
    )
    never_look = baselines(first, boxes, request.several, request.seed)
    seen = tuple(one.seen for one in observed)
    return Trial(photographs, never_look, results, _compare(names, models, seen, request), seen)


def _compare(
    names: Sequence[str],
    models: Sequence[Localizer],
    seen: Sequence[Sequence[Observation]],
    request: Request,
) -> tuple[Comparison, ...]:
    """How each further model differs from the first, if both were shown the same photographs."""
    shown = [tuple(observation.shot.name for observation in one) for one in seen]
    first, *others = (
        rights(one, model.method, model.card, request.several)
        for one, model in zip(seen, models, strict=True)
    )
    return tuple(
        Comparison(
            name,
            names[0],
            difference(other.top1, first.top1, request.seed),
            difference(other.top1_localization, first.top1_localization, request.seed),
            difference(other.gt_known, first.gt_known, request.seed),
        )
        for name, other, photographs in zip(names[1:], others, shown[1:], strict=True)
        if photographs == shown[0]
    )


def _refuse_other_classes(models: Sequence[Localizer]) -> None:
    first = models[0].card
    for other in (model.card for model in models[1:]):
        if (set(other.labels), other.background and other.background.label) != (
            set(first.labels),
            first.background and first.background.label,
        ):
            raise UsageError(
                f"{first.name} knows {', '.join(first.labels)} and {other.name} {', '.join(other.labels)}: "
                "evaluate models of the same classes together"
            )


def model_names(models: Sequence[Localizer]) -> list[str]:
    """The names of the cards, or those of the files where two cards have the same."""
    names = [model.card.name for model in models]
    return names if len(set(names)) == len(names) else [str(model.model.path) for model in models]


def judge_model(
    name: str, model: Localizer, observed: Observations, request: Request, progress: Progress
) -> ModelResult:
    """Count what one model gets right, by each method."""
    card = model.card
    verdicts = {
        method: judge(observed.seen, method, card, progress, request.several, request.seed)
        for method in methods_of(card)
    }
    density = {
        method: information_density(verdict.overall.top1_localization.percent, card.parameters)
        for method, verdict in verdicts.items()
        if card.parameters and verdict.overall.top1_localization.images
    }
    return ModelResult(
        name,
        str(model.model.path),
        card.sha256,
        card.parameters,
        card.macs,
        model.input_hw,
        model.method,
        model.rule.threshold,
        model.rule.component,
        card.cam.threshold_source if model.options.threshold is None else "chosen on the command line",
        model.scoring,
        model.presence,
        verdicts,
        density,
    )


def known_boxes(request: Request, card: ModelCard) -> tuple[KnownBox, ...]:
    """True boxes of the training photographs that hold one; none where the data set has no such part."""
    try:
        dataset = replace(request, split="train").load()
    except UsageError:
        return ()
    return tuple(
        KnownBox(example.label, example.boxes[0], upright_hw(example.path))
        for example in dataset.examples
        if len(example.boxes) == 1 and example.label in card.labels and example.member is None
    )
