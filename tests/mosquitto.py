"""A real Mosquitto for the tests, and a client that notes what it hears."""

import json
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions
from stream_messages import PATIENCE_S, wait_until
from streaming_servers import free_port

PROGRAM = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


class Broker:
    """Mosquitto on a port of its own, which it keeps when it is started again."""

    def __init__(self, folder: Path) -> None:
        if PROGRAM is None:
            pytest.skip("there is no mosquitto: sudo apt install mosquitto")
        self.port = free_port()
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self, *lines: str) -> None:
        """Start it with these lines of configuration; without any, all may do everything."""
        config = self.folder / "mosquitto.conf"
        common = [
            f"listener {self.port} 127.0.0.1",
            "user root",  # else it may not read the folder where the tests run as root
            "persistence true",
            f"persistence_location {self.folder}/",
        ]
        config.write_text("\n".join([*common, *(lines or ["allow_anonymous true"])]) + "\n")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([str(PROGRAM), "-c", str(config)], stderr=log)
        wait_until(self._listens)

    def remember(self) -> None:
        """Have it write sessions and retained messages, so that a kill does not take them."""
        assert self._process is not None
        database = self.folder / "mosquitto.db"
        database.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        wait_until(lambda: database.exists() and database.stat().st_size)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE_S)
            self._process = None

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


class Listener:
    """Hears all topics; the broker keeps for it what comes while either is away."""

    def __init__(self, port: int) -> None:
        self.messages: list[paho.MQTTMessage] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, "listener", protocol=paho.MQTTv5)
        self.client.on_message = lambda _client, _data, message: self.messages.append(message)
        self.client.reconnect_delay_set(1, 1)
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600
        subscribed: list[int] = []
        self.client.on_subscribe = lambda *_: subscribed.append(1)
        self.client.connect("127.0.0.1", port, clean_start=False, properties=session)
        self.client.subscribe("#", options=SubscribeOptions(qos=1, retainAsPublished=True))
        self.client.loop_start()
        wait_until(lambda: subscribed)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def say(self, topic: str, payload: str, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE_S)

    def payloads(self, topic: str) -> list[str]:
        return [message.payload.decode() for message in list(self.messages) if message.topic == topic]

    def records(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.payloads(topic)]

    def last(self, topic: str) -> str | None:
        return (self.payloads(topic) or [None])[-1]
