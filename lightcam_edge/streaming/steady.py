"""Steadies what is found in a camera's frames by the frames before."""

from dataclasses import replace

from lightcam_edge.geometry import Fit
from lightcam_edge.interpreter import Outputs
from lightcam_edge.localizer import Detection, Localization, Localizer, Stopwatch
from lightcam_edge.region import cells
from lightcam_edge.streaming.averaging import FeatureAverage
from lightcam_edge.streaming.messages import CapturedFrame, Track
from lightcam_edge.streaming.steadiness import Steadiness as Steadiness
from lightcam_edge.streaming.tracking import Tracker


class Steadier:
    """Steadies one camera: averages between `Localizer.infer` and `conclude`, then follows the boxes.

    Args:
        localizer: of the camera; other options may be set at any time.
        steadiness: how steady.
    """

    def __init__(self, localizer: Localizer, steadiness: Steadiness | None = None) -> None:
        self._localizer = localizer
        self._steadiness = steadiness or Steadiness()
        network = localizer.interpreter
        self._average = FeatureAverage(network.gap_weights, network.gap_bias, self._steadiness)
        self._tracker = Tracker(self._steadiness, localizer.options.max_boxes)
        self._last_ns: int | None = None
        self._last_fit: Fit | None = None

    def take(
        self, frame: CapturedFrame, fit: Fit, outputs: Outputs, stopwatch: Stopwatch | None = None
    ) -> tuple[Localization, tuple[Track, ...]]:
        """Conclude from a frame and those before it.

        Args:
            frame: the picture; later than the one before.
            fit: from `Localizer.infer`.
            outputs: from `Localizer.infer`.
            stopwatch: takes a lap for each stage, `steady` and `track` among them.

        Returns:
            What is in the frame, its detections those of the tracks, and the tracks.
        """
        stopwatch = stopwatch or Stopwatch()
        seconds = self._elapsed(frame.captured_ns, fit)
        averaged = self._average.add(outputs, seconds)
        stopwatch.lap("steady")
        found = self._localizer.conclude(fit, averaged, stopwatch)
        self._tracker.most = self._localizer.options.max_boxes
        sure = [self._sure(found, detection) for detection in found.detections]
        tracks = self._tracker.follow(found.detections, sure, seconds, frame.captured_at, fit.image_hw)
        stopwatch.lap("track")
        return replace(self._told(found, averaged, tracks), latency_ms=stopwatch.total()), tracks

    def _elapsed(self, now_ns: int, fit: Fit) -> float:
        """Seconds since the frame before, a pause cut short: nobody knows what was there meanwhile."""
        seconds = 0.0 if self._last_ns is None else max(0.0, (now_ns - self._last_ns) / 1e9)
        resized = self._last_fit is not None and fit != self._last_fit
        self._last_ns, self._last_fit = now_ns, fit
        if resized or seconds > self._steadiness.loss_seconds:
            self._tracker.clear()
        if resized or seconds > self._steadiness.gap_seconds:
            self._average.reset()
        return min(seconds, self._steadiness.gap_seconds)

    def _sure(self, found: Localization, detection: Detection) -> bool:
        """Whether a box's map is high enough for a new object."""
        cam = found.cam
        part = cells(found.fit.to_input(detection.box), found.fit.input_hw, (cam.shape[0], cam.shape[1]))
        return float(cam[part].max()) >= self._steadiness.appear_factor * self._localizer.presence

    def _told(self, found: Localization, averaged: Outputs, tracks: tuple[Track, ...]) -> Localization:
        """The localization as the tracks have it."""
        if tracks:
            first = tracks[0]
            detections = tuple(Detection(one.box, one.class_index, one.label, one.score) for one in tracks)
            return replace(
                found,
                class_index=first.class_index,
                label=first.label,
                score=first.score,
                detections=detections,
            )
        background = self._localizer.card.background
        if not found.detections or background is None or self._localizer.options.label is not None:
            return replace(found, detections=())
        return replace(
            found,
            class_index=background.index,
            label=background.label,
            score=float(averaged.scores[background.index]),
            scores=averaged.scores,
            detections=(),
        )
