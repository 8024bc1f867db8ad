"""Have Home Assistant find cameras that come and go, and ask what it sees: home_assistant.py FOLDER HASS...

HASS... starts it with FOLDER/config. Prints a line for each check, and exits with 1 where one fails.
"""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import cv2
import numpy as np
from tornado.websocket import websocket_connect

REPOSITORY = Path(__file__).resolve().parents[2]
MADE_BY = "lightcam-edge"
PORCH, YARD = BOTH = ("porch", "back-yard")
MEASURED = {"state_class": "measurement"}
ENTITIES: dict[str, dict[str, str]] = {
    "binary_sensor.{}_presence": {"device_class": "occupancy"},
    "sensor.{}_label": {"icon": "mdi:tag-outline"},
    "sensor.{}_score": {"icon": "mdi:percent-outline", "unit_of_measurement": "%"} | MEASURED,
    "image.{}_snapshot": {},
    "sensor.{}_frame_rate": {"icon": "mdi:speedometer", "unit_of_measurement": "fps"} | MEASURED,
}
# What it says by itself when its broker goes away, and when a device is deleted by hand.
OF_ITS_OWN = "connection was lost|Disconnected from|failed to receive on|No device components to cleanup"
failures: list[str] = []


def check(what: str, holds: object, seen: object) -> None:
    print(f"{'ok    ' if holds else 'FAILED'}  {what}: {seen}", flush=True)
    if not holds:
        failures.append(what)


def wait(what: str, is_seen: Callable[[], bool], limit_s: float = 60) -> None:
    began = time.monotonic()
    while not (seen := is_seen()) and time.monotonic() < began + limit_s:
        time.sleep(0.1)
    check(what, seen, f"after {time.monotonic() - began:.1f} s")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Site:
    """A broker with access rules, network cameras, and the stream that looks at them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.started: list[subprocess.Popen[str]] = []
        self.cameras = {name: free_port() for name in BOTH}
        (folder / "access").write_text(
            "user home\ntopic readwrite #\nuser board\ntopic write lightcam-edge/#\n"
            "topic read homeassistant/status\npattern readwrite +/device/%c/#\n"
        )
        (folder / "broker").write_text(
            f"listener {self.port} 127.0.0.1\nuser root\nallow_anonymous false\n"
            f"password_file {folder}/passwords\nacl_file {folder}/access\n"
        )
        for create, user in (["-c"], "home"), ([], "board"):
            subprocess.run(["mosquitto_passwd", *create, "-b", folder / "passwords", user, user], check=True)

    def run(self, *command: str | Path, **options: Any) -> subprocess.Popen[str]:
        with (self.folder / "log").open("a") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, text=True, cwd=REPOSITORY, **options)
        self.started.append(process)
        return process

    def start_broker(self) -> subprocess.Popen[str]:
        return self.run("mosquitto", "-c", self.folder / "broker")

    def start_camera(self, name: str) -> subprocess.Popen[str]:
        """Show a bird for sixteen seconds and a landscape for eight, for ever."""
        port = str(self.cameras[name])
        return self.run(sys.executable, "benchmarks/stream_source.py", "--fps", "10", "--port", port)

    def look(self, *names: str, discovery: str = "homeassistant") -> subprocess.Popen[str]:
        """Start the stream; the cameras may have other names in it than here."""
        command = [sys.executable, "-m", "lightcam_edge", "stream", "--quiet", "--queue", self.folder]
        command += ["--mqtt", f"mqtt://127.0.0.1:{self.port}", "--mqtt-prefix", "lightcam-edge/proof"]
        command += ["--mqtt-discovery", discovery]
        for name, port in zip(names, self.cameras.values(), strict=False):
            command += ["--name", name, f"http://127.0.0.1:{port}/"]
        account = {"LIGHTCAM_MQTT_USERNAME": "board", "LIGHTCAM_MQTT_PASSWORD": "board"}
        return self.run(*command, env=os.environ | account)


class Home:
    """Home Assistant, asked over its own API."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        self.folder, self.command, self.port = folder, command, free_port()
        self.token = self.entry = ""
        (folder / "config").mkdir()
        settings = f"http:\n  server_host: 127.0.0.1\n  server_port: {self.port}\nfrontend:\nhistory:\n"
        (folder / "config" / "configuration.yaml").write_text(settings)

    def start(self) -> None:
        with (self.folder / "hass").open("a") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, start_new_session=True)
        wait("Home Assistant starts", self.answers, 900)

    def answers(self) -> bool:
        try:
            return self.call("config")["state"] == "RUNNING" if self.token else bool(self.call("onboarding"))
        except OSError:
            return False

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(120)
        wait("Home Assistant ends", self.has_ended, 120)

    def has_ended(self) -> bool:
        """Whether all that was started has ended, and not only the shell."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def call(self, path: str, body: Any = None, form: str = "") -> Any:
        """Ask an address below /api/, or another that begins with a slash."""
        data = form.encode() if form else None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        address = f"http://127.0.0.1:{self.port}{path if path.startswith('/') else f'/api/{path}'}"
        with urlopen(Request(address, data, headers), timeout=60) as answer:
            return json.load(answer)

    def ask(self, what: str, **fields: Any) -> Any:
        async def ask() -> Any:
            talk = await websocket_connect(
                f"ws://127.0.0.1:{self.port}/api/websocket", max_message_size=1 << 26
            )
            for message in {"type": "auth", "access_token": self.token}, {"id": 1, "type": what} | fields:
                await talk.read_message()
                await talk.write_message(json.dumps(message))
            return json.loads(await talk.read_message() or "null")

        answer = asyncio.run(ask())
        assert answer["success"], answer
        return answer["result"]

    def onboard(self) -> None:
        """Do all steps but core_config, which adds internet radio and a weather forecast."""
        client = f"http://127.0.0.1:{self.port}/"
        owner = {"name": "Ann", "username": "ann", "password": "a password", "language": "en"}
        code = self.call("onboarding/users", owner | {"client_id": client})["auth_code"]
        form = f"grant_type=authorization_code&code={code}&client_id={client}"
        self.token = self.call("/auth/token", form=form)["access_token"]
        self.call("onboarding/analytics", {})
        self.call("onboarding/integration", {"client_id": client, "redirect_uri": client})
        done = [step["step"] for step in self.call("onboarding") if step["done"]]
        check(f"Home Assistant {self.call('config')['version']} is set up", len(done) == 3, done)

    def fill_in(self, form: str, handler: str, **answers: Any) -> Any:
        """Fill in a form as a user does, who leaves the rest as it is."""
        asked = self.call(f"config/config_entries/{form}", {"handler": handler})
        filled = preset(asked["data_schema"]) | answers
        done = self.call(f"config/config_entries/{form}/{asked['flow_id']}", filled)
        check(f"the form {asked['step_id']}", done["type"] == "create_entry", done.get("errors") or answers)
        return done.get("result")

    def devices(self) -> dict[str, Any]:
        found = self.ask("config/device_registry/list")
        return {one["name"].removeprefix("LightCAM "): one for one in found if one["manufacturer"] == MADE_BY}

    def states(self, camera: str) -> list[Any]:
        known = {state["entity_id"]: state for state in self.call("states")}
        slug = f"lightcam_{camera}".replace("-", "_")
        return [known.get(entity.format(slug), {"state": "missing"}) for entity in ENTITIES]

    def says(self, camera: str) -> tuple[str, ...]:
        return tuple(state["state"] for state in self.states(camera))

    def lacks(self, *cameras: str) -> bool:
        return all(set(self.says(camera)) == {"unavailable"} for camera in cameras)

    def has(self, *cameras: str) -> bool:
        """Whether there are devices of these cameras and of no other, and all their entities have states."""
        here = not any({"unavailable", "missing"} & set(self.says(camera)) for camera in cameras)
        return here and self.devices().keys() == set(cameras)

    def delete(self, camera: str) -> None:
        """Delete a device by hand, and have MQTT loaded again, which is a birth."""
        where = {"device_id": self.devices()[camera]["id"], "config_entry_id": self.entry}
        self.ask("config/device_registry/remove_config_entry", **where)
        wait(f"{camera}, deleted by hand, is gone", lambda: camera not in self.devices())
        self.call(f"config/config_entries/entry/{self.entry}/reload", {})


def preset(fields: list[dict[str, Any]]) -> dict[str, Any]:
    """What stands in a form's fields already, or is shown in those that must be filled in."""
    values = {}
    for field in fields:
        value = (field.get("description") or {}).get("suggested_value", field.get("default"))
        if field.get("type") == "expandable":
            value = preset(field["schema"])
        elif value is None and field.get("required"):
            value = field.get("selector", {}).get("select", {}).get("options", [False])[0]
        values[field["name"]] = value
    return {name: value for name, value in values.items() if value is not None}


def check_entities(home: Home, camera: str) -> None:
    for expected, state in zip(ENTITIES.values(), home.states(camera), strict=True):
        told = {key: state["attributes"].get(key) for key in expected}
        check(state["attributes"]["friendly_name"], told == expected, f"{state['state']} {told}")
    device = home.devices()[camera]
    check(f"model of {camera}", device["model"] == "lite", f"{device['model']} {device['sw_version']}")
    own = [one for one in home.ask("config/entity_registry/list") if one["device_id"] == device["id"]]
    diagnostic = [one["original_name"] for one in own if one["entity_category"]]
    check("entities", len(own) == 5 and diagnostic == ["Frame rate"], f"{len(own)}, diagnostic {diagnostic}")


def check_sight(home: Home, camera: str) -> None:
    wait("a bird comes", lambda: home.says(camera)[:2] == ("on", "bird"))
    check("its score", 50 <= int(home.says(camera)[2]) <= 100, f"{home.says(camera)[2]} %")
    wait("its snapshot comes", lambda: home.says(camera)[3] != "unknown")
    # As a browser does, which has no more than the address.
    address = home.states(camera)[3]["attributes"]["entity_picture"]
    with urlopen(f"http://127.0.0.1:{home.port}{address}", timeout=60) as answer:
        kind, content = answer.headers["Content-Type"], answer.read()
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    check("the snapshot", kind == "image/jpeg" and picture.shape == (480, 640, 3), f"{len(content)} B {kind}")
    wait("the bird goes", lambda: home.says(camera)[:3] == ("off", "nothing", "unknown"))


def end(stream: subprocess.Popen[str]) -> None:
    began = time.monotonic()
    stream.terminate()
    check("the stream ends", stream.wait(60) == 0, f"after {time.monotonic() - began:.1f} s")


def prove(home: Home, site: Site) -> None:
    broker = site.start_broker()
    cameras = {name: site.start_camera(name) for name in BOTH}
    home.start()
    home.onboard()
    account = {"broker": "127.0.0.1", "port": site.port, "username": "home", "password": "home"}
    home.entry = home.fill_in("flow", "mqtt", **account)["entry_id"]

    stream = site.look(*BOTH)
    wait("two cameras appear by themselves", lambda: home.has(*BOTH))
    for camera in BOTH:
        check_entities(home, camera)
        check_sight(home, camera)

    cameras[YARD].kill()
    wait("a camera without power is unavailable", lambda: home.lacks(YARD))
    check("the other is not", not home.lacks(PORCH), home.says(PORCH))
    site.start_camera(YARD)
    wait("with power, it is back", lambda: home.has(*BOTH))
    stream.kill()
    wait("killed (SIGKILL), all are unavailable", lambda: home.lacks(*BOTH))
    stream = site.look(*BOTH)
    wait("started again, they are back", lambda: home.has(*BOTH))
    end(stream)
    wait("ended, all are unavailable", lambda: home.lacks(*BOTH))
    stream = site.look(*BOTH)
    wait("started again, they are back", lambda: home.has(*BOTH))
    broker.terminate()
    wait("without a broker, all are unavailable", lambda: home.lacks(*BOTH))
    site.start_broker()
    wait("with one that has forgotten all, they are back", lambda: home.has(*BOTH))
    before = {one["id"] for one in home.devices().values()}
    home.stop()
    home.start()
    wait("after its restart, they are back", lambda: home.has(*BOTH))
    same = {one["id"] for one in home.devices().values()} == before
    check("they are the same devices", same, list(home.devices()))
    home.delete(PORCH)
    wait("at the next birth, it is back", lambda: home.has(*BOTH))

    end(stream)
    stream = site.look(PORCH, "garden")
    wait("a camera that is renamed goes, and comes", lambda: home.has(PORCH, "garden"))
    check("its entities have gone", set(home.says(YARD)) == {"missing"}, home.says(YARD))
    end(stream)
    stream = site.look(PORCH)
    wait("a camera that is taken out goes", lambda: home.has(PORCH))
    end(stream)
    stream = site.look("shed", discovery="house")
    time.sleep(10)
    check("below another prefix, none is found", home.devices().keys() == {PORCH}, list(home.devices()))
    home.delete(PORCH)
    home.fill_in("options/flow", home.entry, discovery_prefix="house")
    wait("with that prefix, it is", lambda: home.has("shed"))
    home.delete("shed")
    wait("at the next birth, it is back", lambda: home.has("shed"))
    end(stream)
    wait("ended, it is unavailable", lambda: home.lacks("shed"))


def main() -> None:
    folder = Path(sys.argv[1])
    home, site = Home(folder, sys.argv[2:]), Site(folder)
    try:
        prove(home, site)
    finally:
        home.stop()
        for process in site.started:
            process.kill()
    logs = sorted((folder / "config").glob("home-assistant.log*"))
    lines = [line for log in logs for line in log.read_text().splitlines()]
    bad = [line for line in lines if re.search("(WARNING|ERROR).*(mqtt|lightcam|image|sensor)", line)]
    bad = [line for line in bad if not re.search(OF_ITS_OWN, line)]
    check("complaints in home-assistant.log", logs and not bad, bad or f"none in {len(lines)} lines")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
