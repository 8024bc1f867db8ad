"""Found objects as text for people, and as plain values for JSON and model cards."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lightcam_models.evaluation.counting import DetectionTrial, Finding, ModelFindings, Rates
from lightcam_models.evaluation.detection_metrics import RECALLS
from lightcam_models.evaluation.metrics import Score
from lightcam_models.evaluation.tables import (
    MOST_CLASSES,
    Row,
    aligned,
    interval,
    left_out,
    one_decimal,
    plain,
    rounded,
    scoring_words,
)

HEAD = ("", "objects", "precision", "recall", "F1", "mAP")


def detection_table(trial: DetectionTrial) -> str:
    """One table: every model by every matching rule, with its classes, sizes and numbers of objects.

    Shares in percent, with half the width of their 95% intervals.
    """
    lines = [pictures_line(trial), *(boxes_line(model) for model in trial.models), ""]
    return "\n".join([*lines, *aligned(finding_rows(trial))])


def pictures_line(trial: DetectionTrial) -> str:
    """What was tested on, in a line."""
    pictures = trial.pictures
    counts = ", ".join(f"{count} {label}" for label, count in pictures.objects.items())
    total = sum(pictures.objects.values())
    facts = f"{pictures.images} images, {total} objects ({counts}); digest {pictures.digest[:12]}"
    return f"{pictures.name}: {facts}{left_out(pictures.skipped)}"


def boxes_line(model: ModelFindings) -> str:
    """How a model boxes, and how many boxes it draws, in a line."""
    rule = f"{model.method}, {model.threshold:.0%} of the maximum, {model.component}"
    rule += f", {scoring_words(model.scoring, model.presence)}"
    counts = ", ".join(f"{boxes} in {images}" for boxes, images in model.images_by_boxes.items())
    return f"{model.name}: {rule}; {model.boxes_per_image:.2f} boxes an image ({counts} images)"


def finding_rows(trial: DetectionTrial) -> list[Row]:
    """A heading, and rows for every model and matching rule with its parts."""
    rows: list[Row] = [HEAD]
    for model in trial.models:
        for rule, finding in model.findings.items():
            rows += [(f"{model.name} {model.method}, {rule}", *_cells(finding.overall)), *_part_rows(finding)]
    return rows


def _part_rows(finding: Finding) -> list[Row]:
    recalls = (*finding.recall_by_size.items(), *finding.recall_by_count.items())
    return [
        *((f"  {label}", *_cells(rates)) for label, rates in finding.by_class.items()),
        *((f"  {name}", "", "", interval(recall), "", "") for name, recall in recalls),
    ]


def _cells(rates: Rates) -> Row:
    shares = (interval(one) for one in (rates.precision, rates.recall, rates.f1))
    return (str(rates.objects), *shares, one_decimal(rates.average_precision))


def detection_values(trial: DetectionTrial) -> dict[str, Any]:
    """Everything that was measured, as plain values; what could not be measured is None."""
    values = {
        "pictures": asdict(trial.pictures),
        "recalls": list(RECALLS),
        "models": [asdict(model) for model in trial.models],
    }
    measured: dict[str, Any] = plain(values)
    return measured


def detection_summary(trial: DetectionTrial, number: int) -> dict[str, Any]:
    """What a model card says of the measurements, short enough for it.

    Args:
        trial: on pictures of several objects.
        number: which of the evaluated models.

    Returns:
        Data, digest, rule, and by matching rule percentages, as [value, low, high]
        of their 95% intervals where there are any; single classes only where there are few.
    """
    model, pictures = trial.models[number], trial.pictures
    return {
        "data": pictures.name,
        "digest": pictures.digest,
        "images": pictures.images,
        "objects": dict(pictures.objects)
        if len(pictures.objects) <= MOST_CLASSES
        else sum(pictures.objects.values()),
        "method": model.method,
        "threshold": model.threshold,
        "component": model.component,
        "score_by": model.scoring,
        "presence": model.presence,
        "boxes_per_image": round(model.boxes_per_image, 2),
        **{rule: _finding_summary(finding) for rule, finding in model.findings.items()},
    }


def _finding_summary(finding: Finding) -> dict[str, Any]:
    overall = finding.overall
    shares = {"precision": overall.precision, "recall": overall.recall, "f1": overall.f1}
    precisions = {
        label: round(rates.average_precision, 2)
        for label, rates in finding.by_class.items()
        if not math.isnan(rates.average_precision)
    }
    return {
        **_shares_summary(shares),
        "mean_average_precision": round(overall.average_precision, 2),
        **({"average_precision": precisions} if len(precisions) <= MOST_CLASSES else {}),
        "recall_by_size": _shares_summary(finding.recall_by_size),
        "recall_by_count": _shares_summary(finding.recall_by_count),
    }


def _shares_summary(shares: Mapping[str, Score]) -> dict[str, list[float]]:
    return {name: rounded((one.percent, one.low, one.high)) for name, one in shares.items() if one.images}
