"""Which box of one frame is which of the frame before: one id an object while it stays."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from lightcam_edge.box import Box
from lightcam_edge.localizer import Detection
from lightcam_edge.streaming.box_filter import BoxFilter
from lightcam_edge.streaming.messages import Track
from lightcam_edge.streaming.steadiness import Steadiness

REACH = 0.7  # of the mean side: boxes whose centres are further apart are two objects
CLEARLY = 1.3  # times the area
LABEL_SECONDS = 0.5  # time constant of the averaged labels


@dataclass(slots=True)
class _Followed:
    """An object and what is known of it so far; its id is 0 until it is shown."""

    smoothed: BoxFilter
    detection: Detection
    started_at: float
    id: int = 0
    frames: int = 1
    sure_seconds: float = 0.0
    unseen_seconds: float = 0.0
    evidence: dict[int, float] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)
    class_index: int = -1

    def __post_init__(self) -> None:
        self.class_index = self.detection.class_index
        self.weigh(self.detection, 1.0, 0.0)

    def weigh(self, detection: Detection, gain: float, margin: float) -> None:
        """Average the labels' scores, and take another label where it is ahead by the margin."""
        for index in self.evidence:
            self.evidence[index] *= 1 - gain
        index = detection.class_index
        self.labels[index] = detection.label
        self.evidence[index] = self.evidence.get(index, 0.0) + gain * detection.score
        best = max(self.evidence, key=lambda one: self.evidence[one])
        if self.evidence[best] > self.evidence[self.class_index] + margin:
            self.class_index = best

    def ripen(self, seconds: float) -> None:
        """Count time in which it was surely there, less that in which it was not."""
        self.sure_seconds = max(0.0, self.sure_seconds + seconds)

    def track(self, image_hw: tuple[int, int]) -> Track:
        """What is shown of it."""
        return Track(
            self.id,
            self.class_index,
            self.labels[self.class_index],
            self.detection.score,
            _inside(self.smoothed.box, image_hw),
            self.started_at,
            self.frames,
        )


class Tracker:
    """Follows the objects of one camera.

    Args:
        steadiness: when an object has come and gone, and how its box is smoothed.
        most: how many objects are shown at most; 0 means all.
    """

    def __init__(self, steadiness: Steadiness, most: int = 0) -> None:
        self.most = most
        self._steadiness = steadiness
        self._objects: list[_Followed] = []
        self._last_id = 0

    def clear(self) -> None:
        """Let every object be gone; ids go on."""
        self._objects.clear()

    def follow(
        self,
        detections: Sequence[Detection],
        sure: Sequence[bool],
        seconds: float,
        captured_at: float,
        image_hw: tuple[int, int],
    ) -> tuple[Track, ...]:
        """Take what was found in a frame.

        Args:
            detections: in pixels of the upright image.
            sure: of each, whether it may be a new object; one that is not may still be a known one.
            seconds: since the frame before.
            captured_at: wall clock of the frame, in seconds since 1970.
            image_hw: height and width of the upright image, in pixels.

        Returns:
            The objects that are shown, the largest first; two of about a size keep their order.
        """
        for one in self._objects:
            one.smoothed.advance(seconds, seen=not one.unseen_seconds)
        pairs = pair_up([one.smoothed.box for one in self._objects], [found.box for found in detections])
        for number, one in enumerate(self._objects):
            if number in pairs:
                self._see(one, detections[pairs[number]], sure[pairs[number]], seconds)
            else:
                one.unseen_seconds += seconds
                one.ripen(-seconds)
        self._objects = [one for one in self._objects if not self._gone(one, image_hw)]
        self._objects += [
            self._begun(found, captured_at)
            for number, found in enumerate(detections)
            if sure[number] and number not in pairs.values()
        ]
        self._admit()
        self._rank()
        return tuple(one.track(image_hw) for one in self._shown()[: self.most or None])

    def _shown(self) -> list[_Followed]:
        hold = self._steadiness.hold_seconds
        return [one for one in self._objects if one.id and one.unseen_seconds <= hold]

    def _begun(self, found: Detection, captured_at: float) -> _Followed:
        return _Followed(BoxFilter(found.box, self._steadiness.box_seconds), found, captured_at)

    def _see(self, one: _Followed, found: Detection, sure: bool, seconds: float) -> None:
        one.smoothed.correct(found.box, seconds + one.unseen_seconds)
        one.frames += 1
        gain = max(1 - math.exp(-seconds / LABEL_SECONDS), 1 / one.frames)
        one.weigh(found, gain, self._steadiness.label_margin if one.id else 0.0)
        one.detection = found
        one.ripen(seconds if sure else -seconds)
        one.unseen_seconds = 0.0

    def _gone(self, one: _Followed, image_hw: tuple[int, int]) -> bool:
        patience = self._steadiness.absent_seconds if one.id else self._steadiness.appear_seconds
        return one.unseen_seconds > patience or not _inside(one.smoothed.box, image_hw).area

    def _admit(self) -> None:
        """Show objects that were seen for long enough, as far as there is room."""
        for one in self._objects:
            room = not self.most or len(self._shown()) < self.most
            if not one.id and room and one.sure_seconds >= self._steadiness.appear_seconds:
                self._last_id += 1
                one.id = self._last_id

    def _rank(self) -> None:
        """Let each object pass the one before it where it is clearly larger."""
        ranked = self._objects
        for earlier, later in pairwise(range(len(ranked))):
            if ranked[later].smoothed.box.area > CLEARLY * ranked[earlier].smoothed.box.area:
                ranked[earlier], ranked[later] = ranked[later], ranked[earlier]


def pair_up(before: Sequence[Box], now: Sequence[Box]) -> dict[int, int]:
    """Match boxes of two frames, the nearest pairs first.

    Returns:
        Index among `now` by index among `before`; what is too far from all others has none.
    """
    distances = sorted(
        (distance, earlier, later)
        for earlier, one in enumerate(before)
        for later, other in enumerate(now)
        if (distance := _distance(one, other)) < REACH
    )
    pairs: dict[int, int] = {}
    for _, earlier, later in distances:
        if earlier not in pairs and later not in pairs.values():
            pairs[earlier] = later
    return pairs


def _distance(one: Box, other: Box) -> float:
    """Between the centres, in mean sides of the boxes; what overlaps is nearer."""
    x = (one.x0 + one.x1 - other.x0 - other.x1) / 2
    y = (one.y0 + one.y1 - other.y0 - other.y1) / 2
    side = (math.sqrt(one.area) + math.sqrt(other.area)) / 2
    return math.hypot(x, y) / side * (1 - one.iou(other) / 2) if side else math.inf


def _inside(box: Box, image_hw: tuple[int, int]) -> Box:
    height, width = image_hw
    x0, x1 = (min(max(x, 0.0), float(width)) for x in (box.x0, box.x1))
    y0, y1 = (min(max(y, 0.0), float(height)) for y in (box.y0, box.y1))
    return Box(x0, y0, x1, y1)
