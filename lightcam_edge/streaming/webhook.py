"""Sends events to a webhook; see docs/events.md."""

import logging
import threading
import time
from functools import partial

from lightcam_edge.streaming.back_off import BackOff
from lightcam_edge.streaming.event_queue import EventQueue, QueueSettings
from lightcam_edge.streaming.event_record import event_json
from lightcam_edge.streaming.event_store import QueuedEvent
from lightcam_edge.streaming.messages import CameraStatus, Event, StreamResult
from lightcam_edge.streaming.webhook_post import DeliveryError, Receiver, RefusedError
from lightcam_edge.streaming.webhook_settings import WebhookSettings as WebhookSettings

LOG = logging.getLogger(__name__)
FLUSH_S = 0.45


class WebhookSink:
    """POSTs every event, one after the other, from a thread of its own.

    Args:
        settings: where to.
        queue: where events wait while the receiver is away.
    """

    def __init__(self, settings: WebhookSettings, queue: QueueSettings | None = None) -> None:
        encode = partial(event_json, with_snapshot=settings.snapshots)
        self._settings = settings
        self._queue = EventQueue(settings.address, settings.queue_file, queue or QueueSettings(), encode)
        self._receiver = Receiver(settings)
        self._back_off = BackOff(*settings.retry_s)
        self._trouble = ""
        self._refused = 0
        self._wake_up = threading.Event()
        self._closing_at: float | None = None
        self._thread = threading.Thread(target=self._run, name=settings.address, daemon=True)
        self._thread.start()

    def result(self, result: StreamResult) -> None:
        """Nothing: a webhook gets events only."""

    def event(self, event: Event) -> None:
        """Queue an event."""
        self._queue.put(event)
        self._wake_up.set()

    def status(self, status: CameraStatus) -> None:
        """Nothing: a webhook gets events only."""

    def close(self) -> None:
        """Send what can be sent, and leave the rest in the queue."""
        self._closing_at = time.monotonic()
        self._wake_up.set()
        self._thread.join(FLUSH_S)
        self._receiver.abort()
        self._queue.close()

    def _run(self) -> None:
        while not self._late():
            # Cleared first, so that an event that comes after the look is not slept through.
            self._wake_up.clear()
            waiting = self._queue.oldest(self._queue.done_through, 1)
            if waiting:
                self._deliver(waiting[0])
            elif self._closing_at is None:
                self._wake_up.wait()
            else:
                return

    def _late(self) -> bool:
        return self._closing_at is not None and time.monotonic() > self._closing_at + FLUSH_S

    def _deliver(self, event: QueuedEvent) -> None:
        try:
            self._receiver.post(event.body)
        except DeliveryError as error:
            self._tell(str(error))
            self._rest(max(self._back_off.wait_s(), error.after_s))
            return
        except RefusedError as error:
            self._refused += 1
            if self._refused == 1:
                LOG.warning("%s to an event, which is given up; later ones are not told", error)
        else:
            if self._trouble:
                LOG.warning("%s is back; %d events waited for it", self._settings.address, len(self._queue))
            self._trouble = ""
        self._back_off.reset()
        self._queue.done(event.sequence)

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._closing_at is None and (left := until - time.monotonic()) > 0:
            self._wake_up.wait(left)
            self._wake_up.clear()
        if self._closing_at is not None:
            self._closing_at = 0.0  # it will not work within what is left

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble and self._closing_at is None:
            LOG.warning("%s; events wait until it works", trouble)
            self._trouble = trouble
