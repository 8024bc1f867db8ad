"""Events from tracks: an object came, stayed or went."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from lightcam_edge.streaming.messages import Event, EventKind, StreamResult, Track
from lightcam_edge.streaming.steadiness import Steadiness

NOTABLE_SCORE = 0.1
NOTABLE_IOU = 0.7


@dataclass(slots=True)
class _Told:
    """An object that others know of, and what they were told last."""

    event_id: str
    track: Track
    best_score: float
    told: Track
    told_at: float
    shown_at: float


class EventMaker:
    """Makes the events of one camera.

    Args:
        camera: its name.
        steadiness: when an object has gone, and how often it is told of.
        snapshots: give `new` and `update` events a JPEG of the picture.
    """

    def __init__(self, camera: str, steadiness: Steadiness | None = None, snapshots: bool = False) -> None:
        self.camera = camera
        self._steadiness = steadiness or Steadiness()
        self._snapshots = snapshots
        # Random, since a board without a battery clock lives through the same times twice.
        self._run = secrets.token_hex(6)
        self._count = 0
        self._known: dict[int, _Told] = {}
        self._image_hw = (0, 0)

    def take(self, result: StreamResult) -> list[Event]:
        """The events of a frame, objects that went first."""
        now = result.frame.captured_at
        self._image_hw = result.frame.photo.image_hw
        shown = {track.id for track in result.tracks}
        patience = self._steadiness.absent_seconds - self._steadiness.hold_seconds
        gone = [
            id_
            for id_, known in self._known.items()
            if id_ not in shown and not 0 <= now - known.shown_at <= patience
        ]
        events = [self._end(id_, now) for id_ in gone]
        picture = _once(lambda: _snapshot(result)) if self._snapshots else bytes
        news = [(track, kind) for track in result.tracks if (kind := self._news(track, now))]
        return events + [self._tell(track, kind, now, picture()) for track, kind in news]

    def idle(self, now: float) -> list[Event]:
        """The events of a camera that gives no pictures; to be asked for now and then.

        Args:
            now: wall clock, in seconds since 1970.
        """
        lost = [
            id_ for id_, known in self._known.items() if now - known.shown_at > self._steadiness.loss_seconds
        ]
        return [self._end(id_, now) for id_ in lost]

    def stop(self, now: float) -> list[Event]:
        """The events of a stream that ends: every object goes.

        Args:
            now: wall clock, in seconds since 1970.
        """
        return [self._end(id_, now) for id_ in list(self._known)]

    def _news(self, track: Track, now: float) -> EventKind | None:
        """What is new of a track, if anything is."""
        known = self._known.get(track.id)
        if known is None:
            return "new"
        known.track, known.shown_at = track, now
        known.best_score = max(known.best_score, track.score)
        if track.class_index != known.told.class_index:
            return "update"
        rested = now - known.told_at >= self._steadiness.update_seconds
        return "update" if rested and _notable(known.told, track) else None

    def _tell(self, track: Track, kind: EventKind, now: float, snapshot: bytes) -> Event:
        if kind == "new":
            self._count += 1
            event_id = f"{self._run}-{self._count}"
            self._known[track.id] = _Told(event_id, track, track.score, track, now, now)
        known = self._known[track.id]
        known.told, known.told_at = track, now
        return Event(
            kind, known.event_id, self.camera, now, track, known.best_score, self._image_hw, snapshot
        )

    def _end(self, id_: int, now: float) -> Event:
        known = self._known.pop(id_)
        return Event("end", known.event_id, self.camera, now, known.track, known.best_score, self._image_hw)


def _notable(told: Track, track: Track) -> bool:
    return abs(track.score - told.score) >= NOTABLE_SCORE or track.box.iou(told.box) < NOTABLE_IOU


def _once(make: Callable[[], bytes]) -> Callable[[], bytes]:
    """Make at the first call, and remember."""
    made: list[bytes] = []

    def get() -> bytes:
        if not made:
            made.append(make())
        return made[0]

    return get


def _snapshot(result: StreamResult) -> bytes:
    from lightcam_edge.drawing import draw_boxes, to_jpeg

    return to_jpeg(draw_boxes(result.frame.photo.pixels, result.found))
