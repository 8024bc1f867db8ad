"""An event as a JSON object: what MQTT and the webhook send; see docs/events.md."""

import base64
import json
from typing import Any

from lightcam_edge.records import rounded, sides
from lightcam_edge.streaming.messages import Event

SCHEMA = "lightcam-edge/event"
SCHEMA_VERSION = 1


def event_record(event: Event, sequence: int, with_snapshot: bool = False) -> dict[str, Any]:
    """The JSON object of an event.

    Args:
        event: what happened.
        sequence: grows from event to event of one receiver; a receiver drops those it has seen.
        with_snapshot: put the picture in, as base64.
    """
    track = event.track
    record = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "kind": event.kind,
        "id": event.id,
        "sequence": sequence,
        "camera": event.camera,
        "time": round(event.time, 3),
        "label": track.label,
        "class_index": track.class_index,
        "score": rounded(track.score),
        "best_score": rounded(event.best_score),
        "image_hw": list(event.image_hw),
        "box": sides(track.box),
        "track": {"id": track.id, "started_at": round(track.started_at, 3), "frames": track.frames},
    }
    if with_snapshot:
        record["snapshot"] = base64.b64encode(event.snapshot).decode() or None
    return record


def event_json(event: Event, sequence: int, with_snapshot: bool = False) -> bytes:
    """The same as UTF-8 text in one line."""
    record = event_record(event, sequence, with_snapshot)
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
