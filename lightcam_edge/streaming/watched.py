"""One camera of a stream: how its frames become results."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lightcam_edge.choices import Method
from lightcam_edge.errors import UsageError
from lightcam_edge.localizer import Localizer, Options, Stopwatch
from lightcam_edge.streaming.clock import Clock
from lightcam_edge.streaming.events import EventMaker
from lightcam_edge.streaming.figures import Meters
from lightcam_edge.streaming.messages import CapturedFrame, StreamResult
from lightcam_edge.streaming.sources.grammar import CaptureOptions, SourceSpec
from lightcam_edge.streaming.sources.patience import Patience
from lightcam_edge.streaming.steadiness import Steadiness
from lightcam_edge.streaming.steady import Steadier


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """What is wanted of one camera.

    Args:
        name: letters, digits, - and _.
        spec: where its pictures come from.
        capture: how they are wished for.
        options: how objects are found in them.
        steadiness: how steady what is found is.
        patience: how long it is waited for.
    """

    name: str
    spec: SourceSpec
    capture: CaptureOptions = field(default_factory=CaptureOptions)
    options: Options = field(default_factory=Options)
    steadiness: Steadiness = field(default_factory=Steadiness)
    patience: Patience = field(default_factory=Patience)


class WatchedCamera:
    """Localizes in the frames of one camera, with settings of its own and the network of all.

    Args:
        plan: what is wanted of it.
        localizer: its network is shared.
        snapshots: give events a picture.

    Raises:
        UsageError: if the options do not suit the model.
    """

    def __init__(self, plan: CameraPlan, localizer: Localizer, snapshots: bool) -> None:
        self.plan = plan
        self.localizer = localizer.with_options(plan.options)
        self.events = EventMaker(plan.name, plan.steadiness, snapshots)
        self.meters = Meters()
        self.clock = Clock.of(plan.spec, plan.capture)
        self._steadier = Steadier(self.localizer, plan.steadiness)
        self.options = plan.options  # of the next frame

    def look(self, frame: CapturedFrame) -> StreamResult:
        """Find what is in a frame, in the light of those before it; called from one thread."""
        if (options := self.options) is not self.localizer.options:
            self.localizer.set_options(options)
        stopwatch = Stopwatch({"decode": frame.decode_ms})
        fit, outputs = self.localizer.infer(frame.photo, stopwatch)
        timed = self.clock.time(frame)
        found, tracks = self._steadier.take(timed, fit, outputs, stopwatch)
        now_ns = time.monotonic_ns()
        age_ms = (now_ns - frame.captured_ns) / 1e6
        self.meters.count(age_ms, found.latency_ms, now_ns)
        return StreamResult(timed, found, tracks, age_ms)

    def adjust(self, threshold: float | None, method: Method | None) -> None:
        """Take other settings from the next frame on; any thread may call.

        Raises:
            UsageError: if a value is out of range or does not suit the model.
        """
        options = self.options
        if threshold is not None:
            options = _checked(lambda: replace(options, threshold=threshold))
        if method is not None:
            options = _checked(lambda: replace(options, method=method))
        self.localizer.with_options(options)
        self.options = options

    @property
    def threshold(self) -> float:
        """Of the next frame: share of the map's peak above which a pixel counts."""
        threshold = self.options.threshold
        return self.localizer.card.cam.threshold if threshold is None else threshold

    @property
    def method(self) -> Method:
        """Of the next frame: how the map is made."""
        return self.options.method or self.localizer.card.cam.method


def _checked(make: Callable[[], Options]) -> Options:
    try:
        return make()
    except ValueError as error:
        raise UsageError(str(error)) from error
