"""One HTML file with every result and the photographs behind it; it loads nothing from anywhere."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.box import Box
from lightcam_edge.cam import Method
from lightcam_edge.drawing import draw_heat, to_jpeg
from lightcam_edge.localizer import Localization, Localizer
from lightcam_edge.model_file import write_atomically
from lightcam_models.evaluation import charts
from lightcam_models.evaluation.evaluating import Trial
from lightcam_models.evaluation.judging import is_located
from lightcam_models.evaluation.metrics import best_iou
from lightcam_models.evaluation.observing import Observation, methods_of
from lightcam_models.evaluation.tables import Row, curve_rows, model_line, photographs_line, result_rows

UInt8 = npt.NDArray[np.uint8]

TITLES = {"photographs": "Photographs", "placed": "Objects placed on scenes"}
SHOWN = 6
PICTURE_SIDE = 256


def write_report(trials: Mapping[str, Trial], localizers: Sequence[Localizer], path: Path) -> None:
    """Write the report.

    Args:
        trials: by kind, see `TITLES`.
        localizers: the models, in the order of each trial's results.
        path: HTML file to write.
    """
    names = ", ".join(model.name for trial in list(trials.values())[:1] for model in trial.models)
    parts = [
        f"<h1>Evaluation of {escape(names)}</h1>",
        "<p>Shares in percent, with half the width of their 95% bootstrap interval. "
        "The method marked * is the one in use.</p>",
        *(_section(TITLES[kind], trial, localizers) for kind, trial in trials.items()),
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
    parts.append(_table(result_rows(trial)))
    if any(model.verdicts[model.shipped].ious for model in trial.models):
        parts += [
            "<h3>Boxes by threshold</h3>",
            _picture(charts.threshold_curves(trial), "localization over thresholds"),
            _folded("As numbers: GT-known localization", _table(curve_rows(trial))),
            "<h3>How well boxes fit, told the class</h3>",
            _picture(charts.iou_histogram(trial), "histogram of IoU"),
            *(_gallery(trial, number, localizers[number]) for number in range(len(localizers))),
            _side_by_side(trial, localizers),
        ]
    return "".join(parts)


def _density(trial: Trial) -> str:
    if not any(model.density for model in trial.models):
        return ""
    chart = charts.density_bars(trial.models)
    return f"<h2>Information density</h2>{_picture(chart, 'information density of each model')}"


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def _table(rows: Sequence[Row]) -> str:
    head, *body = rows
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = [f"<tr>{cells}</tr>"]
    for row in body:
        part = ' class="part"' if row[0].startswith(" ") else ""
        cells = "".join(f"<td>{escape(cell.strip())}</td>" for cell in row)
        lines.append(f"<tr{part}>{cells}</tr>")
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _data_url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _picture(chart: Mapping[str, bytes], alt: str) -> str:
    light, dark = (_data_url(chart[name], "png") for name in ("light", "dark"))
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img alt="{alt}" src="{light}"></picture>'
    )


def _gallery(trial: Trial, number: int, localizer: Localizer) -> str:
    """The best, the median and the worst photographs of a model by its method in use."""
    model = trial.models[number]
    ranked = _ranked(trial, number)
    middle = max(0, (len(ranked) - SHOWN) // 2)
    chosen = {
        "best": ranked[::-1][:SHOWN],
        "median": ranked[middle : middle + SHOWN],
        "worst": ranked[:SHOWN],
    }
    keys = (
        '<p><span class="key"></span> found, told the class &nbsp; <span class="key true"></span> truth</p>'
    )
    parts = [f"<h3>{escape(model.name)}, {model.shipped}: best, median and worst boxes</h3>{keys}"]
    for name, some in chosen.items():
        figures = "".join(_photo_figure(one, model.shipped, localizer) for one in some)
        parts.append(f'<p>{name}</p><div class="pictures">{figures}</div>')
    return "".join(parts)


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
    pixels = shot.open(localizer).pixels
    height, width = observation.fit.image_hw
    scale = PICTURE_SIDE / max(height, width)
    small = cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    content = _data_url(to_jpeg(draw_heat(np.asarray(small, np.uint8), found)), "jpeg")
    boxes = [_rect(truth, "truth") for truth in shot.truths]
    boxes += [_rect(sight.told_box, "found")] if sight.told_box else []
    iou = best_iou(sight.told_box, shot.truths)
    called = localizer.card.labels[sight.class_index]
    wrong = "" if called == shot.label else f", called {escape(called)}"
    lines = [f"{escape(model)}, {method}"] if model else []
    lines += [f"{escape(shot.label)}{wrong}, IoU {iou:.2f}"]
    name = "" if model else f"<br><span>{escape(_short(shot.name))}</span>"
    image = f'<image href="{content}" width="{width}" height="{height}"/>'
    return (
        f'<figure><svg viewBox="0 0 {width} {height}">{image}{"".join(boxes)}</svg>'
        f"<figcaption>{'<br>'.join(lines)}{name}</figcaption></figure>"
    )


def _told(observation: Observation, method: Method, localizer: Localizer) -> Localization:
    """What was found with the class told, with the map as it was thresholded."""
    sight = observation.sights[method]
    index = localizer.card.labels.index(observation.shot.label)
    scores = np.zeros(len(localizer.card.labels), np.float32)
    return Localization(index, observation.shot.label, 0.0, scores, (), sight.cam, observation.fit)


def _rect(box: Box, kind: str) -> str:
    place = f'x="{box.x0:g}" y="{box.y0:g}" width="{box.x1 - box.x0:g}" height="{box.y1 - box.y0:g}"'
    return f'<rect class="edge" {place}/><rect class="{kind}" {place}/>'


def _short(name: str) -> str:
    """File names without their folders."""
    return " on ".join(Path(part).name for part in name.split(" on "))
