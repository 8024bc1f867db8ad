"""What a stream tells systemd: that it is ready, how it is, and that its cameras' frames are processed."""

import os
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress

from lightcam_edge.streaming.messages import CameraFigures

PATIENCE_S = 300.0


class Notifier:
    """Sends states to the service manager, see sd_notify(3); does nothing where none listens.

    Args:
        environment: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are read from it.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = _watchdog_s(environment)

    def send(self, *states: str) -> None:
        """Send states such as `READY=1`; one that cannot be sent is lost, and nothing waits for it."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(states).encode(), self._address)


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """Seconds within which the service manager wants to hear, or None where it does not."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 1e6 or None


class Vigil:
    """Judges from their figures whether any camera is still being watched.

    The watchdog is fed while at least one camera is well. One that is live is
    well if its frames are processed: a process that captures and does not
    localize is dead. One that is reconnected to is well for the patience, since
    a new process could do no more; after that a fresh one is tried, in case a
    driver or a library is what hangs. One that has ended counts no more.

    Args:
        patience_s: how long a camera may be away, in seconds.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._processed: dict[str, int] = {}
        self._captured: dict[str, int] = {}
        self._away_since: dict[str, float] = {}

    def is_well(self, cameras: Iterable[CameraFigures], now_s: float) -> bool:
        """Whether the watchdog is to be fed.

        Args:
            cameras: figures of every camera, now; looked at since the last call.
            now_s: of `time.monotonic`.
        """
        well = [self._camera_is_well(figures, now_s) for figures in cameras]  # each notes its counts
        return any(well)

    def _camera_is_well(self, figures: CameraFigures, now_s: float) -> bool:
        name, state = figures.status.camera, figures.status.state
        processed = figures.processed > self._processed.get(name, 0)
        captured = figures.captured > self._captured.get(name, 0)
        self._processed[name], self._captured[name] = figures.processed, figures.captured
        if state == "ended":
            return False
        if state == "live":
            self._away_since.pop(name, None)
            return processed or not captured  # whether pictures come at all is the stall time-out's matter
        return now_s - self._away_since.setdefault(name, now_s) < self._patience_s
