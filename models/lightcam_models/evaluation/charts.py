"""Charts of results, as PNG for light and for dark pages."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lightcam_edge.box import COMPONENTS
from lightcam_edge.cam import Method
from lightcam_models.evaluation.counting import DetectionTrial, Finding
from lightcam_models.evaluation.detection_metrics import MATCH_RULES, RECALLS
from lightcam_models.evaluation.evaluating import ModelResult, Trial
from lightcam_models.evaluation.judging import THRESHOLDS
from lightcam_models.evaluation.metrics import RIGHT_IOU

Fill = Callable[[Figure], None]

# Told apart by people who are colour-blind too (Okabe and Ito 2008).
METHOD_COLOURS: dict[Method, str] = {"cam": "#e69f00", "br-avgcam": "#0b84c6"}
CLASS_COLOURS = ("#e69f00", "#0b84c6", "#009e73", "#d55e00", "#cc79a7", "#8a9299")
COMPONENT_LINES = {"largest": "-", "all": "--"}
DOTS_PER_INCH = 110
PAPER_BEST_DENSITY = 25.42


def _style(ink: str, paper: str) -> dict[str, Any]:
    inked = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    papered = ("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor")
    return {
        **dict.fromkeys(inked, ink),
        **dict.fromkeys(papered, paper),
        "legend.edgecolor": paper,
        "grid.color": ink,
        "grid.alpha": 0.15,
        "axes.grid": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 9,
    }


STYLES = {"light": _style("#1c2024", "#ffffff"), "dark": _style("#e6e9ec", "#15181b")}


def render(fill: Fill, size_inches: tuple[float, float]) -> dict[str, bytes]:
    """Draw a chart for light and for dark pages; PNG by name of the style."""
    return {name: _png(fill, size_inches, style) for name, style in STYLES.items()}


def _png(fill: Fill, size_inches: tuple[float, float], style: Any) -> bytes:
    file = io.BytesIO()
    with mpl.rc_context(style):
        figure = Figure(figsize=size_inches, layout="constrained")
        FigureCanvasAgg(figure)
        fill(figure)
        figure.savefig(file, format="png", dpi=DOTS_PER_INCH)
    return file.getvalue()


def threshold_curves(trial: Trial) -> dict[str, bytes]:
    """GT-known and top-1 localization over thresholds, a row a model, with the boxes that never look."""
    models = [model for model in trial.models if any(v.ious for v in model.verdicts.values())]

    def fill(figure: Figure) -> None:
        rows = figure.subplots(len(models), 2, squeeze=False, sharex=True, sharey=True)
        for row, model in zip(rows, models, strict=True):
            for axes, measure in zip(row, ("gt_known", "top1_localization"), strict=True):
                _curves(axes, model, measure)
                _constant_lines(axes, trial)
            row[0].set_title(f"{model.name}: GT-known localization")
            row[1].set_title("top-1 localization")
            row[0].set_ylabel("percent, IoU 0.5")
        for axes in rows[-1]:
            axes.set_xlabel("threshold, share of the map's maximum")
        figure.legend(
            *rows[0][1].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8
        )

    return render(fill, (10, 0.6 + 3.2 * len(models)))


def _curves(axes: Axes, model: ModelResult, measure: str) -> None:
    for method, verdict in model.verdicts.items():
        for component in COMPONENTS:
            axes.plot(
                THRESHOLDS,
                getattr(verdict.curves[component], measure),
                COMPONENT_LINES[component],
                color=METHOD_COLOURS[method],
                label=f"{method}, {component}",
            )
    axes.axvline(model.threshold, linewidth=1, linestyle=":", color="#8a9299", label="in use")
    axes.set(xlim=(-0.02, 1), ylim=(0, 100))


def _constant_lines(axes: Axes, trial: Trial) -> None:
    for baseline, line in zip(trial.baselines, (":", "-.", "--"), strict=False):
        axes.axhline(
            baseline.overall.percent, linewidth=1, linestyle=line, color="#8a9299", label=baseline.name
        )


def iou_histogram(trial: Trial) -> dict[str, bytes]:
    """How well the boxes fit when told the class, a panel a model."""
    models = [model for model in trial.models if model.verdicts[model.shipped].ious]
    edges = np.linspace(0, 1, 21)

    def fill(figure: Figure) -> None:
        for axes, model in zip(
            figure.subplots(1, len(models), squeeze=False, sharey=True)[0], models, strict=True
        ):
            for method, verdict in model.verdicts.items():
                axes.hist(
                    verdict.ious,
                    edges,
                    histtype="stepfilled" if method == model.shipped else "step",
                    alpha=0.75 if method == model.shipped else 1.0,
                    color=METHOD_COLOURS[method],
                    label=method,
                )
            axes.axvline(RIGHT_IOU, linewidth=1, linestyle=":", color="#8a9299")
            axes.set(title=model.name, xlabel="IoU with the true box", xlim=(0, 1))
            axes.legend(loc="upper left", fontsize=8)
        figure.axes[0].set_ylabel("images")

    return render(fill, (max(5.0, 4.0 * len(models)), 3.2))


def density_bars(models: Sequence[ModelResult]) -> dict[str, bytes]:
    """Top-1 localization in percent per million parameters, as the paper's figure 6."""
    known = [model for model in models if model.density]

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(known))
        for offset, method in zip((0.2, -0.2), METHOD_COLOURS, strict=True):
            values = [model.density.get(method, 0.0) for model in known]
            bars = axes.barh(places + offset, values, 0.38, color=METHOD_COLOURS[method], label=method)
            axes.bar_label(bars, [f"{value:.1f}" if value else "" for value in values], padding=3, fontsize=8)
        axes.axvline(PAPER_BEST_DENSITY, linewidth=1, linestyle=":", color="#8a9299", label="paper's best")
        axes.set_yticks(places, [f"{model.name}\n{model.parameters / 1e6:.2f} M" for model in known])
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_xlabel("information density: top-1 localization in percent per million parameters")
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)

    return render(fill, (8, 1.6 + 0.7 * len(known)))


def precision_recall_curves(trial: DetectionTrial) -> dict[str, bytes]:
    """Precision over recall, a row a model and a column a matching rule.

    A line for each class where there are few, else one for all classes ranked together.
    """

    def fill(figure: Figure) -> None:
        rows = figure.subplots(len(trial.models), len(MATCH_RULES), squeeze=False, sharex=True, sharey=True)
        for row, model in zip(rows, trial.models, strict=True):
            for axes, rule in zip(row, MATCH_RULES, strict=True):
                _precision_lines(axes, model.findings[rule])
                mean = model.findings[rule].overall.average_precision
                axes.set_title(f"{model.name}, {rule}: mAP {mean:.1f}%")
            row[0].set_ylabel("precision, percent")
        for axes in rows[-1]:
            axes.set_xlabel("recall, percent")
        figure.legend(
            *rows[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8
        )

    return render(fill, (10, 0.6 + 3.2 * len(trial.models)))


def _precision_lines(axes: Axes, finding: Finding) -> None:
    curves = {label: rates.curve for label, rates in finding.by_class.items() if rates.curve}
    if len(curves) > len(CLASS_COLOURS):
        curves = {"all classes": finding.overall.curve}
    for (label, curve), colour in zip(curves.items(), CLASS_COLOURS, strict=False):
        axes.plot(
            [100 * recall for recall in RECALLS], curve, drawstyle="steps-pre", color=colour, label=label
        )
    axes.set(xlim=(0, 100), ylim=(0, 102))
