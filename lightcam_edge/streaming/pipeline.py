"""A running stream: its cameras, one network for all of them, and everyone who listens."""

import threading
import time
from collections.abc import Iterable, Sequence

from lightcam_edge.localizer import Localizer
from lightcam_edge.streaming.announcing import Announcer
from lightcam_edge.streaming.messages import CameraFigures, CameraStatus
from lightcam_edge.streaming.ports import Sink
from lightcam_edge.streaming.sources.capture import CaptureThread
from lightcam_edge.streaming.sources.newest import NewestFrames
from lightcam_edge.streaming.watched import CameraPlan, WatchedCamera

LOOK_UP_S = 0.2  # how often the network's thread looks whether it should still wait for a frame
CAPTURE_STOPS_S = 0.4
SINKS_CLOSE_S = 0.5  # together with the captures below the second that a user waits at most


class Pipeline:
    """Captures, localizes and announces side by side.

    Every camera has a thread that keeps its newest frame; one thread takes the
    frames in turn to the network, which is in memory once; one tells the
    sinks. Nobody waits for who comes after: frames that cannot be taken in
    time are replaced by newer ones.

    Args:
        plans: the cameras, each with a name of its own.
        localizer: the model; each camera's options are its plan's.
        snapshots: give events a picture.
        max_frames: stop after so many results; None goes on.

    Raises:
        UsageError: if a camera's options do not suit the model or its source.
    """

    def __init__(
        self,
        plans: Sequence[CameraPlan],
        localizer: Localizer,
        snapshots: bool = False,
        max_frames: int | None = None,
    ) -> None:
        self.model = localizer
        self.watched = {plan.name: WatchedCamera(plan, localizer, snapshots) for plan in plans}
        self._left = max_frames
        self._frames = NewestFrames(self.watched)
        self._announcer = Announcer(self.watched, self._fail)
        self._captures = {plan.name: self._capture(plan) for plan in plans}
        self._stopping = threading.Event()
        self._finished = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)

    def _capture(self, plan: CameraPlan) -> CaptureThread:
        return CaptureThread(plan.name, plan.spec, plan.capture, self._frames, self._status, plan.patience)

    def _status(self, status: CameraStatus) -> None:
        """Announce a camera's new state; that it has ended, after the result of its last frame."""
        if status.state == "ended":
            self._frames.wait_until_looked_at(status.camera, self._finished.is_set)
        self._announcer.status(status)

    def start(self, sinks: Iterable[Sink]) -> None:
        """Begin.

        Args:
            sinks: who is told; closed by `stop`.
        """
        self._announcer.start(sinks)
        self._thread.start()
        for capture in self._captures.values():
            capture.start()

    def finish(self) -> None:
        """Have it be over soon; any thread may call, and none waits."""
        self._stopping.set()
        self._finished.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is over: stopped, at its last frame, or failed. Returns whether it is."""
        return self._finished.wait(timeout_s)

    def stop(self) -> bool:
        """End everything within a second: captures, network, then the sinks.

        Returns:
            Whether all threads ended; False where a native library does not return.

        Raises:
            BaseException: what ended the stream, if anything that should not happen did.
        """
        self.finish()
        stopped = self._stop_captures()
        if self._thread.ident is not None:
            self._thread.join(CAPTURE_STOPS_S)
        stopped = self._announcer.close(SINKS_CLOSE_S) and stopped and not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure
        return stopped

    def _stop_captures(self) -> bool:
        stoppers = [
            threading.Thread(target=capture.stop, args=(CAPTURE_STOPS_S,), daemon=True)
            for capture in self._captures.values()
        ]
        deadline = time.monotonic() + CAPTURE_STOPS_S
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join(max(0.0, deadline - time.monotonic()))
        return all(capture.stop(0) for capture in self._captures.values())

    @property
    def is_patient(self) -> bool:
        """Whether nothing of any camera may be left out, so that outputs had better wait than drop."""
        return all(one.plan.capture.every_frame for one in self.watched.values())

    @property
    def failed_cameras(self) -> list[str]:
        """Cameras that ended because their source cannot be read, and why."""
        return [
            f"{name}: {capture.status.reason}" for name, capture in self._captures.items() if capture.failed
        ]

    def figures(self, camera: str) -> CameraFigures:
        """Counts and times of a camera, now; any thread may ask."""
        counts, meters = self._captures[camera].counts(), self.watched[camera].meters
        now_ns = time.monotonic_ns()
        return CameraFigures(
            self._captures[camera].status,
            captured=counts.captured,
            processed=meters.processed,
            skipped=self._frames.skipped(camera),
            reconnections=counts.reconnections,
            camera_fps=counts.fps,
            process_fps=meters.rate(now_ns),
            age_ms=meters.ages_ms(now_ns),
            latency_ms=meters.latencies_ms(now_ns),
            inference_seconds=meters.inference_s,
            source=str(self.watched[camera].plan.spec),
        )

    def _run(self) -> None:
        try:
            while not self._stopping.is_set() and not self._frames.exhausted and self._left != 0:
                self._look()
        except BaseException as error:
            self._fail(error)
        self._finished.set()

    def _look(self) -> None:
        frame = self._frames.take(LOOK_UP_S)
        if frame is None:
            return
        camera = self.watched[frame.camera]
        result = camera.look(frame)
        if camera.plan.capture.every_frame:
            self._announcer.result_for_sure(result, self._stopping.is_set)
        else:
            self._announcer.result(result)
        if self._left is not None:
            self._left -= 1

    def _fail(self, error: BaseException) -> None:
        """Remember the first error that should not happen, and end the stream for it."""
        self._failure = self._failure or error
        self.finish()
