"""MJPEG over HTTP: what most network cameras and `mjpg-streamer` give."""

import contextlib
import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.request
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from lightcam_edge.streaming.sources.grammar import CaptureOptions
from lightcam_edge.streaming.sources.mjpeg import JpegPictures
from lightcam_edge.streaming.sources.patience import Patience
from lightcam_edge.streaming.sources.reading import CaptureError, Picture, Wants, always
from lightcam_edge.streaming.sources.redaction import redact

CHUNK = 1 << 16
KINDS = (
    "multipart/",
    "image/jpeg",
    "video/x-motion-jpeg",
    "video/x-mjpeg",
    "video/mjpeg",
    "application/octet-stream",
)


class HttpCamera:
    """Reads pictures from one HTTP answer that never ends.

    Args:
        url: with user name and password where the camera asks for them (basic or digest).
        options: how pictures are wished for.
        patience: how long it is waited for.
    """

    def __init__(self, url: str, options: CaptureOptions, patience: Patience) -> None:
        self._url, self._login = split_login(url)
        self._shown = redact(self._url)
        self._timeout = patience.stall_timeout
        self._pictures = JpegPictures(self._shown, options)
        self._sockets = _Sockets()
        self._answer: http.client.HTTPResponse | None = None

    def open(self) -> None:
        """Ask for the stream."""
        opener = urllib.request.build_opener(*self._handlers())
        try:
            self._answer = opener.open(self._url, timeout=self._timeout)
        except urllib.error.HTTPError as error:
            error.close()
            raise CaptureError(f"{self._shown} answers {error.code} {_advice(error.code)}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CaptureError(f"cannot reach {self._shown}: {_cause(error)}") from None
        kind = self._answer.headers.get_content_type()
        if not kind.startswith(KINDS):
            raise CaptureError(f"{self._shown} answers with {kind}, not MJPEG: check the path")

    def _handlers(self) -> list[urllib.request.BaseHandler]:
        handlers: list[urllib.request.BaseHandler] = [_Handler(self._sockets), _SecureHandler(self._sockets)]
        if self._login is not None:
            passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            passwords.add_password(None, self._url, *self._login)
            handlers.append(urllib.request.HTTPBasicAuthHandler(passwords))
            handlers.append(urllib.request.HTTPDigestAuthHandler(passwords))
            handlers.append(_RefusalCloser())
        return handlers

    def read(self, wants: Wants = always) -> Picture | None:
        """Wait for the next picture."""
        if self._answer is None:
            raise CaptureError(f"{self._shown} is not open")
        while (picture := self._pictures.next(wants)) is None:
            try:
                content = self._answer.read1(CHUNK)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise CaptureError(f"{self._shown} is lost: {_cause(error)}") from None
            if not content:
                raise CaptureError(f"{self._shown} {_ending(self._answer)}")
            self._pictures.feed(content)
        return picture

    def interrupt(self) -> None:
        """Cut the connection."""
        self._sockets.shut()

    def close(self) -> None:
        """Let go of the connection."""
        self._sockets.shut()
        if self._answer is not None:
            self._answer.close()


class _RefusalCloser(urllib.request.BaseHandler):
    """Closes an answer that asks for a login; urllib asks again and forgets it open."""

    handler_order = 100  # before those that ask again

    def http_error_401(
        self, _: urllib.request.Request, answer: http.client.HTTPResponse, *__: object
    ) -> None:
        answer.close()


class _Sockets:
    """Knows the sockets that urllib opens, so that another thread can cut them."""

    def __init__(self) -> None:
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._shut = False

    def add(self, opened: socket.socket) -> None:
        with self._lock:
            self._open.append(opened)
            shut = self._shut
        if shut:
            self.shut()

    def shut(self) -> None:
        with self._lock:
            self._shut = True
            for opened in self._open:
                with contextlib.suppress(OSError):  # closed already
                    opened.shutdown(socket.SHUT_RDWR)


class _Connection(http.client.HTTPConnection):
    """Tells its socket."""

    def __init__(self, *arguments: Any, sockets: _Sockets, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._sockets = sockets

    def connect(self) -> None:
        super().connect()
        self._sockets.add(self.sock)


class _SecureConnection(_Connection, http.client.HTTPSConnection):
    """Tells its socket, and encrypts."""


class _Handler(urllib.request.HTTPHandler):
    """Opens connections that tell their sockets."""

    def __init__(self, sockets: _Sockets) -> None:
        super().__init__()
        self._sockets = sockets

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(partial(_Connection, sockets=self._sockets), req)


class _SecureHandler(urllib.request.HTTPSHandler):
    """Opens encrypted connections that tell their sockets."""

    def __init__(self, sockets: _Sockets) -> None:
        super().__init__()
        self._sockets = sockets

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(partial(_SecureConnection, sockets=self._sockets), req)


def split_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """Take user name and password out of a URL."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, None
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return bare, (unquote(parts.username), unquote(parts.password or ""))


def _ending(answer: http.client.HTTPResponse) -> str:
    if answer.headers.get_content_type() == "image/jpeg":
        return "gives one picture, not a stream: give the camera's address for MJPEG"
    return "ended the stream"


def _cause(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({reason.verify_message}): set SSL_CERT_FILE to it"
    if isinstance(reason, TimeoutError):
        return "it does not answer in time"
    if isinstance(reason, socket.gaierror):
        return "no such host"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _advice(code: int) -> str:
    return {
        401: "(unauthorized): check user name and password",
        403: "(forbidden): check the user's rights on the camera",
        404: "(not found): check the path",
        503: "(unavailable): has it too many viewers already?",
    }.get(code, "and no stream: check the address")
