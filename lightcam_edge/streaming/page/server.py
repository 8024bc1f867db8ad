"""Serves the live page from a thread of its own, so that the stream never waits for a viewer.

Tornado, because it brings HTTP and WebSockets without a further package, asks for 8 MB of memory,
sleeps while nothing happens, and lets a slow or silent client wait for a limited time only. Its C
part is optional, so that it also installs where there is no compiler and no wheel.
"""

import asyncio
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any

from lightcam_edge.errors import LightcamError, RuntimeMissingError
from lightcam_edge.streaming.messages import CameraStatus, Event, StreamResult
from lightcam_edge.streaming.page.encoding import describe
from lightcam_edge.streaming.page.security import Gate
from lightcam_edge.streaming.page.settings import PageSettings
from lightcam_edge.streaming.page.state import PageState, Record
from lightcam_edge.streaming.page.static_files import static_files
from lightcam_edge.streaming.ports import Controls

try:
    from tornado.httpserver import HTTPServer
    from tornado.iostream import IOStream
    from tornado.web import Application
except ModuleNotFoundError as error:
    raise RuntimeMissingError("the live page needs tornado: pip install 'lightcam-edge[stream]'") from error

from lightcam_edge.streaming.page import handlers

MAX_HEADER_BYTES = 16 << 10
MAX_BODY_BYTES = 4 << 10
MAX_MESSAGE_BYTES = 4 << 10
TICK_S = 1.0
STOP_S = 0.5


class Page:
    """The live page: a `Sink` that shows in browsers what it is given.

    Args:
        settings: where, and for whom.
        controls: the running stream.
        record: makes a result's JSON line for `/api/latest`.
    """

    def __init__(self, settings: PageSettings, controls: Controls, record: Record = describe) -> None:
        self._settings = settings
        self._state = PageState(settings, controls, record)
        self._woken: set[str] = set()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._port = settings.port

    @property
    def address(self) -> str:
        """Where the page is, as one types it into a browser."""
        scheme = "https" if self._settings.certificate else "http"
        host = self._settings.host
        host = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)  # noqa: S104
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self._port}/"

    def start(self) -> None:
        """Listen, and answer from now on.

        Raises:
            LightcamError: if the address is taken, or the certificate cannot be read.
        """
        context = self._tls()
        host, port = self._settings.host, self._settings.port
        try:
            listening = _listening(host, port)
        except OSError as error:
            raise LightcamError(f"cannot serve the page on {host}:{port}: {error.strerror}") from error
        self._port = listening.getsockname()[1]
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening, context)), name="page", daemon=True
        )
        self._thread.start()
        self._ready.wait()

    def _tls(self) -> ssl.SSLContext | None:
        certificate, key = self._settings.certificate, self._settings.key
        if certificate is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            # Without a password of its own, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(certificate, key, password="")
        except OSError as error:  # ssl.SSLError is one
            raise LightcamError(f"cannot read the page's certificate {certificate}: {error}") from error
        return context

    async def _serve(self, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = Server(
            self._application(),
            ssl_options=context,
            max_header_size=MAX_HEADER_BYTES,
            max_body_size=MAX_BODY_BYTES,
            idle_connection_timeout=self._settings.patience,
            body_timeout=self._settings.patience,
        )
        server.limit(self._settings.max_connections, self._settings.patience)
        server.add_socket(listening)
        ticking = asyncio.create_task(self._tick())
        self._ready.set()
        await self._stop.wait()
        ticking.cancel()
        server.stop()
        self._state.viewers.close()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(server.close_all_connections(), STOP_S)

    def _application(self) -> Application:
        shared: dict[str, Any] = {"state": self._state, "gate": Gate(self._settings)}
        routes: list[Any] = [(file.path, handlers.File, {**shared, "file": file}) for file in static_files()]
        routes += [
            (path, handler, shared)
            for path, handler in {
                "/healthz": handlers.Health,
                "/metrics": handlers.Metrics,
                "/api/latest": handlers.Latest,
                "/api/live": handlers.Live,
                "/api/settings": handlers.Settings,
                "/api/card": handlers.SaveToCard,
                "/api/snapshot": handlers.Snapshot,
                "/api/login": handlers.LogIn,
                "/api/logout": handlers.LogOut,
            }.items()
        ]
        return Application(
            routes,
            default_handler_class=handlers.Missing,
            default_handler_args=shared,
            log_function=lambda _: None,
            websocket_ping_interval=self._settings.patience,
            websocket_ping_timeout=self._settings.patience,
            websocket_max_message_size=MAX_MESSAGE_BYTES,
        )

    async def _tick(self) -> None:
        while True:
            self._state.tick()
            await asyncio.sleep(TICK_S)

    def result(self, result: StreamResult) -> None:
        """See `Sink`."""
        self._state.took(result)
        camera = result.frame.camera
        if camera not in self._woken and self._state.viewers.wants(camera):
            self._woken.add(camera)
            self._in_loop(self._offer, camera)

    def _offer(self, camera: str) -> None:
        self._woken.discard(camera)
        self._state.viewers.offer(camera)

    def event(self, event: Event) -> None:
        """See `Sink`."""
        self._in_loop(self._state.event, event)

    def status(self, status: CameraStatus) -> None:
        """See `Sink`."""
        self._in_loop(self._state.tell_states)

    def _in_loop(self, call: Any, *arguments: Any) -> None:
        if self._ready.is_set():
            with suppress(RuntimeError):  # the loop is closed: the page has ended before the stream
                self._loop.call_soon_threadsafe(call, *arguments)

    def close(self) -> None:
        """See `Sink`."""
        if self._thread is not None:
            self._in_loop(self._stop.set)
            self._thread.join(2 * STOP_S)


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens; `::` takes IPv4 too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    listening = socket.create_server((host, port), family=family, backlog=128, dualstack_ipv6=both)
    listening.setblocking(False)
    return listening


class Server(HTTPServer):
    """Takes a limited number of connections, and drops those whose other end takes nothing."""

    def limit(self, connections: int, patience: float) -> None:
        """Set the number, and after how many seconds without progress one is dropped."""
        self._room, self._patience_ms = connections, round(1000 * patience)

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Take a connection, or close it where there are too many."""
        if self._room <= 0:
            stream.close()
            return
        self._room -= 1
        stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._patience_ms)
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        """Make room for another."""
        self._room += 1
        super().on_close(server_conn)
