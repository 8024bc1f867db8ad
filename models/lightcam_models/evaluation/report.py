"""One HTML file with every result and the photographs behind it; it loads nothing from anywhere."""

from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path

import numpy as np

from lightcam_edge.cam import Method
from lightcam_edge.drawing import draw_heat
from lightcam_edge.localizer import Localization, Localizer
from lightcam_edge.model_file import write_atomically
from lightcam_models.evaluation import charts
from lightcam_models.evaluation.composed_report import composed_section
from lightcam_models.evaluation.counting import DetectionTrial
from lightcam_models.evaluation.evaluating import Trial
from lightcam_models.evaluation.judging import is_located
from lightcam_models.evaluation.markup import figure, folded, gallery, picture, rect, shrunk, table
from lightcam_models.evaluation.metrics import best_iou
from lightcam_models.evaluation.observing import Observation, methods_of
from lightcam_models.evaluation.tables import (
    POINTS,
    comparison_rows,
    curve_rows,
    model_line,
    photographs_line,
    result_rows,
)

TITLES = {"photographs": "Photographs", "placed": "Objects placed on scenes"}


def write_report(
    trials: Mapping[str, Trial],
    localizers: Sequence[Localizer],
    path: Path,
    composed: DetectionTrial | None = None,
) -> None:
    """Write the report.

    Args:
        trials: by kind, see `TITLES`.
        localizers: the models, in the order of each trial's results.
        path: HTML file to write.
        composed: on pictures of several objects, if that was run.
    """
    names = ", ".join(model.name for trial in list(trials.values())[:1] for model in trial.models)
    parts = [
        f"<h1>Evaluation of {escape(names)}</h1>",
        "<p>Shares in percent, with half the width of their 95% bootstrap interval. "
        "The method marked * is the one in use.</p>",
        *(_section(TITLES[kind], trial, localizers) for kind, trial in trials.items()),
        composed_section(composed, localizers) if composed else "",
        _density(trials["photographs"]),
    ]
    style = resources.files("lightcam_models.evaluation").joinpath("report.css").read_text()
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Evaluation of {escape(names)}</title><style>{style}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )
    write_atomically(path, page.encode())


def _section(title: str, trial: Trial, localizers: Sequence[Localizer]) -> str:
    parts = [f"<h2>{title}</h2><p>{escape(photographs_line(trial))}</p>"]
    parts += [f"<p>{escape(model_line(model))}</p>" for model in trial.models]
    parts.append(table(result_rows(trial)))
    if compared := comparison_rows(trial):
        parts += [
            f"<h3>Against {escape(trial.models[0].name)}</h3><p>{POINTS.capitalize()}.</p>",
            table(compared),
        ]
    if any(model.verdicts[model.shipped].ious for model in trial.models):
        parts += [
            "<h3>Boxes by threshold</h3>",
            picture(charts.threshold_curves(trial), "localization over thresholds"),
            folded("As numbers: GT-known localization", table(curve_rows(trial))),
            "<h3>How well boxes fit, told the class</h3>",
            picture(charts.iou_histogram(trial), "histogram of IoU"),
            *(_gallery(trial, number, localizers[number]) for number in range(len(localizers))),
            _side_by_side(trial, localizers),
        ]
    return "".join(parts)


def _density(trial: Trial) -> str:
    if not any(model.density for model in trial.models):
        return ""
    chart = charts.density_bars(trial.models)
    return f"<h2>Information density</h2>{picture(chart, 'information density of each model')}"


def _gallery(trial: Trial, number: int, localizer: Localizer) -> str:
    """The best, the median and the worst photographs of a model by its method in use."""
    model = trial.models[number]
    keys = (
        '<p><span class="key"></span> found, told the class &nbsp; <span class="key true"></span> truth</p>'
    )
    shown = gallery(_ranked(trial, number), lambda one: _photo_figure(one, model.shipped, localizer))
    return f"<h3>{escape(model.name)}, {model.shipped}: best, median and worst boxes</h3>{keys}{shown}"


def _ranked(trial: Trial, number: int) -> list[Observation]:
    """Located photographs from the worst box to the best."""
    method = trial.models[number].shipped
    located = [observation for observation in trial.seen[number] if is_located(observation, several=False)]
    return sorted(located, key=lambda one: best_iou(one.sights[method].told_box, one.shot.truths))


def _side_by_side(trial: Trial, localizers: Sequence[Localizer]) -> str:
    """One photograph of each class under every model and method, as the paper's figure 5."""
    ranked = _ranked(trial, 0)
    parts = ["<h3>The same photograph under every model and method</h3>"]
    for label in trial.photographs.images:
        of_class = [observation for observation in ranked if observation.shot.label == label]
        if not of_class:
            continue
        index = trial.seen[0].index(of_class[len(of_class) // 2])
        figures = [
            _photo_figure(trial.seen[number][index], method, localizer, trial.models[number].name)
            for number, localizer in enumerate(localizers)
            if index < len(trial.seen[number])
            for method in methods_of(localizer.card)
        ]
        parts.append(f'<p>{escape(label)}</p><div class="pictures">{"".join(figures)}</div>')
    return "".join(parts)


def _photo_figure(
    observation: Observation, method: Method, localizer: Localizer, model: str | None = None
) -> str:
    """A photograph with its map, its box when told the class, and the truth."""
    sight, shot = observation.sights[method], observation.shot
    found = _told(observation, method, localizer)
    image_hw = observation.fit.image_hw
    pixels = draw_heat(shrunk(shot.open(localizer).pixels, image_hw), found)
    boxes = [rect(truth, "truth") for truth in shot.truths]
    boxes += [rect(sight.told_box, "found")] if sight.told_box else []
    iou = best_iou(sight.told_box, shot.truths)
    called = localizer.card.labels[sight.class_index]
    wrong = "" if called == shot.label else f", called {escape(called)}"
    lines = [f"{escape(model)}, {method}"] if model else []
    lines += [f"{escape(shot.label)}{wrong}, IoU {iou:.2f}"]
    name = "" if model else f"<br><span>{escape(_short(shot.name))}</span>"
    return figure(pixels, image_hw, boxes, f"{'<br>'.join(lines)}{name}")


def _told(observation: Observation, method: Method, localizer: Localizer) -> Localization:
    """What was found with the class told, with the map as it was thresholded."""
    sight = observation.sights[method]
    index = localizer.card.labels.index(observation.shot.label)
    scores = np.zeros(len(localizer.card.labels), np.float32)
    return Localization(index, observation.shot.label, 0.0, scores, (), sight.cam, observation.fit)


def _short(name: str) -> str:
    """File names without their folders."""
    return " on ".join(Path(part).name for part in name.split(" on "))
