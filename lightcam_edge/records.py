"""What was found in one frame, as a JSON object and as a line to read."""

import math
from typing import Any

from lightcam_edge.box import Box
from lightcam_edge.localizer import Detection, Localization, Localizer
from lightcam_edge.sources import Frame

KEYS = (
    "source",
    "frame",
    "image_hw",
    "label",
    "class_index",
    "score",
    "scores",
    "boxes",
    "method",
    "score_by",
    "threshold",
    "model",
    "latency_ms",
    "error",
)


def found_record(frame: Frame, found: Localization, localizer: Localizer) -> dict[str, Any]:
    """The JSON line of a frame in which the localizer looked; keys as in `KEYS`."""
    return record(str(frame.source.path), frame.index, found, localizer)


def record(source: str, index: int, found: Localization, localizer: Localizer) -> dict[str, Any]:
    """`found_record` of a frame that comes from no file.

    Args:
        source: where the frame comes from, as the user would name it.
        index: its number in a video; 0 for an image.
        found: what was found in it.
        localizer: what looked.
    """
    card = localizer.card
    scores = dict(zip(card.labels, map(rounded, found.scores.tolist()), strict=True))
    return {
        "source": source,
        "frame": index,
        "image_hw": list(found.fit.image_hw),
        "label": found.label,
        "class_index": found.class_index,
        "score": rounded(found.score),
        "scores": scores,
        "boxes": [_box(detection) for detection in found.detections],
        "method": localizer.method,
        "score_by": localizer.scoring,
        "threshold": localizer.rule.threshold,
        "model": {"name": card.name, "sha256": card.sha256},
        "latency_ms": {stage: round(ms, 3) for stage, ms in found.latency_ms.items()},
        "error": None,
    }


def error_record(frame: Frame) -> dict[str, Any]:
    """The JSON line of a frame that could not be read: everything that is not known is null."""
    known = {"source": str(frame.source.path), "frame": frame.index, "error": frame.error}
    return dict.fromkeys(KEYS) | known


def rounded(score: float) -> float | None:
    """A score as records have it; None where it is no number."""
    return round(score, 4) if math.isfinite(score) else None


def sides(box: Box) -> dict[str, float]:
    """A box as records have it."""
    return {name: round(getattr(box, name), 1) for name in ("x0", "y0", "x1", "y1")}


def _box(detection: Detection) -> dict[str, Any]:
    return sides(detection.box) | {"label": detection.label, "score": rounded(detection.score)}


def found_line(frame: Frame, found: Localization, localizer: Localizer) -> str:
    """A line such as `photo.jpg  bird 0.98  box 12,30..200,180  8.6 ms`."""
    name = str(frame.source.path)
    if frame.source.is_video:
        name += f"#{frame.index}"
    return f"{name}  {_what(found, localizer)}  {found.latency_ms['total']:.1f} ms"


def _what(found: Localization, localizer: Localizer) -> str:
    scored = f"{found.label} {found.score:.2f}"
    if found.detections:
        same = {(detection.label, detection.score) for detection in found.detections}
        if len(same) == 1:
            boxes = [corners(detection.box) for detection in found.detections]
            return f"{scored}  {'box' if len(boxes) == 1 else 'boxes'} {' '.join(boxes)}"
        return "  ".join(f"{one.label} {one.score:.2f}  box {corners(one.box)}" for one in found.detections)
    background = localizer.card.background
    if background is not None and found.class_index == background.index:
        return f"nothing ({scored})"
    if found.score < localizer.options.min_score:
        return f"nothing ({scored} is below {localizer.options.min_score:g})"
    return f"{scored}  no box"


def corners(box: Box) -> str:
    """A box such as `12,30..200,180`."""
    return f"{box.x0:.0f},{box.y0:.0f}..{box.x1:.0f},{box.y1:.0f}"
