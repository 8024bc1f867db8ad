"""Delivers one body to a webhook."""

import hashlib
import hmac
import socket
import ssl
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import SplitResult, urljoin, urlsplit

from lightcam_edge import __version__
from lightcam_edge.errors import LightcamError
from lightcam_edge.streaming.webhook_settings import WebhookSettings

SIGNATURE = "X-Lightcam-Signature"
REDIRECTS = {307, 308}  # those that ask for the same request elsewhere
REFUSALS = {400, 413, 415, 422}  # it would say no to this body for ever
MOST_REDIRECTS = 3
LARGEST_ANSWER = 65_536
LONGEST_RETRY_AFTER_S = 3600


class DeliveryError(LightcamError):
    """The receiver cannot be reached, or cannot take anything now.

    Args:
        message: why.
        after_s: how long it asks us to wait, in seconds.
    """

    def __init__(self, message: str, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.after_s = after_s


class RefusedError(LightcamError):
    """The receiver does not want this body, and will not want it later."""


class Receiver:
    """POSTs bodies to a webhook, each over a connection of its own.

    Args:
        settings: where it is.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._connection: HTTPConnection | None = None

    def post(self, body: bytes) -> None:
        """Deliver a body.

        Args:
            body: JSON in UTF-8.

        Raises:
            DeliveryError: if it may work later.
            RefusedError: if it will not.
        """
        url = self._settings.url
        for _ in range(MOST_REDIRECTS + 1):
            response = self._exchange(url, body)
            if response.status not in REDIRECTS:
                return self._judge(response)
            url = self._redirected(url, response)
        raise DeliveryError(f"{self._settings.address} redirects too often")

    def abort(self) -> None:
        """End a request that another thread is waiting for."""
        connection = self._connection
        if connection and connection.sock:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _exchange(self, url: str, body: bytes) -> HTTPResponse:
        parts = urlsplit(url)
        self._connection = connection = self._connected(parts)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("POST", target, body, self._headers(body))
            response = connection.getresponse()
            response.read(LARGEST_ANSWER)
        except (OSError, HTTPException, UnicodeError) as error:  # the last from names that no host can have
            raise DeliveryError(f"cannot reach {self._settings.address}: {_reason(error)}") from error
        finally:
            connection.close()
        return response

    def _connected(self, parts: SplitResult) -> HTTPConnection:
        host, timeout_s = str(parts.hostname), self._settings.timeout_s
        if parts.scheme == "https":
            return HTTPSConnection(host, parts.port, timeout=timeout_s, context=self._settings.tls)
        return HTTPConnection(host, parts.port, timeout=timeout_s)

    def _headers(self, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"lightcam-edge/{__version__}",
            "Connection": "close",
        }
        if self._settings.secret:
            signature = hmac.new(self._settings.secret, body, hashlib.sha256).hexdigest()
            headers[SIGNATURE] = f"sha256={signature}"
        return headers

    def _redirected(self, url: str, response: HTTPResponse) -> str:
        """Where to go instead: never to another host, nor from TLS to plain text."""
        old = urlsplit(url)
        try:
            target = urljoin(url, response.headers.get("Location", ""))
            new = urlsplit(target)
        except ValueError as error:
            raise DeliveryError(f"{self._settings.address} redirects to nonsense") from error
        same = (new.scheme, new.netloc) == (old.scheme, old.netloc)
        safer = (old.scheme, new.scheme) == ("http", "https") and new.netloc == old.hostname
        if not (same or safer):
            raise DeliveryError(f"{self._settings.address} redirects to another host: give the address there")
        return target

    def _judge(self, response: HTTPResponse) -> None:
        status = response.status
        if 200 <= status < 300:
            return
        answer = f"{self._settings.address} answers {status} {response.reason}".rstrip()
        if status in REFUSALS:
            raise RefusedError(answer)
        if 300 <= status < 400:
            answer += ", a redirect that is no webhook's: give the address that takes events"
        raise DeliveryError(answer, _retry_after_s(response))


def _retry_after_s(response: HTTPResponse) -> float:
    seconds = response.headers.get("Retry-After", "")
    busy = response.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    return min(float(seconds), LONGEST_RETRY_AFTER_S) if busy and seconds.isdecimal() else 0.0


def _reason(error: OSError | HTTPException | UnicodeError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, UnicodeError):
        return "no host has such a name"
    return f"it does not speak HTTP: {type(error).__name__}"
