"""How to reach an MQTT broker, and as whom."""

import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lightcam_edge.digest import short_digest
from lightcam_edge.errors import UsageError
from lightcam_edge.streaming.credentials import Credentials, read_credentials, split_address
from lightcam_edge.streaming.mqtt_topics import check_prefix, topic_name
from lightcam_edge.streaming.tls import client_context

USERNAME, PASSWORD = "LIGHTCAM_MQTT_USERNAME", "LIGHTCAM_MQTT_PASSWORD"
PORTS = {"mqtt": 1883, "mqtts": 8883}
MACHINE_ID = Path("/etc/machine-id")
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """A broker, and how this board appears there.

    Args:
        host: name or address.
        port: TCP port.
        prefix: what all topics begin with.
        client_id: the same after every start; the broker lets one client only use it.
        device_id: what Home Assistant knows this board by; the same after every start.
        credentials: None where the broker asks for none.
        tls: verified by its context; None for a connection that others can read.
        discovery_prefix: Home Assistant's; None where nothing is announced to it.
        expiry_s: after how many seconds the broker drops an event that its subscriber did not fetch.
        keepalive_s: silence after which the connection is tested; a board without power counts as
            offline one and a half times as long afterwards.
        retry_s: first and longest wait between two attempts to connect, in seconds.
    """

    host: str
    port: int
    prefix: str
    client_id: str
    device_id: str
    credentials: Credentials | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    discovery_prefix: str | None = "homeassistant"
    expiry_s: int = DAY_S
    keepalive_s: int = 30
    retry_s: tuple[float, float] = (1.0, 60.0)

    @classmethod
    def parse(
        cls,
        url: str,
        prefix: str | None = None,
        client_id: str | None = None,
        credentials_file: Path | None = None,
        ca_file: Path | None = None,
        certificate_file: Path | None = None,
        key_file: Path | None = None,
        discovery_prefix: str | None = "homeassistant",
        expiry_s: int = DAY_S,
        environment: Mapping[str, str] = os.environ,
    ) -> "MqttSettings":
        """Read a broker's address and options.

        Args:
            url: `mqtt://HOST[:PORT]`, or `mqtts://` with TLS; without user name and password.
            prefix: see above; `lightcam-edge/HOSTNAME` where None.
            client_id: see above; made from the machine's identity and the prefix where None.
            credentials_file: user name on its first line, password on its second; where None, the variables
                LIGHTCAM_MQTT_USERNAME and LIGHTCAM_MQTT_PASSWORD are read.
            ca_file: PEM certificates of the authorities to trust instead of the system's.
            certificate_file: PEM certificate to show to the broker.
            key_file: its PEM key, where it is not in the same file.
            discovery_prefix: see above.
            expiry_s: see above.
            environment: where the variables are.

        Raises:
            UsageError: if any of them makes no sense or cannot be read.
        """
        parts = split_address(
            url, "MQTT broker", ("mqtt", "mqtts"), f"set {USERNAME} and {PASSWORD}, or give a file"
        )
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise UsageError(
                "the address of the MQTT broker ends with its port: give topics a prefix instead"
            )
        files = (ca_file, certificate_file, key_file)
        if parts.scheme == "mqtt" and any(files):
            raise UsageError(
                "certificates are for TLS: let the address of the MQTT broker begin with mqtts://"
            )
        if expiry_s < 1:
            raise UsageError(f"events cannot expire after {expiry_s} s: give 1 or more")
        prefix = check_prefix(
            prefix or f"lightcam-edge/{topic_name(socket.gethostname())}", "the topic prefix"
        )
        device_id = f"lightcam-{short_digest(_machine() + prefix)}"
        return cls(
            host=str(parts.hostname),
            port=parts.port or PORTS[parts.scheme],
            prefix=prefix,
            client_id=client_id or device_id,
            device_id=device_id,
            credentials=read_credentials(credentials_file, environment, (USERNAME, PASSWORD)),
            tls=client_context(*files) if parts.scheme == "mqtts" else None,
            discovery_prefix=discovery_prefix and check_prefix(discovery_prefix, "the discovery prefix"),
            expiry_s=expiry_s,
        )

    @property
    def address(self) -> str:
        """For messages, as `mqtt://host:1883`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    @property
    def queue_file(self) -> str:
        """Name of the file in which this broker's events wait."""
        return f"mqtt-{short_digest(f'{self.host} {self.port} {self.prefix}')}"


def _machine() -> str:
    """What stays the same on this machine; never sent as it is."""
    try:
        return MACHINE_ID.read_text(encoding="ascii").strip() or socket.gethostname()
    except OSError:
        return socket.gethostname()
