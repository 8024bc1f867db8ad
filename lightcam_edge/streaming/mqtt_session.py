"""Brings events and retained topics to the broker over one connection."""

import logging
import time

from lightcam_edge.streaming.event_queue import EventQueue
from lightcam_edge.streaming.event_store import QueuedEvent
from lightcam_edge.streaming.mqtt_connection import BrokerError, Connection
from lightcam_edge.streaming.mqtt_state import Retained
from lightcam_edge.streaming.mqtt_topics import Topics

LOG = logging.getLogger(__name__)
LEAST_EXPIRY_S = 60


class Session:
    """What is on its way over a connection.

    Args:
        connection: to the broker.
        queue: of the events; the next session begins again with those that were not acknowledged.
        retained: all of it is sent again.
        topics: of this board.
        expiry_s: an event's life from its own time on, in seconds.
    """

    def __init__(
        self, connection: Connection, queue: EventQueue, retained: Retained, topics: Topics, expiry_s: int
    ) -> None:
        self._connection = connection
        self._queue = queue
        self._retained = retained
        self._topics = topics
        self._expiry_s = expiry_s
        self._sent_through = queue.done_through
        self._events: dict[int, int] = {}
        self._topics_sent: dict[int, str] = {}
        self._told: set[str] = set()
        retained.put_all_again()

    @property
    def idle(self) -> bool:
        """Whether all that was sent is acknowledged."""
        return not self._events and not self._topics_sent

    def send(self) -> None:
        """Send what there is and the window has room for."""
        while self._room() and (unsent := self._retained.next_unsent()):
            self._send_retained(*unsent)
        for event in self._queue.oldest(self._sent_through, self._room()):
            self._send_event(event)

    def settle(self) -> None:
        """Take note of what the broker has, and has not, taken.

        Raises:
            BrokerError: if it refuses an event, which then waits like those before and after it.
        """
        acknowledged, self._connection.acknowledged = self._connection.acknowledged, []
        for mid in acknowledged:
            self._topics_sent.pop(mid, None)
            if self._events.pop(mid, None) is not None:
                self._queue.done(min(self._events.values(), default=self._sent_through + 1) - 1)
        refused, self._connection.refused = self._connection.refused, []
        for mid, reason in refused:
            if mid in self._events:
                raise BrokerError(f"the broker refuses events below {self._topics.prefix}/: {reason}")
            self._tell(self._topics_sent.pop(mid, ""), reason)

    def _room(self) -> int:
        return self._connection.window - len(self._events) - len(self._topics_sent)

    def _send_event(self, event: QueuedEvent) -> None:
        topic = self._topics.camera(event.camera).events
        left_s = round(self._expiry_s - (time.time() - event.time))
        # At least a minute, for a clock that was set meanwhile, and at most the whole.
        expiry_s = min(max(left_s, LEAST_EXPIRY_S), self._expiry_s)
        mid = self._connection.publish(topic, event.body, expiry_s=expiry_s)
        self._events[mid] = self._sent_through = event.sequence

    def _send_retained(self, topic: str, payload: bytes) -> None:
        if self._connection.fits(topic, payload):
            self._topics_sent[self._connection.publish(topic, payload, retain=True)] = topic
        else:
            self._tell(topic, f"{len(payload)} bytes are more than it takes")

    def _tell(self, topic: str, reason: str) -> None:
        if topic not in self._told:
            self._told.add(topic)
            LOG.warning("the broker refuses what belongs on %s: %s", topic, reason)
