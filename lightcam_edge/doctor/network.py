"""Whether the cameras, the broker and the receiver that a configuration names can be reached."""

import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lightcam_edge.doctor.finding import Finding
from lightcam_edge.doctor.models import NEEDED
from lightcam_edge.doctor.python import Python
from lightcam_edge.errors import LightcamError, UsageError

if TYPE_CHECKING:
    from lightcam_edge.streaming.config import Config
    from lightcam_edge.streaming.mqtt_settings import MqttSettings
    from lightcam_edge.streaming.webhook_settings import WebhookSettings

TIMEOUT_S = 5.0
PARTING_S = 1.0
NETWORK_KINDS = ("rtsp", "mjpeg")
MQTT_FILES = ("mqtt-credentials-file", "mqtt-ca-file", "mqtt-certificate-file", "mqtt-key-file")


def check_network(path: Path, python: Python) -> Iterator[Finding]:
    """Reach for everything on the network that a configuration of `lightcam-edge stream` names.

    Args:
        path: of the TOML file.
        python: tells whether what reads it can be imported.
    """
    if missing := [name for name in NEEDED if not python.loads(name)]:
        message = f"{path} is not read, because {' and '.join(missing)} must load for it"
        yield Finding("network", "config", "info", message)
        return
    try:
        config = _read(path)
        broker, webhook = _broker(config.options), _webhook(config.options)
    except LightcamError as error:
        fix = f"lightcam-edge stream --config {path} --check-config"
        yield Finding("network", "config", "fail", str(error), fix)
        return
    yield Finding("network", "config", "ok", f"{path} makes sense")
    for name, section in config.cameras.items():
        yield from check_camera(name, str(section.get("source") or section["source-file"]))
    if broker is not None:
        yield check_broker(broker)
    if webhook is not None:
        yield check_webhook(webhook)


def _read(path: Path) -> "Config":
    from lightcam_edge.commands.stream_options import OF_CAMERA, OF_STREAM, by_key, checks
    from lightcam_edge.streaming.config import SOURCES, read_config

    of_camera = by_key(OF_CAMERA)
    return read_config(path, checks(of_camera | by_key(OF_STREAM)), (*of_camera, *SOURCES))


def _broker(options: Mapping[str, Any]) -> "MqttSettings | None":
    if not options.get("mqtt"):
        return None
    from lightcam_edge.streaming.mqtt_settings import MqttSettings

    prefix, client_id = options.get("mqtt-prefix"), options.get("mqtt-client-id")
    credentials, ca, certificate, key = map(options.get, MQTT_FILES)
    return MqttSettings.parse(options["mqtt"], prefix, client_id, credentials, ca, certificate, key)


def _webhook(options: Mapping[str, Any]) -> "WebhookSettings | None":
    if not options.get("webhook"):
        return None
    from lightcam_edge.streaming.webhook_settings import WebhookSettings

    secret, ca = options.get("webhook-secret-file"), options.get("webhook-ca-file")
    return WebhookSettings.parse(options["webhook"], secret, ca)


def check_camera(name: str, source: str) -> Iterator[Finding]:
    """Take one picture of a camera, if it is on the network.

    Args:
        name: of the camera.
        source: what `lightcam-edge stream` would be given.
    """
    from lightcam_edge.streaming.sources.grammar import CaptureOptions, parse_source
    from lightcam_edge.streaming.sources.opening import make_camera
    from lightcam_edge.streaming.sources.patience import Patience

    check = f"camera {name}"
    try:
        spec = parse_source(source)
        if spec.kind not in NETWORK_KINDS:
            return
        camera = make_camera(spec, CaptureOptions(), Patience(TIMEOUT_S, TIMEOUT_S))
        try:
            camera.open()
            picture = camera.read()
        finally:
            camera.close()
    except LightcamError as error:
        yield _failed(check, error, "see that the camera is on, and its address right: ping its host")
        return
    if picture is None:
        fix = "see that something is sent to it"
        yield Finding("network", check, "fail", f"{spec} is over before its first picture", fix)
        return
    height, width = picture.photo.pixels.shape[:2]
    facts = {"width": width, "height": height}
    yield Finding("network", check, "ok", f"{spec} gives pictures of {width}x{height}", facts=facts)


def check_broker(settings: "MqttSettings") -> Finding:
    """Connect to a broker, under a name that takes no running stream's place."""
    try:
        from lightcam_edge.streaming.mqtt_connection import Connection, WakeUp
    except ImportError:
        fix = "pip install 'lightcam-edge[stream]'"
        return Finding("network", "mqtt", "fail", f"{settings.address} needs paho-mqtt", fix)
    alone = replace(settings, client_id=f"{settings.client_id}-doctor")
    try:
        with WakeUp() as wake_up:
            Connection(alone, f"{settings.prefix}/doctor", wake_up).close(PARTING_S)
    except LightcamError as error:
        fix = f"see that the broker runs, and lets this board in: nc -vz {settings.host} {settings.port}"
        return _failed("mqtt", error, fix)
    return Finding("network", "mqtt", "ok", f"{settings.address} lets us in")


def check_webhook(settings: "WebhookSettings") -> Finding:
    """Connect to a receiver of events, and send it nothing."""
    parts = urlsplit(settings.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as plain:
            if parts.scheme == "https" and settings.tls is not None:
                settings.tls.wrap_socket(plain, server_hostname=host).close()
    except OSError as error:
        message = f"cannot reach {settings.address}: {error.strerror or error}"
        return Finding("network", "webhook", "fail", message, f"see that it runs: nc -vz {host} {port}")
    return Finding("network", "webhook", "ok", f"{settings.address} can be reached")


def _failed(check: str, error: LightcamError, fix: str) -> Finding:
    """An error whose words say what mends it, or `fix` where they do not."""
    message, colon, told = str(error).partition(": ")
    if colon and not message.startswith("cannot reach") and not isinstance(error, UsageError):
        return Finding("network", check, "fail", message, told)
    return Finding("network", check, "fail", str(error), fix)
