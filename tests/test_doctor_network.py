"""What a configuration names is really reached for: a broker, cameras and receivers on loopback."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mosquitto import Broker
from patients import CALL, PYTHON
from streaming_servers import free_port, mjpeg_server, need_rtsp_server, rtsp_server

from lightcam_edge.doctor.finding import Finding
from lightcam_edge.doctor.network import check_network


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    yield broker
    broker.stop()


def reached(folder: Path, text: str) -> dict[str, Finding]:
    path = folder / "stream.toml"
    path.write_text(text)
    return {finding.check: finding for finding in check_network(path, PYTHON)}


def test_a_broker_that_lets_us_in_is_fine(broker: Broker, tmp_path: Path) -> None:
    broker.start()

    found = reached(tmp_path, f'mqtt = "{broker.url}"\n')

    assert {name: finding.level for name, finding in found.items()} == {"config": "ok", "mqtt": "ok"}
    assert found["mqtt"].message == f"{broker.url} lets us in"


def test_a_broker_that_wants_a_password_says_how_to_give_it(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIGHTCAM_MQTT_USERNAME", raising=False)
    (tmp_path / "users").write_text("")
    broker.start("allow_anonymous false", f"password_file {tmp_path / 'users'}")

    mqtt = reached(tmp_path, f'mqtt = "{broker.url}"\n')["mqtt"]

    assert mqtt.level == "fail"
    assert "user name and password" in mqtt.message + mqtt.fix
    assert "LIGHTCAM_MQTT_PASSWORD" in mqtt.message + mqtt.fix


def test_a_broker_and_a_receiver_that_are_away_fail(tmp_path: Path) -> None:
    port = free_port()
    found = reached(
        tmp_path, f'mqtt = "mqtt://127.0.0.1:{port}"\nwebhook = "http://127.0.0.1:{port}/x?key=1"\n'
    )

    assert found["mqtt"].message == f"cannot reach mqtt://127.0.0.1:{port}: Connection refused"
    assert found["mqtt"].fix.endswith(f"nc -vz 127.0.0.1 {port}")
    assert found["webhook"].message == f"cannot reach http://127.0.0.1:{port}: Connection refused"


def test_cameras_on_the_network_give_a_picture_or_say_why_not(tmp_path: Path) -> None:
    with mjpeg_server() as server:
        login = server.url.replace("http://", "http://me:secret@")
        cameras = f'[cameras.door]\nsource = "{server.url}"\n[cameras.gone]\nsource = "{login}"\n'
        cameras += '[cameras.desk]\nsource = "0"\n'
        fine = reached(tmp_path, cameras)
        server.login = ("me", "other")
        refused = reached(tmp_path, cameras)

    assert fine["camera door"].message.endswith("gives pictures of 160x120")
    assert "camera desk" not in fine
    assert refused["camera gone"].level == "fail"
    assert "secret" not in json.dumps([(one.message, one.fix) for one in refused.values()])


def test_an_rtsp_server_is_asked_for_a_picture(tmp_path: Path) -> None:
    need_rtsp_server()
    with rtsp_server() as server:
        fine = reached(tmp_path, f'[cameras.yard]\nsource = "{server.url}"\n')
        wrong = reached(tmp_path, f'[cameras.yard]\nsource = "{server.url}/nowhere"\n')

    assert "gives pictures of" in fine["camera yard"].message
    assert wrong["camera yard"].level == "fail"
    assert "check the path" in wrong["camera yard"].message + wrong["camera yard"].fix


def test_a_webhooks_receiver_is_reached_without_being_sent_anything(tmp_path: Path) -> None:
    with mjpeg_server() as server:
        found = reached(tmp_path, f'webhook = "{server.url}"\n')
        assert server.requests == 0

    assert found["webhook"].message == f"http://127.0.0.1:{server.port} can be reached"


def test_a_configuration_with_a_mistake_fails_at_its_line(tmp_path: Path) -> None:
    config = reached(tmp_path, 'model = "lite"\nmqt = "mqtt://host"\n')["config"]

    assert config.message == f"{tmp_path}/stream.toml:2: mqt: is no setting: did you mean mqtt?"
    assert config.fix == f"lightcam-edge stream --config {tmp_path}/stream.toml --check-config"


def test_a_configuration_is_not_read_where_numpy_does_not_load(tmp_path: Path) -> None:
    (found,) = check_network(tmp_path / "stream.toml", replace(PYTHON, packages={}))

    assert (found.level, found.check) == ("info", "config")


def test_the_command_reaches_for_a_configurations_addresses(tmp_path: Path) -> None:
    path = tmp_path / "stream.toml"
    path.write_text(f'webhook = "http://127.0.0.1:{free_port()}/"\n')

    done = subprocess.run([*CALL, "--config", str(path)], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "\nnetwork\n  ok    " in done.stdout
    assert "  fail  cannot reach http://127.0.0.1" in done.stdout


def test_without_a_configuration_nothing_is_reached_for() -> None:
    done = subprocess.run([*CALL, "--json"], capture_output=True, text=True, check=False)

    assert "network" not in {finding["area"] for finding in json.loads(done.stdout)["findings"]}
