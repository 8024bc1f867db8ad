"""One connection to an MQTT broker, from its start to its end."""

import selectors
import socket
import ssl
import time
from contextlib import suppress

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from lightcam_edge.errors import LightcamError
from lightcam_edge.streaming.mqtt_settings import PASSWORD, USERNAME, MqttSettings

CONNECT_TIMEOUT_S = 10.0
WITH_WILL = "Disconnect with will message"
NO_REASON = "Unspecified error"  # what paho makes of a connection that ends without a word
STEADY_S = 10.0
WINDOW = 10  # messages on their way at most
OVERHEAD = 1024  # bytes of a message beside its topic and payload, at most


class BrokerError(LightcamError):
    """The broker cannot be reached, or does not want us."""


class WakeUp:
    """Ends a wait for the network from another thread."""

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)

    def __enter__(self) -> "WakeUp":
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()
        self._writer.close()

    def set(self) -> None:
        """End the wait, or the next one."""
        with suppress(OSError):  # it is set already, many times, or closed
            self._writer.send(b"\0")

    def wait(self, timeout_s: float) -> None:
        """Wait until it is set."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.reader, selectors.EVENT_READ)
            selector.select(timeout_s)
        self.clear()

    def clear(self) -> None:
        """Let the next wait take its time."""
        with suppress(BlockingIOError):
            self.reader.recv(4096)


class Connection:
    """A connection that one thread drives, and that is made anew after a loss.

    Nothing is kept for a next one: what was not acknowledged is the caller's
    to send again.

    Args:
        settings: which broker, and as whom.
        will: topic on which the broker says `offline`, retained, should we vanish.
        wake_up: ends a wait in `turn`.

    Raises:
        BrokerError: if the broker cannot be reached or refuses, in a line that says why.
    """

    def __init__(self, settings: MqttSettings, will: str, wake_up: WakeUp) -> None:
        self.acknowledged: list[int] = []
        self.refused: list[tuple[int, str]] = []
        self.received: list[paho.MQTTMessage] = []
        self.window = WINDOW
        self._settings = settings
        self._wake_up = wake_up
        self._welcome: ReasonCode | None = None
        self._largest = 0
        self._end: ReasonCode | None = None
        self._opened_at = time.monotonic()
        self._client = self._made(will)
        self._open()

    @property
    def lasted(self) -> bool:
        """Whether it has held for so long that there is nothing wrong with it."""
        return time.monotonic() - self._opened_at > STEADY_S

    def publish(self, topic: str, payload: bytes, retain: bool = False, expiry_s: int | None = None) -> int:
        """Send a message that the broker acknowledges.

        Args:
            topic: where.
            payload: what.
            retain: let later subscribers have it too.
            expiry_s: after how many seconds it is worth nothing; None for never.

        Returns:
            What stands for it in `acknowledged` or `refused`.
        """
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        return self._client.publish(topic, payload, 1, retain, properties).mid

    def subscribe(self, topic: str, retained: bool) -> None:
        """Ask for the messages of a topic; with `retained`, the one that the broker keeps comes first."""
        handling = (
            SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE if retained else SubscribeOptions.RETAIN_DO_NOT_SEND
        )
        options = SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True, retainHandling=handling)
        self._client.subscribe(topic, options=options)

    def fits(self, topic: str, payload: bytes) -> bool:
        """Whether the broker takes messages of this size."""
        return not self._largest or len(payload) + len(topic) + OVERHEAD <= self._largest

    def turn(self, timeout_s: float) -> None:
        """Wait for the network or a wake-up, then send and receive what can be.

        Args:
            timeout_s: how long to wait, in seconds.

        Raises:
            BrokerError: if the connection is gone.
        """
        try:
            self._exchange(timeout_s)
        except Exception as error:  # paho raises whatever reading nonsense leads to
            raise BrokerError(
                f"{self._settings.address} does not speak MQTT: {type(error).__name__}"
            ) from error
        if self._end is not None or self._client.socket() is None:
            raise BrokerError(f"{self._settings.address} {self._why_ended()}")

    def close(self, timeout_s: float, with_will: bool = False) -> None:
        """Part from the broker.

        Args:
            timeout_s: how long the parting may take, in seconds.
            with_will: let it say `offline` for us.
        """
        reason = ReasonCode(PacketTypes.DISCONNECT, WITH_WILL) if with_will else None
        self._client.disconnect(reason)
        until = time.monotonic() + timeout_s
        while self._client.want_write() and self._client.socket() and (left := until - time.monotonic()) > 0:
            self._exchange(left)

    def _made(self, will: str) -> paho.Client:
        settings = self._settings
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=settings.client_id, protocol=paho.MQTTv5)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.will_set(will, b"offline", qos=1, retain=True)
        if settings.credentials:
            client.username_pw_set(settings.credentials.username, settings.credentials.password)
        if settings.tls:
            client.tls_set_context(settings.tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = lambda _client, _data, message: self.received.append(message)
        return client

    def _open(self) -> None:
        settings = self._settings
        try:
            self._client.connect(settings.host, settings.port, settings.keepalive_s, clean_start=True)
        except (OSError, UnicodeError) as error:  # the latter from names that no host can have
            raise BrokerError(f"cannot reach {settings.address}: {_network_reason(error)}") from error
        try:
            self._await_welcome()
        except BrokerError:
            self.close(0)
            raise

    def _await_welcome(self) -> None:
        address = self._settings.address
        until = time.monotonic() + CONNECT_TIMEOUT_S
        while self._welcome is None:
            if time.monotonic() > until:
                raise BrokerError(f"{address} does not answer as an MQTT broker does")
            self.turn(until - time.monotonic())
        if self._welcome.is_failure:
            raise BrokerError(f"{address} {self._why_refused(self._welcome)}")

    def _exchange(self, timeout_s: float) -> None:
        client = self._client
        connection = client.socket()
        if connection is None:
            return
        interest = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.want_write() else 0)
        with selectors.DefaultSelector() as selector:
            selector.register(connection, interest)
            selector.register(self._wake_up.reader, selectors.EVENT_READ)
            ready = {key.fileobj: events for key, events in selector.select(timeout_s)}
        if self._wake_up.reader in ready:
            self._wake_up.clear()
        if ready.get(connection, 0) & selectors.EVENT_READ:
            client.loop_read()
            while (inside := client.socket()) and _has_decrypted(inside):
                client.loop_read()
        if client.want_write():
            client.loop_write()
        client.loop_misc()

    def _on_connect(
        self,
        client: paho.Client,
        data: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._welcome = reason
        self._opened_at = time.monotonic()
        self.window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))
        self._largest = getattr(properties, "MaximumPacketSize", 0)

    def _on_disconnect(
        self,
        client: paho.Client,
        data: object,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._end = self._end or reason  # what the broker says comes before what the network says

    def _on_publish(
        self, client: paho.Client, data: object, mid: int, reason: ReasonCode, properties: Properties
    ) -> None:
        if reason.is_failure:
            self.refused.append((mid, str(reason)))
        else:
            self.acknowledged.append(mid)

    def _why_refused(self, reason: ReasonCode) -> str:
        if reason.getName() not in ("Bad user name or password", "Not authorized"):
            return f"refuses the connection: {reason}"
        if self._settings.credentials is None:
            return f"asks for a user name and password: set {USERNAME} and {PASSWORD}, or give a file"
        return "refuses the user name or the password"

    def _why_ended(self) -> str:
        if self._welcome is not None and self._welcome.is_failure:
            return self._why_refused(self._welcome)
        reason = self._end.getName() if self._end else NO_REASON
        if reason == "Session taken over":
            return f"has another client with the id {self._settings.client_id!r}: give this one its own"
        if reason != NO_REASON:
            return f"closed the connection: {reason}"
        if self.lasted:
            return "closed the connection"
        return f"closed it at once: perhaps another client has the id {self._settings.client_id!r}"


def _has_decrypted(connection: object) -> bool:
    return isinstance(connection, ssl.SSLSocket) and connection.pending() > 0


def _network_reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS does not work: {error.reason or error}"
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, UnicodeError):
        return "no host has such a name"
    return error.strerror or str(error)
