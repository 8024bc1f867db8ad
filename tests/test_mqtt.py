import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mosquitto import Broker, Listener
from stream_messages import CAMERA, event, result, track, wait_until, warnings

from lightcam_edge.errors import UsageError
from lightcam_edge.streaming.event_queue import QueueSettings
from lightcam_edge.streaming.messages import CameraStatus, State
from lightcam_edge.streaming.mqtt import MqttSettings, MqttSink
from lightcam_edge.streaming.mqtt_state import FRAME_RATE_INTERVAL_S
from lightcam_edge.streaming.mqtt_topics import Topics, check_cameras, check_prefix, topic_name

PREFIX = "home/board"
EVENTS = f"{PREFIX}/{CAMERA}/events"
STATE = f"{PREFIX}/{CAMERA}/state"
SNAPSHOT = f"{PREFIX}/{CAMERA}/snapshot"
CAMERA_AVAILABILITY = f"{PREFIX}/{CAMERA}/availability"
AVAILABILITY = f"{PREFIX}/availability"
BIRTH = "homeassistant/status"

Start = Callable[..., MqttSink]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Broker(folder)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    listener = Listener(broker.port)
    yield listener
    listener.close()


@pytest.fixture
def start(broker: Broker, tmp_path: Path) -> Iterator[Start]:
    """Start sinks, and close them at the end."""
    sinks: list[MqttSink] = []

    def start(
        *cameras: str, url: str = broker.url, environment: dict[str, str] | None = None, **options: Any
    ) -> MqttSink:
        settings = MqttSettings.parse(url, PREFIX, environment=environment or {}, **options)
        settings = replace(settings, retry_s=(0.1, 0.2))
        sink = MqttSink(settings, cameras or (CAMERA,), "lite", QueueSettings(tmp_path / "queue"))
        sinks.append(sink)
        return sink

    yield start
    for sink in sinks:
        sink.close()


def status(state: State) -> CameraStatus:
    return CameraStatus(CAMERA, state, "" if state == "live" else "unplugged", time.time())


def distinct(records: list[dict[str, Any]]) -> list[str]:
    """Ids in the order of their arrival, as a receiver sees them that drops doubles by their sequence."""
    ids, last = [], 0
    for record in records:
        if record["sequence"] > last:
            last = record["sequence"]
            ids.append(record["id"])
    return ids


def test_events_arrive_once_and_in_order(start: Start, listener: Listener) -> None:
    sink = start()
    for number in range(200):
        sink.event(event(number))
    wait_until(lambda: len(listener.payloads(EVENTS)) >= 200)

    records = listener.records(EVENTS)
    assert [record["id"] for record in records] == [f"run-{number}" for number in range(200)]
    assert distinct(records) == [record["id"] for record in records]
    assert {message.qos for message in listener.messages if message.topic == EVENTS} == {1}


def test_an_event_expires_for_who_does_not_fetch_it(start: Start, listener: Listener) -> None:
    start(expiry_s=3600).event(event(0))
    wait_until(lambda: listener.payloads(EVENTS))

    (properties,) = [message.properties for message in listener.messages if message.topic == EVENTS]
    assert 3500 < properties.MessageExpiryInterval <= 3600


def test_presence_and_label_of_the_picture_are_retained(start: Start, broker: Broker) -> None:
    sink = start()
    sink.result(result(track(score=0.934), track(2, "dog", 0.5)))
    sink.event(event(0, snapshot=b"\xff\xd8a picture"))
    wait_until(lambda: not sink._queue.oldest(0, 1))
    late = Listener(broker.port)
    wait_until(lambda: {STATE, SNAPSHOT} <= {message.topic for message in list(late.messages)})

    assert json.loads(late.last(STATE) or "") == {
        "presence": "ON",
        "label": "bird",
        "score": 0.93,
        "count": 2,
    }
    pictures = [message.payload for message in late.messages if message.topic == SNAPSHOT]
    assert pictures == [b"\xff\xd8a picture"]
    sink.result(result())
    wait_until(lambda: '"OFF"' in (late.last(STATE) or ""))
    assert json.loads(late.last(STATE) or "") == {"presence": "OFF", "label": None, "score": None, "count": 0}
    late.close()


def test_availability_follows_the_camera_and_the_program(start: Start, listener: Listener) -> None:
    sink = start()
    for state, said in (("live", "online"), ("lost", "offline"), ("live", "online")):
        sink.status(status(state))
        wait_until(lambda said=said: listener.last(CAMERA_AVAILABILITY) == said)
    assert listener.last(AVAILABILITY) == "online"
    diagnostics = f"{PREFIX}/{CAMERA}/diagnostics"  # comes after the availability
    wait_until(lambda: json.loads(listener.last(diagnostics) or "{}").get("state") == "live")

    sink.close()
    wait_until(lambda: listener.last(CAMERA_AVAILABILITY) == "offline")
    wait_until(lambda: listener.last(AVAILABILITY) == "offline")


def test_the_frame_rate_is_told_soon_after_a_camera_has_come(start: Start, listener: Listener) -> None:
    sink = start()
    sink.status(status("live"))
    began = time.monotonic()

    def told() -> float:
        sink.result(result())
        last = json.loads(listener.last(f"{PREFIX}/{CAMERA}/diagnostics") or "{}")
        return float(last.get("process_fps", 0))

    wait_until(told)
    assert time.monotonic() - began < FRAME_RATE_INTERVAL_S / 2


def test_the_last_will_says_offline_when_the_process_is_killed(
    broker: Broker, listener: Listener, tmp_path: Path
) -> None:
    script = """
        import sys, time
        from pathlib import Path
        from lightcam_edge.streaming.event_queue import QueueSettings
        from lightcam_edge.streaming.mqtt import MqttSettings, MqttSink
        settings = MqttSettings.parse(sys.argv[1], sys.argv[2])
        sink = MqttSink(settings, ["porch"], "lite", QueueSettings(Path(sys.argv[3])))
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), broker.url, PREFIX, str(tmp_path / "queue")]
    with subprocess.Popen(command) as process:
        wait_until(lambda: listener.last(AVAILABILITY) == "online")
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: listener.last(AVAILABILITY) == "offline")

    late = Listener(broker.port)
    wait_until(lambda: late.last(AVAILABILITY) == "offline")
    late.close()


def test_events_wait_for_a_broker_that_is_not_there_at_the_start(
    start: Start, broker: Broker, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    broker.stop()
    sink = start()
    for number in range(20):
        sink.event(event(number))
    wait_until(lambda: sink._queue.stored == 20)
    broker.start()
    wait_until(lambda: len(distinct(listener.records(EVENTS))) == 20)

    assert distinct(listener.records(EVENTS)) == [f"run-{number}" for number in range(20)]
    assert warnings(caplog) == [
        f"cannot reach {broker.url}: Connection refused; events wait until it works",
        f"{broker.url} is back; 20 events waited for it",
    ]


def test_no_event_is_lost_when_the_broker_is_killed_and_comes_back(
    start: Start, broker: Broker, listener: Listener
) -> None:
    sink = start()
    sink.status(status("live"))
    for number in range(10):
        sink.event(event(number))
    wait_until(lambda: len(listener.records(EVENTS)) == 10)
    broker.remember()
    broker.stop(signal.SIGKILL)
    for number in range(10, 40):
        sink.event(event(number))
    broker.start()
    sink.event(event(40))
    wait_until(lambda: len(distinct(listener.records(EVENTS))) == 41)

    assert distinct(listener.records(EVENTS)) == [f"run-{number}" for number in range(41)]
    wait_until(lambda: listener.last(CAMERA_AVAILABILITY) == "online")


def test_a_wrong_password_is_told_in_one_line_and_events_wait(
    start: Start, broker: Broker, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    broker.stop()
    passwords = broker.folder / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(passwords), "ann", "right"], check=True)
    broker.start("allow_anonymous false", f"password_file {passwords}")
    environment = {"LIGHTCAM_MQTT_USERNAME": "ann", "LIGHTCAM_MQTT_PASSWORD": "not-right"}
    sink = start(environment=environment)
    sink.event(event(0))
    wait_until(lambda: sink._queue.stored)
    sink.close()

    told = warnings(caplog)
    assert told == [f"{broker.url} refuses the user name or the password; events wait until it works"]
    caplog.clear()
    assert "not-right" not in repr(sink._settings)

    nobody = start()
    wait_until(lambda: warnings(caplog))
    nobody.close()
    assert warnings(caplog)[0].startswith(f"{broker.url} asks for a user name and password: set LIGHTCAM_")

    credentials = broker.folder / "credentials"
    credentials.write_text("ann\nright\n")
    sink = start(credentials_file=credentials)
    wait_until(lambda: not sink._queue.oldest(0, 1))


def test_what_a_broker_refuses_to_keep_does_not_hold_up_events(
    start: Start, broker: Broker, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    broker.stop()
    rights = broker.folder / "rights"
    rights.write_text(f"topic readwrite {PREFIX}/#\n")
    broker.start("allow_anonymous true", f"acl_file {rights}")
    start().event(event(0))
    wait_until(lambda: warnings(caplog))

    (told,) = warnings(caplog)
    assert told.startswith("the broker refuses what belongs on homeassistant/device/")
    assert told.endswith(": Not authorized")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, and the certificates of a server and a client that it signed."""
    folder = tmp_path_factory.mktemp("authority")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority")
    for name in ("server", "client"):
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1")
        openssl(
            "req",
            "-x509",
            *key,
            *signed,
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.pem",
            "-subj",
            f"/CN={name}",
        )
    return folder


@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
def test_tls_trusts_the_given_authority_only_and_shows_a_certificate(
    start: Start, broker: Broker, listener: Listener, authority: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker.stop()
    broker.start(
        "allow_anonymous true",
        f"cafile {authority}/ca.pem",
        f"certfile {authority}/server.pem",
        f"keyfile {authority}/server.key",
        "require_certificate true",
    )
    url = broker.url.replace("mqtt:", "mqtts:")
    distrustful = start(url=url)
    wait_until(lambda: warnings(caplog))
    distrustful.close()
    (told,) = warnings(caplog)
    assert told.startswith(f"cannot reach {url}: its certificate is not trusted: ")

    sink = start(
        url=url,
        ca_file=authority / "ca.pem",
        certificate_file=authority / "client.pem",
        key_file=authority / "client.key",
    )
    sink.event(event(0))
    wait_until(lambda: not sink._queue.oldest(0, 1))


def test_home_assistant_finds_a_device_for_each_camera(start: Start, listener: Listener) -> None:
    start(CAMERA, "Hof Süd")
    wait_until(lambda: len(discoveries(listener)) == 2)

    config = discoveries(listener)[CAMERA]
    device, origin = config["device"], config["origin"]
    assert device["name"] == "LightCAM porch"
    assert origin["name"] == "lightcam-edge"
    assert [one["topic"] for one in config["availability"]] == [AVAILABILITY, CAMERA_AVAILABILITY]
    assert {name: one["platform"] for name, one in config["components"].items()} == {
        "presence": "binary_sensor",
        "label": "sensor",
        "score": "sensor",
        "snapshot": "image",
        "frame_rate": "sensor",
    }
    unique = [
        one["unique_id"] for found in discoveries(listener).values() for one in found["components"].values()
    ]
    assert len(set(unique)) == 10
    assert all(identifier.startswith(device["identifiers"][0]) for identifier in unique[:5])
    assert (
        discoveries(listener)["Hof_Sud"]["components"]["snapshot"]["image_topic"]
        == f"{PREFIX}/Hof_Sud/snapshot"
    )
    assert all(message.retain for message in listener.messages if message.topic.endswith("/config"))


# Home Assistant's birth topic does not follow its discovery prefix, unless it is changed too.
@pytest.mark.parametrize(
    ("prefix", "birth"),
    [("homeassistant", BIRTH), ("house", BIRTH), ("house", "house/status")],
)
def test_home_assistant_is_told_again_when_it_is_born(
    start: Start, listener: Listener, prefix: str, birth: str
) -> None:
    sink = start(discovery_prefix=prefix)
    sink.status(status("live"))
    diagnostics = f"{PREFIX}/{CAMERA}/diagnostics"  # comes last
    wait_until(lambda: '"live"' in (listener.last(diagnostics) or "") and discoveries(listener, prefix))
    listener.messages.clear()
    listener.say(birth, "offline")
    listener.say(birth, "online")
    wait_until(lambda: len(listener.messages) >= 7)

    topics = [message.topic for message in listener.messages if message.topic != birth]
    assert topics[0] == AVAILABILITY
    assert len(topics) == len(set(topics)) == 5


def test_a_camera_that_is_gone_vanishes_from_home_assistant(start: Start, listener: Listener) -> None:
    both = start(CAMERA, "garden")
    wait_until(lambda: set(discoveries(listener)) == {CAMERA, "garden"})
    both.close()
    wait_until(lambda: listener.last(AVAILABILITY) == "offline")
    listener.messages.clear()
    start(CAMERA)
    wait_until(lambda: listener.payloads(f"{PREFIX}/garden/state"))

    assert set(discoveries(listener)) == {CAMERA}
    assert listener.last(f"{PREFIX}/garden/availability") == ""
    assert listener.last(f"{PREFIX}/garden/state") == ""


def test_home_assistant_may_be_left_alone(start: Start, listener: Listener) -> None:
    start(discovery_prefix=None).event(event(0))
    wait_until(lambda: listener.payloads(EVENTS))

    assert not [message.topic for message in listener.messages if message.topic.startswith("homeassistant")]


def discoveries(listener: Listener, prefix: str = "homeassistant") -> dict[str, dict[str, Any]]:
    """The devices that Home Assistant would know now, by the topic name of their camera."""
    found = {}
    for message in list(listener.messages):
        if message.topic.startswith(f"{prefix}/device/"):
            found[message.topic.split("/")[3]] = json.loads(message.payload or b"null")
    return {name: config for name, config in found.items() if config}


def test_another_client_with_the_same_id_is_told_of(
    start: Start, broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    start(client_id="mine")
    settings = MqttSettings.parse(broker.url, "home/other", client_id="mine", environment={})
    rival = MqttSink(settings, [CAMERA], "lite", QueueSettings(None))
    wait_until(lambda: warnings(caplog))
    rival.close()

    assert "another client" in warnings(caplog)[0]
    assert "'mine'" in warnings(caplog)[0]


def test_a_broker_that_says_nothing_does_not_hold_up_the_end(
    start: Start, broker: Broker, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sink = start(url=f"mqtt://127.0.0.1:{silent.getsockname()[1]}")
        peer, _ = silent.accept()
        sink.event(event(0))
        closing = threading.Thread(target=sink.close)
        began = time.monotonic()
        closing.start()
        closing.join(20)
        assert time.monotonic() - began < 5  # promised is one second; the machine may be busy
        peer.close()

    (file,) = (tmp_path / "queue").glob("mqtt-*.sqlite3")
    assert b"run-0" in file.read_bytes() + b"".join(log.read_bytes() for log in file.parent.glob("*-wal"))


@pytest.mark.parametrize(
    "nonsense", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x02\x00\x01", b"\x20\xff\xff\xff\xff"]
)
def test_what_is_no_broker_is_told_and_tried_again(
    start: Start, caplog: pytest.LogCaptureFixture, nonsense: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"mqtt://127.0.0.1:{server.getsockname()[1]}"
        start(url=url)
        for _ in range(2):
            peer, _ = server.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(nonsense)
        wait_until(lambda: warnings(caplog))

    assert warnings(caplog)[0].startswith(url)


def test_a_name_that_no_host_can_have_is_told(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    start(url="mqtt://a..b")
    wait_until(lambda: warnings(caplog))

    assert warnings(caplog)[0].startswith("cannot reach mqtt://a..b:1883: ")


def test_nothing_is_told_thirty_times_a_second(start: Start, listener: Listener) -> None:
    sink = start()
    wait_until(lambda: listener.payloads(STATE))
    for number in range(300):
        sink.result(result(track(score=0.5 + number / 1000)))
    sink.result(result())
    wait_until(lambda: '"OFF"' in (listener.payloads(STATE)[1:] or [""])[-1])

    assert len(listener.payloads(STATE)) <= 3


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("broker", "must begin with mqtt:// or mqtts:// and name a host, as mqtt://HOST:PORT"),
        ("http://broker", "must begin with mqtt:// or mqtts://"),
        ("mqtt://broker:port", "makes no sense: write mqtt://HOST:PORT"),
        ("mqtt://broker/home", "ends with its port: give topics a prefix instead"),
        (
            "mqtt://ann:s3cret@broker",
            "holds a user name or password, which others can see: set LIGHTCAM_MQTT_USERNAME",
        ),
        ("mqtt://ann:s3/cret@broker", "makes no sense"),
    ],
)
def test_a_bad_address_is_refused_without_repeating_it(url: str, message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        MqttSettings.parse(url, environment={})
    assert message in str(refusal.value)
    assert "s3" not in str(refusal.value)


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    for options, message in [
        ({"prefix": "home/#"}, "the topic prefix 'home/#' does not do"),
        ({"ca_file": empty}, "let the address of the MQTT broker begin with mqtts://"),
        ({"expiry_s": 0}, "cannot expire after 0 s"),
        ({"credentials_file": empty}, "is empty"),
        ({"credentials_file": tmp_path / "none"}, "No such file"),
        ({"environment": {"LIGHTCAM_MQTT_PASSWORD": "x"}}, "LIGHTCAM_MQTT_USERNAME is not: set both"),
    ]:
        with pytest.raises(UsageError, match=message):
            MqttSettings.parse("mqtt://broker", **({"environment": {}} | options))
    for files, message in [
        ({"ca_file": tmp_path / "none"}, "there is no file"),
        ({"ca_file": empty}, "no PEM certificates"),
        ({"key_file": empty}, "a key without a certificate"),
    ]:
        with pytest.raises(UsageError, match=message):
            MqttSettings.parse("mqtts://broker", environment={}, **files)


def test_a_board_stays_who_it_is() -> None:
    first, again = (MqttSettings.parse("mqtt://[::1]", environment={}) for _ in range(2))

    assert first == again
    assert first.address == "mqtt://[::1]:1883"
    assert first.client_id != MqttSettings.parse("mqtt://[::1]", "other", environment={}).client_id


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("porch", "porch"),
        ("Hof Süd/2", "Hof_Sud_2"),
        ("a+b#c", "a_b_c"),
        ("日本", "unnamed"),
        ("$SYS", "SYS"),
    ],
)
def test_a_camera_s_name_is_one_level_of_a_topic(name: str, level: str) -> None:
    assert Topics("home").camera(name).events == f"home/{level}/events"
    assert topic_name(level) == level


def test_cameras_that_would_share_topics_are_refused() -> None:
    check_cameras(["a", "b"])
    with pytest.raises(UsageError, match="the cameras 'a b' and 'a_b' would share their topics"):
        check_cameras(["a b", "a_b"])


@pytest.mark.parametrize("prefix", ["", "/", "a//b", "/a", "a/+/b", "$SYS/a", "a\nb", "x" * 300])
def test_a_prefix_that_is_unfit_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError, match="does not do"):
        check_prefix(prefix, "the topic prefix")


def test_without_paho_mqtt_the_extra_is_named(tmp_path: Path) -> None:
    script = """
        import sys
        sys.modules["paho"] = None
        from lightcam_edge.streaming.mqtt import MqttSettings, MqttSink
        try:
            MqttSink(MqttSettings.parse("mqtt://broker"), ["porch"], "lite")
        except Exception as error:
            print(type(error).__name__, error)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    environment = os.environ | {"STATE_DIRECTORY": str(tmp_path)}
    told = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    assert told == "RuntimeMissingError paho-mqtt is not installed: pip install 'lightcam-edge[stream]'\n"
