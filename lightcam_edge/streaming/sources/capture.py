"""Keeps one camera's newest frame fresh, and the connection to it up."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lightcam_edge.errors import RuntimeMissingError
from lightcam_edge.streaming.back_off import BackOff
from lightcam_edge.streaming.figures import Rate
from lightcam_edge.streaming.messages import CameraStatus, CapturedFrame, State
from lightcam_edge.streaming.sources.demand import Demand
from lightcam_edge.streaming.sources.grammar import CaptureOptions, SourceSpec, check_options
from lightcam_edge.streaming.sources.newest import NewestFrames
from lightcam_edge.streaming.sources.opening import make_camera
from lightcam_edge.streaming.sources.patience import Patience
from lightcam_edge.streaming.sources.reading import Picture
from lightcam_edge.streaming.sources.session import Session
from lightcam_edge.streaming.sources.turning import Turning

LOOK_UP = 0.2  # how often a session is looked after, in seconds
STEADY = 5.0  # a connection that lasted this long is worth a quick retry, in seconds
MOST_STUCK = 2  # sessions that never come back, until no new one is tried
GRACE = 1.0  # for a camera's own time-out, which tells more, in seconds
LEAVING = 0.3  # what a session that is left gets to end, in seconds


@dataclass(frozen=True, slots=True)
class CaptureCounts:
    """What a camera gave since the stream started.

    Args:
        captured: pictures, over all connections.
        corrupt: pictures that could not be decoded.
        reconnections: connections after the first one that gave a picture.
        fps: pictures a second over the last seconds.
    """

    captured: int
    corrupt: int
    reconnections: int
    fps: float


class CaptureThread:
    """Reads one camera until it is stopped: connects, watches, and connects again.

    Live sources are reconnected to for ever. Recorded ones end, and so does
    stdin. Pictures go to `frames` under the camera's name, and their index
    goes on over reconnections.

    Args:
        camera: its name, one of those of `frames`.
        spec: where its pictures come from.
        options: how they are wished for.
        frames: where the newest one is left.
        on_status: takes each change of state, always from this thread; must not block.
        patience: how long it is waited for.

    Raises:
        UsageError: if options and source do not fit.
    """

    def __init__(
        self,
        camera: str,
        spec: SourceSpec,
        options: CaptureOptions,
        frames: NewestFrames,
        on_status: Callable[[CameraStatus], None],
        patience: Patience | None = None,
    ) -> None:
        check_options(spec, options)
        self.camera = camera
        self.spec = spec
        self._options = options
        self._frames = frames
        self._on_status = on_status
        self._patience = patience or Patience()
        self._demand = Demand(partial(frames.due_ns, camera))
        self._turning = Turning(options.rotate, options.flip)
        self._back_off = BackOff(self._patience.first_retry, self._patience.longest_retry)
        self._lock = threading.Lock()
        self._rate = Rate()
        self._captured = self._corrupt = self._reconnections = 0
        self._session: Session | None = None
        self._stuck: list[Session] = []
        self._status = CameraStatus(camera, "starting", "", time.time())
        self._failed = False
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"supervision of {camera}", daemon=True)

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> bool:
        """End within the time-out, whatever the camera does.

        Returns:
            Whether all is closed; False where a native library does not return, and is left behind.
        """
        self._stopping.set()
        self._news.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive() and not self._stuck

    @property
    def status(self) -> CameraStatus:
        """How the camera is now."""
        return self._status

    @property
    def failed(self) -> bool:
        """Whether it has ended because its source cannot be read."""
        return self._failed

    def counts(self) -> CaptureCounts:
        """What the camera gave so far."""
        with self._lock:
            corrupt = self._corrupt + (self._session.corrupt if self._session else 0)
            fps = self._rate.value(time.monotonic_ns())
            return CaptureCounts(self._captured, corrupt, self._reconnections, fps)

    def _run(self) -> None:
        self._on_status(self._status)
        try:
            while not self._stopping.is_set() and self._connect():
                self._wait_to_retry()
        finally:
            if self._status.state != "ended":
                self._tell("ended", "stopped")
            self._frames.end(self.camera)

    def _connect(self) -> bool:
        """See one connection through. Returns whether there should be another."""
        began = time.monotonic()
        camera = make_camera(self.spec, self._options, self._patience)
        with self._lock:
            session = self._session = Session(self.camera, camera, self._accept, self._wants, self._news)
        reason = self._watch(session)
        given_up = not session.is_over
        self._let_go(session)
        if self._stopping.is_set():
            return False
        if not given_up and self._is_final(session.failure):
            self._failed = session.failure is not None
            self._tell("ended", session.why() or f"{self.spec} is over")
            return False
        if session.pictures and time.monotonic() - began > STEADY:
            self._back_off.reset()
        self._tell("lost", reason or session.why())
        return True

    def _is_final(self, failure: Exception | None) -> bool:
        """Whether there is no use in trying again: all was read, or a package is missing."""
        return failure is None or isinstance(failure, RuntimeMissingError) or not self.spec.is_reconnected

    def _watch(self, session: Session) -> str:
        """Follow a session until it is over. Returns why it was given up, or nothing."""
        while not session.is_over and not self._stopping.is_set():
            self._news.wait(LOOK_UP)
            self._news.clear()
            quiet = session.quiet_seconds()
            if quiet > self._limit(session):
                reason = self._stall_reason(session, quiet)
                if self.spec.is_reconnected:
                    return reason
                self._tell("lost", reason)  # stdin can only be waited for
            elif session.pictures:
                self._tell_flow(session)
        return ""

    def _limit(self, session: Session) -> float:
        """How long a session may give no picture, in seconds."""
        if not self.spec.is_live:
            return float("inf")
        patience = self._patience
        first = not session.pictures
        least = 2 / self._options.fps if self._options.fps else 0.0
        return max(patience.open_timeout if first else 0.0, patience.stall_timeout, least) + GRACE

    def _stall_reason(self, session: Session, quiet: float) -> str:
        damaged = f", {session.corrupt} were damaged" if session.corrupt else ""
        return f"{self.spec} gave no picture for {quiet:.0f} seconds{damaged}"

    def _tell_flow(self, session: Session) -> None:
        limit, still = self._patience.frozen_after, session.freeze_watch.still_seconds()
        if limit and self.spec.is_live and still > limit:
            self._tell("frozen", f"its picture has not changed for {limit:g} seconds")
        else:
            self._tell("live", "")

    def _let_go(self, session: Session) -> None:
        with self._lock:
            self._session = None
            self._corrupt += session.corrupt
        if not session.leave(LEAVING):
            self._stuck.append(session)

    def _wait_to_retry(self) -> None:
        self._stopping.wait(self._back_off.wait_s())
        while not self._stopping.is_set():
            self._stuck = [session for session in self._stuck if not session.is_over]
            if len(self._stuck) < MOST_STUCK:
                return
            self._stopping.wait(LOOK_UP)

    def _accept(self, session: Session, picture: Picture) -> None:
        """Number a picture and leave it for whoever takes it; called by the session's thread."""
        photo = self._turning(picture.photo)
        age_ns = time.monotonic_ns() - picture.arrived_ns
        index = self._count(session, picture.arrived_ns)
        if index is None:
            return
        with self._lock:
            self._reconnections += session.pictures == 1 and index > 0
        captured_at = time.time() - age_ns / 1e9
        frame = CapturedFrame(self.camera, index, photo, captured_at, picture.arrived_ns, picture.decode_ms)
        self._demand.prepared(picture.arrived_ns)
        if self._options.every_frame:
            self._frames.put_when_taken(frame, lambda: session.is_left or self._stopping.is_set())
        else:
            self._frames.put(frame)

    def _wants(self, session: Session, arrived_ns: int) -> bool:
        """Whether a picture should be decoded; called by the session's thread."""
        wanted = self._options.every_frame or self._demand.wants(arrived_ns)
        if not wanted and self._count(session, arrived_ns) is not None:
            self._frames.skip(self.camera)
        return wanted

    def _count(self, session: Session, arrived_ns: int) -> int | None:
        """The number of a picture that has arrived; None where nobody waits for that session any more."""
        with self._lock:
            if session is not self._session:
                return None
            self._rate.count(arrived_ns)
            self._captured += 1
            return self._captured - 1

    def _tell(self, state: State, reason: str) -> None:
        if (state, reason) != (self._status.state, self._status.reason):
            self._status = CameraStatus(self.camera, state, reason, time.time())
            self._on_status(self._status)
