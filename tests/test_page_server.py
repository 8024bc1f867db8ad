"""The page's server on a real stream: what it answers, and whom it keeps out."""

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from live_page import TOKEN, LivePage, live_page, write_video
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from lightcam_edge.catalogue import bundled_models
from lightcam_edge.errors import LightcamError
from lightcam_edge.model_file import read_model
from lightcam_edge.records import KEYS
from lightcam_edge.streaming.page.server import Page
from lightcam_edge.streaming.page.settings import PageSettings
from lightcam_edge.streaming.steering import Steering

HW = (120, 160)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "bird.avi", HW)


@pytest.fixture(scope="module")
def own_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copy(bundled_models()["lite"], tmp_path_factory.mktemp("model") / "own.tflite"))


@pytest.fixture(scope="module")
def live(video: Path, own_model: Path) -> Iterator[LivePage]:
    with live_page(video, own_model, ("door", "shed")) as started:
        until(lambda: started.get("/healthz").status == 200)
        until(lambda: all(json.loads(line)["boxes"] for line in started.get("/api/latest").body.splitlines()))
        yield started


@pytest.fixture(scope="module")
def guarded(video: Path) -> Iterator[LivePage]:
    """A page for the network, as far as a visitor can tell."""
    with live_page(video, token=TOKEN, host="0.0.0.0") as started:
        visited = LivePage(started.pipeline, _Local(started.page))  # type: ignore[arg-type]
        until(lambda: visited.get("/healthz").status == 200)
        yield visited


class _Local:
    """A page that is visited under the name of this machine."""

    def __init__(self, page: Page) -> None:
        self.address = f"http://localhost:{page.address.rstrip('/').rpartition(':')[2]}/"


def until(true: Callable[[], Any], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@asynccontextmanager
async def opened(live: LivePage, **headers: str) -> AsyncIterator[WebSocketClientConnection]:
    url = live.url("/api/live").replace("http", "ws", 1)
    connection = await websocket_connect(HTTPRequest(url, headers=headers, request_timeout=20))
    try:
        yield connection
    finally:
        had_ended = connection.close_code is not None
        connection.close()
        if not had_ended:
            await asyncio.wait_for(_ended(connection), 20)


async def picture(connection: WebSocketClientConnection) -> dict[str, Any]:
    """What the next binary message says was found."""
    while True:
        message = await asyncio.wait_for(connection.read_message(), 20)
        assert message is not None
        if isinstance(message, bytes):
            found: dict[str, Any] = json.loads(message[4 : 4 + int.from_bytes(message[:4], "big")])
            return found


def test_the_newest_results_are_the_json_lines_of_run_with_camera_time_and_age(live: LivePage) -> None:
    lines = [json.loads(line) for line in live.get("/api/latest").body.splitlines()]

    assert [line["camera"] for line in lines] == ["door", "shed"]
    assert set(lines[0]) == {*KEYS, "camera", "time", "age_ms"}
    assert lines[0]["image_hw"] == list(HW)
    (only,) = live.get("/api/latest?camera=shed").body.splitlines()
    assert json.loads(only)["camera"] == "shed"


def test_a_snapshot_is_the_whole_picture_with_or_without_its_box(live: LivePage) -> None:
    answer = live.get("/api/snapshot?camera=door&boxes=0")
    picture = cv2.imdecode(np.frombuffer(answer.body, np.uint8), 1)

    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="door-2')
    assert picture.shape == (*HW, 3)
    assert len(live.get("/api/snapshot?camera=door&heat=1").body) > len(answer.body)


def test_metrics_tell_of_every_camera(live: LivePage) -> None:
    answer = live.get("/metrics")

    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b'process_fps{camera="door"}' in answer.body
    assert b'process_fps{camera="shed"}' in answer.body


def test_settings_are_taken_from_the_next_picture_on_for_one_camera(live: LivePage) -> None:
    own = live.pipeline.watched["door"].threshold
    answer = live.post("/api/settings", {"camera": "shed", "threshold": 0.125, "method": "cam"})

    assert answer.json == {"threshold": 0.125, "method": "cam"}
    settings = live.get("/api/settings").json
    assert settings["cameras"]["shed"] == {"threshold": 0.125, "method": "cam"}
    assert settings["cameras"]["door"] == {"threshold": own, "method": "br-avgcam"}
    assert settings["methods"] == ["cam", "br-avgcam"]
    until(lambda: live.get("/api/latest?camera=shed").json["threshold"] == 0.125)


@pytest.mark.parametrize(
    ("content", "status", "error"),
    [
        ({"camera": "door", "threshold": 1}, 400, "threshold 1 is no number in [0, 1)"),
        ({"camera": "door", "threshold": True}, 400, "threshold True is no number in [0, 1)"),
        (b'{"camera": "door", "threshold": NaN}', 400, "threshold nan is no number in [0, 1)"),
        ({"camera": "door", "method": "magic"}, 400, "method 'magic' is none of cam, br-avgcam"),
        ({"camera": "door", "method": ["cam"]}, 400, "method ['cam'] is none of cam, br-avgcam"),
        ({"camera": "door", "path": "/etc"}, 400, "send an object with camera, threshold, method"),
        ({"threshold": 0.5}, 404, "there is no such camera"),
        ({"camera": "../door"}, 404, "there is no such camera"),
        ({"camera": ["door"]}, 404, "there is no such camera"),
        (b"{", 400, "this is not JSON"),
        (b"\xff", 400, "this is not JSON"),
        (b"[" * 2000, 400, "this is not JSON"),
        (b"[]", 400, "send an object with camera, threshold, method"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    live: LivePage, content: Any, status: int, error: str
) -> None:
    answer = live.post("/api/settings", content)

    assert (answer.status, answer.error) == (status, error)


def test_settings_are_saved_to_the_card_of_a_file_of_ones_own(live: LivePage, own_model: Path) -> None:
    live.post("/api/settings", {"camera": "shed", "threshold": 0.25})

    assert live.post("/api/card", {"camera": "shed"}).json == {}

    card = read_model(own_model).card
    assert card is not None
    assert card.cam.threshold == 0.25


def test_every_answer_has_the_strict_headers_and_none_names_the_server(live: LivePage) -> None:
    for path in ("/", "/page.css", "/healthz", "/api/latest", "/nothing", "/api/snapshot?camera=none"):
        headers = live.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Server" not in headers


@pytest.mark.parametrize(
    "path", ["/nothing", "/..%2f..%2fetc/passwd", "/static/page.css", "/page.py", "//page.css", "/icon.svg/"]
)
def test_no_other_path_is_served(live: LivePage, path: str) -> None:
    answer = live.get(path)

    assert (answer.status, answer.error) == (404, "there is nothing here")


def test_a_file_that_the_browser_has_is_not_sent_again(live: LivePage) -> None:
    etag = live.get("/page.css").headers["Etag"]

    assert live.get("/page.css", If_None_Match=etag).status == 304


def test_a_name_that_was_pointed_to_this_machine_is_refused(live: LivePage) -> None:
    for path in ("/", "/api/latest", "/api/live"):
        assert live.get(path, Host="evil.example").status == 421


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}])
def test_another_sites_page_changes_nothing(live: LivePage, headers: dict[str, str]) -> None:
    for path in ("/api/settings", "/api/card", "/api/login"):
        assert live.post(path, {"camera": "door", "threshold": 0.9}, **headers).status == 403
    assert live.post("/api/settings", b"camera=door", Content_Type="text/plain").status == 415


def test_a_viewer_is_greeted_and_then_sent_what_it_watches(live: LivePage) -> None:
    async def story() -> None:
        async with opened(live) as viewer:
            greeting = json.loads(str(await viewer.read_message()))
            assert greeting["hello"]["cameras"] == ["door", "shed"]
            assert greeting["hello"]["labels"] == ["bird", "dog", "background"]
            assert greeting["states"]["door"]["state"] == "live"

            await viewer.write_message(json.dumps({"watch": {"door": "full"}}))
            first = await picture(viewer)
            await viewer.write_message(json.dumps({"drawn": "door"}))
            second = await picture(viewer)

        assert (first["camera"], first["objects"][0]["label"]) == ("door", "bird")
        assert second["frame"] > first["frame"]

    asyncio.run(story())


@pytest.mark.parametrize(
    "message",
    ["{", "[]", "1", '{"watch": {"etc": "full"}}', '{"watch": {"door": "raw"}}', '{"watch": 1}', b"x"],
)
def test_a_viewer_that_is_not_understood_is_cut_off(live: LivePage, message: str | bytes) -> None:
    async def story() -> None:
        async with opened(live) as viewer:
            await viewer.write_message(message, binary=isinstance(message, bytes))
            await asyncio.wait_for(_ended(viewer), 20)
            assert viewer.close_code == 1003

    asyncio.run(story())


def test_another_sites_page_opens_no_live_connection(live: LivePage) -> None:
    async def story() -> None:
        with pytest.raises(HTTPClientError, match="403"):
            async with opened(live, Origin="http://evil.example"):
                pass

    asyncio.run(story())


def test_a_port_that_is_taken_is_told_of(live: LivePage) -> None:
    page = Page(PageSettings(port=live.port), Steering(live.pipeline))

    with pytest.raises(
        LightcamError, match=r"cannot serve the page on 127.0.0.1:\d+: Address already in use"
    ):
        page.start()


def test_without_the_token_only_health_and_the_log_in_are_there(guarded: LivePage) -> None:
    for path in ("/metrics", "/api/latest", "/api/settings", "/api/snapshot", "/api/live"):
        assert guarded.get(path).status == 401
    assert guarded.post("/api/settings", {"threshold": 0.9}).status == 401
    assert guarded.post("/api/card", {}).status == 401
    assert guarded.get("/").headers["Location"] == "/login"
    assert guarded.get("/login").status == 200
    assert "reasons" not in guarded.get("/healthz").json


def test_health_may_be_asked_for_without_its_content(guarded: LivePage) -> None:
    answer = guarded.ask(urllib.request.Request(guarded.url("/healthz"), method="HEAD"))

    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) == len(guarded.get("/healthz").body)


def test_the_token_as_bearer_lets_programs_in(guarded: LivePage) -> None:
    assert guarded.get("/metrics", Authorization=f"Bearer {TOKEN}").status == 200
    assert guarded.get(f"/metrics?token={TOKEN.replace(' ', '%20')}").status == 401


def test_a_log_in_sets_a_cookie_that_scripts_and_other_sites_never_see(guarded: LivePage) -> None:
    answer = guarded.post("/api/login", {"token": TOKEN})
    cookie = answer.headers["Set-Cookie"]

    assert answer.status == 200
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    shown = cookie.partition(";")[0]
    assert guarded.get("/", Cookie=shown).status == 200
    assert (guarded.get("/api/login").json, guarded.get("/api/login", Cookie=shown).json) == (
        {"known": False},
        {"known": True},
    )


def test_guessing_is_stopped_and_never_logged(video: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with live_page(video, token=TOKEN) as live:
        tries = [live.post("/api/login", {"token": f"wrong-{number}"}) for number in range(4)]
        tries += [live.get("/metrics", Authorization="Bearer wrong-4")]

        assert [answer.status for answer in tries] == [401] * 5
        for answer in (
            live.post("/api/login", {"token": TOKEN}),
            live.get("/metrics", Authorization="Bearer x"),
        ):
            assert answer.status == 429
            assert 0 < int(answer.headers["Retry-After"]) <= 60
    told = capfd.readouterr()
    assert told.out + told.err == ""


def test_what_is_too_long_is_refused_without_being_read(live: LivePage) -> None:
    with socket.create_connection(("127.0.0.1", live.port), 20) as client:
        client.sendall(b"POST /api/settings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400") or not client.recv(100)
    with socket.create_connection(("127.0.0.1", live.port), 20) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000 + b"\r\n\r\n")
        assert not client.recv(100).startswith(b"HTTP/1.1 200")


@pytest.fixture(scope="module")
def impatient(video: Path) -> Iterator[LivePage]:
    limits = {"patience": 0.5, "max_viewers": 2}
    with live_page(video, **limits) as started:
        until(lambda: started.get("/healthz").status == 200)
        yield started


def test_a_client_that_sends_its_headers_slowly_is_cut_off(impatient: LivePage) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), 20) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: ")

        assert client.recv(100) == b""


def test_a_client_that_sends_its_body_slowly_is_cut_off(impatient: LivePage) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), 20) as client:
        client.sendall(b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{")

        assert b"200 OK" not in client.recv(100)


def test_a_client_that_reads_nothing_is_cut_off(impatient: LivePage) -> None:
    request = b"GET /api/snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", impatient.port))
        client.settimeout(20)
        with pytest.raises(ConnectionError):
            _ask_on(client, request)


def _ask_on(client: socket.socket, request: bytes) -> None:
    while True:  # until answers fill the buffers on the way, and then requests do
        client.sendall(50 * request)


def test_connections_are_limited_and_room_is_made_again(video: Path) -> None:
    with live_page(video, max_connections=4) as live:
        clients = [socket.create_connection(("127.0.0.1", live.port), 20) for _ in range(5)]
        assert clients[4].recv(1) == b""  # closed at once, where the others wait for a request
        assert not _answers(live)

        for client in clients:
            client.close()

        until(lambda: _answers(live))


def _answers(live: LivePage) -> bool:
    try:
        return live.get("/login").status == 200
    except OSError:
        return False


def test_a_viewer_that_takes_no_pictures_is_cut_off_and_the_number_of_viewers_is_limited(
    impatient: LivePage,
) -> None:
    async def story() -> None:
        async with opened(impatient) as idle, opened(impatient) as stuck, opened(impatient) as late:
            assert await asyncio.wait_for(_ended(late), 20) == "too many viewers"
            await stuck.write_message(json.dumps({"watch": {"door": "full"}}))
            assert await asyncio.wait_for(_ended(stuck), 20) == "too slow"
            assert idle.close_code is None

    asyncio.run(story())


async def _ended(connection: WebSocketClientConnection) -> str | None:
    while await connection.read_message() is not None:
        pass
    return connection.close_reason


def test_health_tells_which_camera_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.avi").write_bytes(b"RIFF")
    with live_page(tmp_path / "broken.avi") as live:
        until(lambda: live.get("/healthz").json.get("reasons", {}).get("door", "").startswith("ended"))

        assert live.get("/healthz").status == 503
        assert live.get("/api/latest").body == b""
        assert live.get("/api/snapshot").error == "there is no picture yet"


def test_the_page_is_served_over_tls_and_its_cookie_stays_there(video: Path, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    certificate, key = tmp_path / "page.crt", tmp_path / "page.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    ]
    command += [
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run(command, check=True, capture_output=True)

    with live_page(video, token=TOKEN, certificate=certificate, key=key) as live:
        assert live.page.address.startswith("https://")
        context = ssl.create_default_context(cafile=certificate)
        with (
            socket.create_connection(("127.0.0.1", live.port), 20) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            body = json.dumps({"token": TOKEN}).encode()
            head = ["POST /api/login HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
            head += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
            client.sendall("\r\n".join(head).encode() + body)
            answer = client.recv(4000)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Secure" in answer


def test_a_missing_tornado_is_told_with_what_to_install() -> None:
    program = "import sys; sys.modules['tornado'] = None; import lightcam_edge.streaming.page.server"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stderr.splitlines()[-1].endswith(
        "the live page needs tornado: pip install 'lightcam-edge[stream]'"
    )


def test_a_certificate_that_cannot_be_read_is_told_of(live: LivePage, tmp_path: Path) -> None:
    page = Page(PageSettings(port=0, certificate=tmp_path / "none.pem"), Steering(live.pipeline))

    with pytest.raises(LightcamError, match=r"cannot read the page's certificate .*none.pem"):
        page.start()
