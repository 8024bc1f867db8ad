"""Results as text for people, and as plain values for JSON and model cards."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lightcam_edge.box import COMPONENTS
from lightcam_edge.choices import Scoring
from lightcam_models.evaluation.calibrating import Calibration, Choice
from lightcam_models.evaluation.comparing import Comparison, Difference
from lightcam_models.evaluation.evaluating import ModelResult, Trial
from lightcam_models.evaluation.judging import THRESHOLDS, Baseline, Measures
from lightcam_models.evaluation.metrics import IOU_LEVELS, RIGHT_IOU, Score

HEAD = (
    "",
    "images",
    "top-1 class",
    "nothing found",
    "top-1 localized",
    *(f"GT-known {least}" for least in IOU_LEVELS),
    "MaxBoxAcc",
    "V2",
    "density",
)
RIGHT = str(RIGHT_IOU)
POINTS = "in points, with the 95% interval over the same photographs, and how many it gained and lost"
MOST_SKIPPED = 3
MOST_CLASSES = 12  # a model card has room for
Row = tuple[str, ...]


def trial_table(trial: Trial) -> str:
    """One table: every model and method, each class below it, and the boxes that never look.

    Shares in percent, with half the width of their 95% intervals.
    """
    lines = [photographs_line(trial), *(model_line(model) for model in trial.models), ""]
    parts = [
        (f"against {trial.models[0].name}, {POINTS}:", comparison_rows(trial)),
        ("box right when told the class (GT-known, IoU 0.5), by threshold:", curve_rows(trial)),
    ]
    lines += aligned(result_rows(trial))
    for title, rows in parts:
        lines += ["", title, *aligned(rows)] if rows else []
    return "\n".join(lines)


def result_rows(trial: Trial) -> list[Row]:
    """A heading, a row for every model, method and class, and those of the boxes that never look."""
    rows: list[Row] = [HEAD]
    for model in trial.models:
        rows += _model_rows(model)
    return rows + [row for baseline in trial.baselines for row in _baseline_rows(baseline)]


def comparison_rows(trial: Trial) -> list[Row]:
    """A heading, and how each further model differs from the first one; nothing where there is one model."""
    rows = [
        (one.name, *(_points(part) for part in (one.top1, one.top1_localization, one.gt_known)))
        for one in trial.comparisons
    ]
    return [("", "top-1 class", "top-1 localized", f"GT-known {RIGHT}"), *rows] if rows else []


def _points(one: Difference) -> str:
    if not one.images:
        return ""
    interval = f"{one.low:+.1f} to {one.high:+.1f}"
    return f"{one.points:+.1f} ({interval}; {one.gained} gained, {one.lost} lost)"


def photographs_line(trial: Trial) -> str:
    """What was tested on, in a line."""
    photographs = trial.photographs
    counts = ", ".join(f"{count} {label}" for label, count in photographs.images.items())
    total = sum(photographs.images.values())
    line = f"{photographs.name}: {total} images ({counts}); digest {photographs.digest[:12]}"
    if photographs.several:
        line += f"; {photographs.several} hold several boxes"
    return line + left_out(photographs.skipped)


def left_out(skipped: Sequence[str]) -> str:
    """The end of a line that tells what was left out; nothing where that is nothing."""
    more = len(skipped) - MOST_SKIPPED
    told = f"; left out: {'; '.join(skipped[:MOST_SKIPPED])}" if skipped else ""
    return told + (f"; and {more} more" if more > 0 else "")


def model_line(model: ModelResult) -> str:
    """What a model is and how it boxes, in a line."""
    size = f"{model.parameters / 1e6:.2f} M parameters, {model.macs / 1e6:.0f} M multiply-accumulates"
    height, width = model.input_hw
    rule = f"{model.shipped}, {model.threshold:.0%} of the maximum, {model.component}"
    rule += f", {scoring_words(model.scoring, model.presence)}"
    return f"{model.name}: {size}, {width}x{height}; {rule} ({model.threshold_source})"


def scoring_words(scoring: Scoring, presence: float) -> str:
    """How classes are scored, in words."""
    return f"scored by region, present above {presence:.2f}" if scoring == "region" else "scored by frame"


def _model_rows(model: ModelResult) -> list[Row]:
    rows = []
    for method, verdict in model.verdicts.items():
        mark = " *" if method == model.shipped and len(model.verdicts) > 1 else ""
        density = f"{model.density[method]:.2f}" if method in model.density else ""
        rows.append((f"{model.name} {method}{mark}", *_cells(verdict.overall), density))
        parts = (*verdict.by_class.items(), *verdict.by_group.items())
        rows += [(f"  {name}", *_cells(one), "") for name, one in parts]
    return rows


def _cells(measures: Measures) -> Row:
    return (
        str(measures.images),
        interval(measures.top1),
        interval(measures.called_background),
        interval(measures.top1_localization),
        *(interval(one) for one in measures.gt_known.values()),
        one_decimal(measures.max_box_acc),
        one_decimal(measures.max_box_acc_v2),
    )


def _baseline_rows(baseline: Baseline) -> list[Row]:
    def row(name: str, right: Score) -> Row:
        at = {str(least): interval(right) if str(least) == RIGHT else "" for least in IOU_LEVELS}
        return (name, str(right.images), "", "", "", *at.values(), "", "", "")

    return [
        row(baseline.name, baseline.overall),
        *(row(f"  {label}", one) for label, one in baseline.by_class.items()),
    ]


def curve_rows(trial: Trial) -> list[Row]:
    """A heading of thresholds, and GT-known percentages of every model, method and component rule."""
    rows = [
        (f"{model.name} {method} {component}", *(f"{percent:.0f}" for percent in curve.gt_known))
        for model in trial.models
        for method, verdict in model.verdicts.items()
        for component in COMPONENTS
        if (curve := verdict.curves[component]).gt_known
    ]
    return [("", *(f".{round(threshold * 100):02}" for threshold in THRESHOLDS)), *rows] if rows else []


def one_decimal(value: float) -> str:
    """A number with one decimal, or nothing for NaN."""
    return "" if math.isnan(value) else f"{value:.1f}"


def interval(one: Score) -> str:
    """A share in percent with half the width of its interval, or nothing where there is no image."""
    return f"{one.percent:.1f} \N{PLUS-MINUS SIGN}{(one.high - one.low) / 2:.1f}" if one.images else ""


def aligned(rows: Sequence[Row]) -> list[str]:
    """Lines of a table, the first column to the left and the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []

    def line(row: Row) -> str:
        first, *rest = (
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join((first, *rest)).rstrip()

    return [line(row) for row in rows]


def calibration_text(name: str, calibration: Calibration) -> str:
    """What was chosen, what it gains, and what doing without boxes costs."""
    lines = [f"{name}: {calibration.images} {calibration.data}"]
    if calibration.before is not None:
        lines.append(f"  before: {calibration.before:.1f}% of boxes right")
    lines.append(_choice_line("chosen", calibration.chosen))
    if calibration.presence is not None:
        lines.append(f"  present above {calibration.presence:.2f}, by {calibration.scenes} scenes")
    if calibration.other:
        lines.append(_choice_line("true boxes would choose", calibration.other))
        if calibration.chosen.right is not None and calibration.other.right is not None:
            loss = calibration.other.right - calibration.chosen.right
            lines.append(f"  choosing without boxes costs {loss:.1f} points")
    return "\n".join(lines)


def _choice_line(what: str, choice: Choice) -> str:
    one = choice.setting
    rule = f"{one.method}, {one.threshold:.1%} of the maximum, {one.component}, smoothing {one.smoothing:g}"
    right = "" if choice.right is None else f": {choice.right:.1f}% of boxes right"
    return f"  {what}: {rule}{right}"


def trial_values(trial: Trial) -> dict[str, Any]:
    """Everything that was measured, as plain values; what could not be measured is None."""
    values = {
        "photographs": asdict(trial.photographs),
        "thresholds": list(THRESHOLDS),
        "baselines": [asdict(baseline) for baseline in trial.baselines],
        "models": [asdict(model) for model in trial.models],
        "comparisons": [asdict(comparison) for comparison in trial.comparisons],
    }
    measured: dict[str, Any] = plain(values)
    return measured


def plain(value: Any) -> Any:
    """A value as JSON has it, rounded to four decimals; None for NaN."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    return value


def evaluation_summary(trials: Mapping[str, Trial], number: int) -> dict[str, Any]:
    """What a model card says of the measurements, short enough for it.

    Args:
        trials: by kind: `photographs`, and `placed` if that was run.
        number: which of the evaluated models.

    Returns:
        By kind: data, digest, rule, and percentages as [value, low, high] of their
        95% intervals; single classes only where there are few.
    """
    return {kind: _trial_summary(trial, number) for kind, trial in trials.items()}


def _trial_summary(trial: Trial, number: int) -> dict[str, Any]:
    model = trial.models[number]
    photographs, verdict = trial.photographs, model.verdicts[model.shipped]
    classes = {label: _measures_summary(one) for label, one in verdict.by_class.items()}
    groups = {name: _measures_summary(one) for name, one in verdict.by_group.items()}
    against = [_comparison_summary(one) for one in trial.comparisons if one.name == model.name]
    return {
        "data": photographs.name,
        "digest": photographs.digest,
        "images": dict(photographs.images),
        "method": model.shipped,
        "threshold": model.threshold,
        "component": model.component,
        "score_by": model.scoring,
        "presence": model.presence,
        **_measures_summary(verdict.overall),
        **({"by_class": classes} if len(classes) <= MOST_CLASSES else {}),
        **({"by_group": groups} if groups else {}),
        **({"points_gained": against[0]} if against else {}),
        "baselines_gt_known": {
            baseline.name: {
                name: round(one.percent, 2)
                for name, one in {"overall": baseline.overall, **baseline.by_class}.items()
                if name == "overall" or len(classes) <= MOST_CLASSES
            }
            for baseline in trial.baselines
        },
    }


def _comparison_summary(one: Comparison) -> dict[str, Any]:
    parts = {"top1": one.top1, "top1_localization": one.top1_localization, f"gt_known_{RIGHT}": one.gt_known}
    points = {
        name: rounded((part.points, part.low, part.high)) for name, part in parts.items() if part.images
    }
    return {"against": one.against, **points}


def _measures_summary(measures: Measures) -> dict[str, Any]:
    shares = {
        "top1": measures.top1,
        "called_background": measures.called_background,
        "top1_localization": measures.top1_localization,
        **{f"gt_known_{least}": one for least, one in measures.gt_known.items()},
    }
    best = {"max_box_acc": measures.max_box_acc, "max_box_acc_v2": measures.max_box_acc_v2}
    return {
        **{name: rounded((one.percent, one.low, one.high)) for name, one in shares.items() if one.images},
        **{name: round(value, 2) for name, value in best.items() if not math.isnan(value)},
    }


def rounded(values: Iterable[float]) -> list[float]:
    """Numbers rounded to two decimals."""
    return [round(value, 2) for value in values]
