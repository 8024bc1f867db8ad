"""Who may see the live page: hosts, origins, tokens, and how often one may guess."""

import hashlib
import hmac
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from lightcam_edge.streaming.page.settings import PageSettings

COOKIE = "lightcam_page"
SESSION_SECONDS = 30 * 24 * 3600
LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
ATTEMPTS = 5  # failed log-ins from one address
ATTEMPTS_SECONDS = 60.0  # within so many seconds
ADDRESSES_KEPT = 1024

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), fullscreen=(self)",
}


class Gate:
    """Decides on each request; holds the token and never shows it.

    Args:
        settings: host and token.
        clock: monotonic seconds.
    """

    def __init__(self, settings: PageSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = settings.token.encode()
        self._loopback = settings.loopback
        self._attempts = Attempts(clock)

    @property
    def needs_token(self) -> bool:
        """Whether visitors have to log in."""
        return bool(self._token)

    def host_allowed(self, host: str) -> bool:
        """Whether a Host header may name this server.

        A page of another site can have its own name point to 127.0.0.1 (DNS rebinding) and
        then read what is served there. Elsewhere the token keeps such pages out.
        """
        return not self._loopback or urlsplit(f"//{host}").hostname in LOOPBACK_NAMES

    def origin_allowed(self, origin: str | None, site: str | None, address: str) -> bool:
        """Whether a request that changes something comes from our own page.

        Args:
            origin: its Origin header; browsers send it, other programs need not.
            site: its Sec-Fetch-Site header, which browsers send where they trust the connection.
            address: scheme and host of the request, such as `http://localhost:8080`.
        """
        if site not in (None, "same-origin", "none"):
            return False
        return origin is None or origin == address

    def knows_token(self, authorization: str, cookie: str) -> bool:
        """Whether a bearer header or the cookie of an earlier log-in lets a visitor in."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and self._matches(token.strip()):
            return True
        return not self._token or self._session_holds(cookie)

    def _matches(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token)

    def log_in(self, token: str, address: str) -> str | None:
        """Take a token for a session's cookie.

        Args:
            token: what the visitor typed.
            address: IP address of the visitor.

        Returns:
            The cookie's value, or None where the token is wrong.
        """
        if self.needs_token and self._matches(token):
            self._attempts.forget(address)
            return self._session(int(time.time()) + SESSION_SECONDS)
        self._attempts.failed(address)
        return None

    def pause(self, address: str) -> float:
        """Seconds for which an address may not guess, 0 where it may."""
        return self._attempts.pause(address)

    def refused(self, address: str) -> None:
        """Count a wrong bearer token like a failed log-in."""
        self._attempts.failed(address)

    def _session(self, until: int) -> str:
        """A cookie that any later start with the same token takes too, so that nothing has to be stored."""
        seal = hmac.new(self._token, f"lightcam page until {until}".encode(), hashlib.sha256)
        return f"{until}.{seal.hexdigest()}"

    def _session_holds(self, cookie: str) -> bool:
        until, _, _ = cookie.partition(".")
        if not (until.isascii() and until.isdigit() and len(until) < 12):
            return False
        return hmac.compare_digest(cookie.encode(), self._session(int(until)).encode()) and (
            int(until) > time.time()
        )


class Attempts:
    """Failed log-ins of the last minute, by address; IPv6 by its /64, which one visitor has whole.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, list[float]] = OrderedDict()

    def failed(self, address: str) -> None:
        """Count one."""
        key = _network(address)
        self._failed[key] = [*self._recent(key), self._clock()]
        self._failed.move_to_end(key)
        while len(self._failed) > ADDRESSES_KEPT:
            self._failed.popitem(last=False)

    def forget(self, address: str) -> None:
        """Start again after a log-in."""
        self._failed.pop(_network(address), None)

    def pause(self, address: str) -> float:
        """Seconds until the address may try again."""
        recent = self._recent(_network(address))
        return 0.0 if len(recent) < ATTEMPTS else recent[-ATTEMPTS] + ATTEMPTS_SECONDS - self._clock()

    def _recent(self, key: str) -> list[float]:
        since = self._clock() - ATTEMPTS_SECONDS
        return [moment for moment in self._failed.get(key, []) if moment > since]


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ipaddress.ip_network(f"{address}/64", strict=False))
