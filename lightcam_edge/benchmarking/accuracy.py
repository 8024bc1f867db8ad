"""How good the models are that are timed; the host package measures it."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightcam_edge.errors import RuntimeMissingError
from lightcam_edge.inspection import Inspection
from lightcam_edge.localizer import Options

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Truth:
    """Photographs whose truth is known, see `lightcam-edge evaluate`.

    Args:
        data: folder or name of a data set.
        data_root: folder of the public data sets.
        background: which class of the data means nothing is there.
        limit: at most so many photographs.
    """

    data: str
    data_root: Path | None = None
    background: str | None = None
    limit: int | None = None


def measure_accuracy(models: Sequence[str], truth: Truth) -> dict[str, Values]:
    """Evaluate models on photographs whose truth is known.

    Args:
        models: paths, or names of bundled ones; without repetition.
        truth: the photographs.

    Returns:
        What docs/benchmark-schema.md calls `accuracy`, by model.

    Raises:
        RuntimeMissingError: if the host package is not installed.
        LightcamError: if the photographs cannot be read, or do not suit the models.
    """
    try:
        evaluating = importlib.import_module("lightcam_models.evaluation.evaluating")
        progress = importlib.import_module("lightcam_models.progress").Progress(quiet=True)
    except ImportError as error:
        raise RuntimeMissingError(
            f"--data needs {error.name}, which is not installed: pip install 'lightcam-edge[train]'"
        ) from error
    request = evaluating.Request(truth.data, truth.data_root, background=truth.background, limit=truth.limit)
    localizers = [evaluating.load_model(name, Options()) for name in models]
    trial = evaluating.evaluate(localizers, request, progress)
    return {
        name: _accuracy(trial.photographs, model) for name, model in zip(models, trial.models, strict=True)
    }


def _accuracy(photographs: Any, model: Any) -> Values:
    measures = model.verdicts[model.shipped].overall
    return {
        "data": photographs.name,
        "digest": photographs.digest,
        "photographs": dict(photographs.images),
        "method": model.shipped,
        "top1": _share(measures.top1),
        "top1_localization": _share(measures.top1_localization),
        "gt_known": _share(measures.gt_known["0.5"]),
        "information_density": model.density.get(model.shipped),
    }


def _share(score: Any) -> list[float] | None:
    """In percent, with its 95% interval; None where no photograph tells."""
    return [score.percent, score.low, score.high] if score.images else None


def stated_localization(inspection: Inspection) -> float | None:
    """Top-1 localization in percent, on photographs, as the model card has it; None where it does not."""
    metrics = inspection.card.metrics if inspection.card else {}
    try:
        return float(metrics["photographs"]["top1_localization"][0])
    except (KeyError, TypeError, ValueError, IndexError):  # free words of whoever wrote the card
        return None
