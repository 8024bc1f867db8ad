import hashlib
import hmac
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from stream_messages import event, wait_until, warnings

from lightcam_edge.errors import UsageError
from lightcam_edge.streaming.event_queue import QueueSettings
from lightcam_edge.streaming.webhook import WebhookSettings, WebhookSink

Start = Callable[..., WebhookSink]


class Receiver(ThreadingHTTPServer):
    """A web server that answers what a test wants, and keeps what it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = 204
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.hanging = threading.Event()
        self.hangs = False
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def ids(self) -> list[str]:
        return [json.loads(body)["id"] for _, _, body in list(self.requests)]

    def stop(self) -> None:
        self.hanging.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if server.hangs:
            server.hanging.wait(60)
            return
        server.requests.append((self.path, dict(self.headers), body))
        self.send_response(server.answer if self.path.startswith("/hook") else 204)
        for name, value in server.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class has it
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def start(receiver: Receiver, tmp_path: Path) -> Iterator[Start]:
    """Start sinks, and close them at the end."""
    sinks: list[WebhookSink] = []

    def start(url: str | None = None, **options: Any) -> WebhookSink:
        settings = WebhookSettings.parse(url or f"{receiver.url}/hook?key=s3cret", environment={}, **options)
        sink = WebhookSink(replace(settings, retry_s=(0.05, 0.1)), QueueSettings(tmp_path / "queue"))
        sinks.append(sink)
        return sink

    yield start
    for sink in sinks:
        sink.close()


def test_events_are_posted_in_order(start: Start, receiver: Receiver) -> None:
    sink = start()
    for number in range(50):
        sink.event(event(number))
    wait_until(lambda: len(receiver.requests) == 50)

    assert receiver.ids() == [f"run-{number}" for number in range(50)]
    path, headers, _ = receiver.requests[0]
    assert path == "/hook?key=s3cret"
    assert headers["Content-Type"] == "application/json"
    assert "X-Lightcam-Signature" not in headers


def test_a_secret_signs_the_body(start: Start, receiver: Receiver, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    start(secret_file=secret).event(event(0))
    wait_until(lambda: receiver.requests)

    _, headers, body = receiver.requests[0]
    expected = hmac.new(b"hush", body, hashlib.sha256).hexdigest()
    assert headers["X-Lightcam-Signature"] == f"sha256={expected}"


def test_snapshots_go_along_where_they_are_wanted(start: Start, receiver: Receiver) -> None:
    start(snapshots=True).event(event(0, snapshot=b"\xff\xd8"))
    wait_until(lambda: receiver.requests)

    assert json.loads(receiver.requests[0][2])["snapshot"] == "/9g="


def test_events_wait_while_the_receiver_fails(
    start: Start, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = 503
    sink = start()
    for number in range(3):
        sink.event(event(number))
    wait_until(lambda: len(receiver.requests) >= 4)
    receiver.requests.clear()
    receiver.answer = 200
    wait_until(lambda: "run-2" in receiver.ids())

    assert receiver.ids()[-3:] == ["run-0", "run-1", "run-2"]
    assert warnings(caplog) == [
        f"{receiver.url} answers 503 Service Unavailable; events wait until it works",
        f"{receiver.url} is back; 3 events waited for it",
    ]


def test_a_receiver_that_hangs_is_given_up_and_tried_again(
    start: Start, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.hangs = True
    start(timeout_s=0.2).event(event(0))
    wait_until(lambda: warnings(caplog))
    receiver.hangs = False
    wait_until(lambda: receiver.ids() == ["run-0"])

    assert (
        warnings(caplog)[0] == f"cannot reach {receiver.url}: no answer in time; events wait until it works"
    )


def test_events_wait_for_a_receiver_over_a_restart(
    start: Start, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = 500
    sink = start()
    sink.event(event(0))
    sink.event(event(1))
    wait_until(lambda: warnings(caplog))
    sink.close()
    receiver.requests.clear()
    receiver.answer = 200
    start()
    wait_until(lambda: len(receiver.requests) == 2)

    assert receiver.ids() == ["run-0", "run-1"]


def test_a_hanging_receiver_does_not_hold_up_the_end(start: Start, receiver: Receiver) -> None:
    receiver.hangs = True
    sink = start(timeout_s=30)
    sink.event(event(0))
    closing = threading.Thread(target=sink.close)
    began = time.monotonic()
    closing.start()
    closing.join(20)

    assert time.monotonic() - began < 5  # promised is one second; the machine may be busy


def test_closing_sends_what_can_be_sent(start: Start, receiver: Receiver) -> None:
    sink = start()
    sink.event(event(0))
    sink.event(event(1))
    sink.close()

    assert receiver.ids() == ["run-0", "run-1"]


def test_an_event_that_is_refused_for_good_does_not_hold_up_the_others(
    start: Start, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = 422
    sink = start()
    sink.event(event(0))
    wait_until(lambda: warnings(caplog))
    receiver.answer = 200
    sink.event(event(1))
    wait_until(lambda: "run-1" in receiver.ids())

    assert receiver.ids() == ["run-0", "run-1"]
    assert warnings(caplog)[0].startswith(f"{receiver.url} answers 422 ")


def test_a_redirect_on_the_same_host_is_followed(start: Start, receiver: Receiver) -> None:
    receiver.answer, receiver.headers = 307, {"Location": "/elsewhere"}
    start().event(event(0))
    wait_until(lambda: len(receiver.requests) == 2)

    assert [path for path, _, _ in receiver.requests] == ["/hook?key=s3cret", "/elsewhere"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [(307, "redirects to another host: give the address there"), (302, "answers 302 Found, a redirect")],
)
def test_a_redirect_to_another_host_is_not_followed(
    start: Start, receiver: Receiver, caplog: pytest.LogCaptureFixture, answer: int, message: str
) -> None:
    other = Receiver()
    receiver.answer, receiver.headers = answer, {"Location": f"{other.url}/hook"}
    start().event(event(0))
    wait_until(lambda: warnings(caplog))

    assert message in warnings(caplog)[0]
    assert "s3cret" not in caplog.text
    assert not other.requests
    other.stop()


@pytest.mark.parametrize("location", ["http://[bad/", "http://127.0.0.1:port/", "//elsewhere", ""])
def test_a_redirect_to_nonsense_is_told(
    start: Start, receiver: Receiver, caplog: pytest.LogCaptureFixture, location: str
) -> None:
    receiver.answer, receiver.headers = 308, {"Location": location}
    start().event(event(0))
    wait_until(lambda: warnings(caplog))

    assert " redirects " in warnings(caplog)[0]


def test_a_name_that_no_host_can_have_is_told(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    start("http://a..b/").event(event(0))
    wait_until(lambda: warnings(caplog))

    assert warnings(caplog)[0].startswith("cannot reach http://a..b: ")


def test_what_is_no_web_server_is_told(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        start(f"http://127.0.0.1:{server.getsockname()[1]}").event(event(0))
        peer, _ = server.accept()
        with peer:
            peer.recv(100)
            peer.sendall(b"220 mail.example ESMTP\r\n")
            wait_until(lambda: warnings(caplog))

    assert "it does not speak HTTP" in warnings(caplog)[0]


def test_only_a_trusted_certificate_is_accepted(
    start: Start, receiver: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    subject = ("-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    files = ("-keyout", "server.key", "-out", "server.pem")
    subprocess.run(
        ["openssl", "req", "-x509", *key, *files, *subject], cwd=tmp_path, check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
    receiver.handle_error = lambda *_: None  # type: ignore[method-assign]
    url = receiver.url.replace("http:", "https:")

    distrustful = start(url)
    distrustful.event(event(0))
    wait_until(lambda: warnings(caplog))
    distrustful.close()
    assert warnings(caplog)[0].startswith(f"cannot reach {url}: its certificate is not trusted: self-signed")
    assert not receiver.requests

    start(url, ca_file=tmp_path / "server.pem")
    wait_until(lambda: receiver.ids() == ["run-0"])


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("example.org/hook", "must begin with https:// or http:// and name a host"),
        ("ftp://example.org", "must begin with https:// or http://"),
        ("https://ann:s3cret@example.org", "holds a user name or password"),
        ("https://example.org/a b", "holds a character that must be written as %XX"),
        ("https://example.org/\r\nX-Evil: 1", "must be written as %XX"),
    ],
)
def test_a_bad_address_is_refused_without_repeating_it(url: str, message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        WebhookSettings.parse(url, environment={})
    assert message in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


def test_secrets_do_not_show_in_settings() -> None:
    settings = WebhookSettings.parse(
        "https://example.org/hook/s3cret", environment={"LIGHTCAM_WEBHOOK_SECRET": "hush"}
    )

    assert settings.secret == b"hush"
    assert settings.address == "https://example.org"
    assert "hush" not in repr(settings)
    assert "s3cret" not in repr(settings) + settings.queue_file
