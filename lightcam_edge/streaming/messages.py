"""What passes between the parts of a stream: frames, results, events and states."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lightcam_edge.box import Box
from lightcam_edge.images import Photo
from lightcam_edge.localizer import Localization

State = Literal["starting", "live", "frozen", "lost", "ended"]
EventKind = Literal["new", "update", "end"]


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """One picture of a camera.

    Args:
        camera: name of the camera.
        index: its number since the stream started; goes on over reconnections.
        photo: the picture, upright, rotated and flipped as wished.
        captured_at: wall clock when it arrived, in seconds since 1970.
        captured_ns: `time.monotonic_ns()` when it arrived; ages are counted from here.
        decode_ms: time it took to decode; 0 where the camera's library does not tell it apart.
    """

    camera: str
    index: int
    photo: Photo
    captured_at: float
    captured_ns: int
    decode_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Track:
    """One object while it stays in the picture.

    Args:
        id: counts up from 1 for each camera; never used again.
        class_index: of its label, settled over several frames.
        label: what it is.
        score: in this frame, in [0, 1].
        box: in pixels of the upright image, steadied.
        started_at: wall clock of its first frame, in seconds since 1970.
        frames: in how many frames it was seen.
    """

    id: int
    class_index: int
    label: str
    score: float
    box: Box
    started_at: float
    frames: int


@dataclass(frozen=True, slots=True)
class StreamResult:
    """What is in one frame, steadied by the frames before it.

    Args:
        frame: the picture.
        found: class, boxes and map of the averaged map; its detections are those of `tracks`.
        tracks: the objects in the picture, the best first.
        age_ms: from the picture's arrival to this result.
    """

    frame: CapturedFrame
    found: Localization
    tracks: tuple[Track, ...]
    age_ms: float


@dataclass(frozen=True, slots=True)
class Event:
    """An object came, stayed or went.

    Args:
        kind: `new` once it is sure, `update` while it stays, `end` once when it has gone.
        id: the same for all events of one object, unique over restarts too.
        camera: name of the camera.
        time: wall clock, in seconds since 1970.
        track: the object as last seen.
        best_score: the highest so far, in [0, 1].
        image_hw: height and width of the picture, in pixels.
        snapshot: JPEG of the picture with its box; empty where none is taken.
    """

    kind: EventKind
    id: str
    camera: str
    time: float
    track: Track
    best_score: float
    image_hw: tuple[int, int]
    snapshot: bytes = b""


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """How a camera is.

    Args:
        camera: its name.
        state: `live` while new pictures come; `frozen` where they do not change; `lost` while it
            is reconnected to; `ended` where there will be no more.
        reason: why, without any password; empty where live.
        since: wall clock of the change, in seconds since 1970.
    """

    camera: str
    state: State
    reason: str
    since: float


@dataclass(frozen=True, slots=True)
class CameraFigures:
    """Counts and times of one camera, over the last seconds where nothing else is said.

    Args:
        status: how it is.
        captured: pictures since the start.
        processed: results since the start.
        skipped: pictures since the start that a newer one replaced before it was their turn.
        reconnections: since the start.
        camera_fps: pictures a second.
        process_fps: results a second.
        age_ms: `p50` and `p95` from a picture's arrival to its result.
        latency_ms: median of each stage, and of `total`.
        inference_seconds: time in the network since the start.
        source: where its pictures come from, without any password.
    """

    status: CameraStatus
    captured: int = 0
    processed: int = 0
    skipped: int = 0
    reconnections: int = 0
    camera_fps: float = 0.0
    process_fps: float = 0.0
    age_ms: Mapping[str, float] = field(default_factory=dict)
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    inference_seconds: float = 0.0
    source: str = ""
