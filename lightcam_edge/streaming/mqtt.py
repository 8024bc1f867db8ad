"""Sends events, and what cameras see, to an MQTT broker; see docs/events.md."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lightcam_edge.errors import RuntimeMissingError
from lightcam_edge.streaming.back_off import BackOff
from lightcam_edge.streaming.event_queue import EventQueue, QueueSettings
from lightcam_edge.streaming.event_record import event_json
from lightcam_edge.streaming.home_assistant import BIRTH, birth_topics, discovery_payload, discovery_topic
from lightcam_edge.streaming.messages import CameraStatus, Event, StreamResult
from lightcam_edge.streaming.mqtt_settings import MqttSettings as MqttSettings
from lightcam_edge.streaming.mqtt_state import CameraState, Retained, picture_json
from lightcam_edge.streaming.mqtt_topics import Topics, check_cameras, topic_name

if TYPE_CHECKING:
    from lightcam_edge.streaming.mqtt_connection import Connection
    from lightcam_edge.streaming.mqtt_session import Session

LOG = logging.getLogger(__name__)
TURN_S = 1.0
FLUSH_S = 0.35
GOODBYE_S = 0.1


class MqttSink:
    """Keeps a broker informed from a thread of its own, however often it goes away.

    Args:
        settings: which broker, and as whom.
        cameras: their names; those of an earlier start that are not among them vanish from Home Assistant.
        model: its name, for Home Assistant.
        queue: where events wait while the broker is away.

    Raises:
        UsageError: if two cameras would share their topics.
        RuntimeMissingError: if paho-mqtt is not installed.
    """

    def __init__(
        self,
        settings: MqttSettings,
        cameras: Sequence[str],
        model: str,
        queue: QueueSettings | None = None,
    ) -> None:
        check_cameras(cameras)
        try:
            from lightcam_edge.streaming.mqtt_connection import WakeUp
        except ImportError as error:
            raise RuntimeMissingError(
                "paho-mqtt is not installed: pip install 'lightcam-edge[stream]'"
            ) from error
        self._settings = settings
        self._topics = Topics(settings.prefix)
        self._states = {camera: CameraState() for camera in cameras}
        self._retained = Retained()
        self._announce(model)
        self._queue = EventQueue(settings.address, settings.queue_file, queue or QueueSettings(), event_json)
        self._wake_up = WakeUp()
        self._closing_at: float | None = None
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name=settings.address, daemon=True)
        self._thread.start()

    def result(self, result: StreamResult) -> None:
        """Tell of what is in the picture, where that changed."""
        camera = result.frame.camera
        state = self._states[camera]
        self._retain(self._topics.camera(camera).state, state.picture(result))
        self._retain(self._topics.camera(camera).diagnostics, state.health())

    def event(self, event: Event) -> None:
        """Queue an event, and show its picture."""
        self._queue.put(event)
        if event.snapshot:
            self._retained.put(self._topics.camera(event.camera).snapshot, event.snapshot)
        self._wake_up.set()

    def status(self, status: CameraStatus) -> None:
        """Tell how a camera is."""
        topics = self._topics.camera(status.camera)
        self._retain(topics.availability, b"online" if status.state == "live" else b"offline")
        self._retain(topics.diagnostics, self._states[status.camera].health(status))

    def close(self) -> None:
        """Send what can be sent, say `offline`, and leave the rest in the queue."""
        self._closing_at = time.monotonic()
        self._wake_up.set()
        self._thread.join(FLUSH_S + GOODBYE_S)
        self._queue.close()

    def _announce(self, model: str) -> None:
        self._retained.put(self._topics.availability, b"online")
        prefix = self._settings.discovery_prefix
        for camera in self._states:
            topics = self._topics.camera(camera)
            self._retained.put(topics.availability, b"offline")
            self._retained.put(topics.state, picture_json(None, None, 0))
            if prefix:
                payload = discovery_payload(self._topics, self._settings.device_id, camera, model)
                self._retained.put(discovery_topic(prefix, self._settings.device_id, camera), payload)

    def _retain(self, topic: str, payload: bytes | None) -> None:
        if payload is not None:
            self._retained.put(topic, payload)
            self._wake_up.set()

    def _run(self) -> None:
        from lightcam_edge.streaming.mqtt_connection import BrokerError

        back_off = BackOff(*self._settings.retry_s)
        with self._wake_up:
            while self._closing_at is None:
                try:
                    self._serve(back_off)
                except BrokerError as error:  # noqa: PERF203 - every attempt may fail
                    self._tell(str(error))
                    self._rest(back_off.wait_s())

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._closing_at is None and (left := until - time.monotonic()) > 0:
            self._wake_up.wait(left)

    def _serve(self, back_off: BackOff) -> None:
        from lightcam_edge.streaming.mqtt_connection import Connection
        from lightcam_edge.streaming.mqtt_session import Session

        connection = Connection(self._settings, self._topics.availability, self._wake_up)
        if self._trouble:
            LOG.warning("%s is back; %d events waited for it", self._settings.address, len(self._queue))
        self._trouble = ""
        session = Session(connection, self._queue, self._retained, self._topics, self._settings.expiry_s)
        if self._settings.discovery_prefix:
            self._listen_to_home_assistant(connection, self._settings.discovery_prefix)
        try:
            while not self._finished(session):
                self._turn(connection, session, TURN_S if self._closing_at is None else GOODBYE_S)
            self._say_goodbye(connection, session)
        except BaseException:
            connection.close(GOODBYE_S, with_will=True)
            if connection.lasted:
                back_off.reset()
            raise
        connection.close(GOODBYE_S)

    def _turn(self, connection: "Connection", session: "Session", timeout_s: float) -> None:
        session.send()
        connection.turn(timeout_s)
        session.settle()
        received, connection.received = connection.received, []
        for message in received:
            self._take(message.topic, bytes(message.payload))

    def _finished(self, session: "Session") -> bool:
        """Whether it is time to part: nothing is left, or no time."""
        if self._closing_at is None:
            return False
        late = time.monotonic() > self._closing_at + FLUSH_S
        return late or (session.idle and not self._queue.oldest(self._queue.done_through, 1))

    def _say_goodbye(self, connection: "Connection", session: "Session") -> None:
        until = time.monotonic() + GOODBYE_S
        for topic in (
            self._topics.availability,
            *(self._topics.camera(name).availability for name in self._states),
        ):
            self._retained.put(topic, b"offline")
        session.send()
        while not session.idle and (left := until - time.monotonic()) > 0:
            self._turn(connection, session, left)

    def _listen_to_home_assistant(self, connection: "Connection", prefix: str) -> None:
        for topic in birth_topics(prefix):
            connection.subscribe(topic, retained=False)
        connection.subscribe(discovery_topic(prefix, self._settings.device_id, "+"), retained=True)

    def _take(self, topic: str, payload: bytes) -> None:
        """Answer Home Assistant's birth; take away a camera that is described and not there any more."""
        prefix = self._settings.discovery_prefix or ""
        if topic in birth_topics(prefix):
            if payload == BIRTH.encode():
                self._retained.put_all_again()
            return
        camera = topic.rpartition("/")[0].rpartition("/")[2]
        ours = topic == discovery_topic(prefix, self._settings.device_id, camera)
        if ours and payload and camera not in map(topic_name, self._states):
            for gone in (topic, *self._topics.camera(camera).retained):
                self._retained.put(gone, b"")

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble and self._closing_at is None:
            LOG.warning("%s; events wait until it works", trouble)
            self._trouble = trouble
