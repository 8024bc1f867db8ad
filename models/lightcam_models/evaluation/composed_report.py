"""The part of the report on pictures of several objects."""

from collections.abc import Sequence
from html import escape

from lightcam_edge.localizer import Detection, Localizer
from lightcam_models.evaluation import charts
from lightcam_models.evaluation.counting import DetectionTrial
from lightcam_models.evaluation.detecting import Sighting
from lightcam_models.evaluation.detection_metrics import MATCH_RULES, MatchRule, match
from lightcam_models.evaluation.detection_tables import boxes_line, finding_rows, pictures_line
from lightcam_models.evaluation.markup import figure, gallery, picture, rect, shrunk, table

FONT_SHARE = 0.055  # of the longer side


def composed_section(trial: DetectionTrial, localizers: Sequence[Localizer]) -> str:
    """Numbers, precision over recall, and pictures with what was found in them."""
    return "".join(
        [
            f"<h2>Several objects on a scene</h2><p>{escape(pictures_line(trial))}</p>",
            *(f"<p>{escape(boxes_line(model))}</p>" for model in trial.models),
            table(finding_rows(trial)),
            "<h3>Precision over recall</h3>",
            picture(charts.precision_recall_curves(trial), "precision over recall"),
            *(_gallery(trial, number, localizer) for number, localizer in enumerate(localizers)),
        ]
    )


def _gallery(trial: DetectionTrial, number: int, localizer: Localizer) -> str:
    """The best, the median and the worst pictures of a model by F1."""
    ranked = sorted(trial.seen[number], key=lambda one: [picture_f1(one, rule) for rule in MATCH_RULES])
    keys = '<p><span class="key"></span> found &nbsp; <span class="key true"></span> truth</p>'
    title = f"{escape(trial.models[number].name)}: best, median and worst pictures by F1"
    return f"<h3>{title}</h3>{keys}{gallery(ranked, lambda one: _figure(one, localizer))}"


def picture_f1(sighting: Sighting, rule: MatchRule) -> float:
    """F1 of one picture, in [0, 1]."""
    boxes, objects = len(sighting.detections), len(sighting.picture.truths)
    return 2 * _hits(sighting, rule) / (boxes + objects)


def _hits(sighting: Sighting, rule: MatchRule) -> int:
    given = match(sighting.detections, sighting.picture.truths, rule)
    return sum(index is not None for index in given)


def _figure(sighting: Sighting, localizer: Localizer) -> str:
    shown, hits = sighting.picture, _hits(sighting, MATCH_RULES[0])
    size = FONT_SHARE * max(sighting.image_hw)
    drawn = [rect(truth.box, "truth") for truth in shown.truths]
    drawn += [rect(one.box, "found") + _label(one, size) for one in sighting.detections]
    wrong = len(sighting.detections) - hits
    labels = ", ".join(sorted(truth.label for truth in shown.truths))
    caption = f"{hits} of {len(shown.truths)} found, wrong boxes: {wrong} ({MATCH_RULES[0]})"
    return figure(
        shrunk(shown.open(localizer).pixels, sighting.image_hw),
        sighting.image_hw,
        drawn,
        f"{caption}<br>{escape(labels)}<br><span>{escape(shown.name)}</span>",
    )


def _label(one: Detection, size: float) -> str:
    x, y = one.box.x0 + size / 4, one.box.y0 + size
    return f'<text x="{x:g}" y="{y:g}" font-size="{size:g}">{escape(one.label)} {one.score:.2f}</text>'
