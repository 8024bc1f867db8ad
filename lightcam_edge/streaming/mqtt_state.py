"""What a broker keeps for those who come later: the newest payload of each retained topic."""

import json
import threading
import time
from typing import Any

from lightcam_edge.streaming.messages import CameraStatus, StreamResult

SCORE_INTERVAL_S = 2.0
FRAME_RATE_INTERVAL_S = 10.0
FIRST_FRAME_RATE_S = 2.0  # after a change of state, when nothing is known of its rate


class Retained:
    """The newest payload by topic, and which of them the broker has not got yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._payloads: dict[str, bytes] = {}
        self._unsent: dict[str, None] = {}

    def put(self, topic: str, payload: bytes) -> None:
        """Have a topic's payload replaced, unless it is the same; an empty one deletes it."""
        with self._lock:
            if self._payloads.get(topic) != payload:
                self._payloads[topic] = payload
                self._unsent[topic] = None

    def put_all_again(self) -> None:
        """Begin again, in the order in which the topics came: the broker may have forgotten all."""
        with self._lock:
            self._unsent = dict.fromkeys(self._payloads)

    def next_unsent(self) -> tuple[str, bytes] | None:
        """A topic and its payload, which counts as sent from now on."""
        with self._lock:
            if not self._unsent:
                return None
            topic = next(iter(self._unsent))
            del self._unsent[topic]
            return topic, self._payloads[topic]


class CameraState:
    """What is in a camera's picture, and how the camera is.

    A board reports a change of objects at once, a mere change of the score
    every other second: nobody wants 30 messages a second.
    """

    def __init__(self) -> None:
        self._status: dict[str, Any] = {"state": "starting", "reason": "", "since": None}
        self._shown: tuple[str | None, int] = (None, 0)
        self._told_at = self._counted_since = time.monotonic()
        self._frames = 0
        self._interval_s = FIRST_FRAME_RATE_S

    def picture(self, result: StreamResult) -> bytes | None:
        """What is seen, as JSON; None where there is nothing new."""
        self._frames += 1
        best = result.tracks[0] if result.tracks else None
        label, score = (best.label, best.score) if best else (None, None)
        shown = (label, len(result.tracks))
        now = time.monotonic()
        if shown == self._shown and (best is None or now - self._told_at < SCORE_INTERVAL_S):
            return None
        self._shown, self._told_at = shown, now
        return picture_json(label, score, len(result.tracks))

    def health(self, status: CameraStatus | None = None) -> bytes | None:
        """How the camera is, as JSON; None where it is not yet time to count frames again.

        Args:
            status: its new state, which is told at once.
        """
        now = time.monotonic()
        passed = now - self._counted_since
        if status is None and passed < self._interval_s:
            return None
        if status is not None:
            self._status = {"state": status.state, "reason": status.reason, "since": round(status.since, 3)}
        frame_rate = self._frames / passed if passed > 0 else 0.0
        self._frames, self._counted_since = 0, now
        self._interval_s = FRAME_RATE_INTERVAL_S if status is None else FIRST_FRAME_RATE_S
        return _json(self._status | {"process_fps": round(frame_rate, 1)})


def picture_json(label: str | None, score: float | None, count: int) -> bytes:
    """What is seen in a picture.

    Args:
        label: of the best object; None where there is nothing.
        score: its score, in [0, 1]; None where there is nothing.
        count: how many objects there are.
    """
    return _json(
        {
            "presence": "ON" if count else "OFF",
            "label": label,
            "score": None if score is None else round(score, 2),
            "count": count,
        }
    )


def _json(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
