"""Where the live page is served, and to whom."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lightcam_edge.errors import UsageError

LOOPBACK = "127.0.0.1"
TOKEN_VARIABLE = "LIGHTCAM_PAGE_TOKEN"  # noqa: S105
TOKEN_LENGTH = 16  # characters at least: with the pause after failed log-ins nobody guesses so many


@dataclass(frozen=True, slots=True)
class PageSettings:
    """How the live page is served.

    Args:
        host: address to listen on; any but a loopback one demands a token.
        port: TCP port; 0 takes a free one.
        token: what a visitor must know; empty lets everyone on this machine in.
        certificate: PEM file with the TLS certificate and its chain; None serves plain HTTP.
        key: PEM file with its private key; None where it is in the certificate's file.
        max_fps: pictures a second that a viewer gets at most.
        max_side: longer side of the pictures that are sent, in pixels.
        quality: of their JPEG, 1 to 100.
        stale_after: seconds without a result after which a camera counts as unhealthy.
        patience: seconds until a client that does not read, write or draw is cut off.
        max_viewers: open pages at most.
        max_connections: connections at most, beside those of open pages.

    Raises:
        UsageError: if a value is out of range, or a token is missing or short.
    """

    host: str = LOOPBACK
    port: int = 8080
    token: str = field(default="", repr=False)
    certificate: Path | None = None
    key: Path | None = None
    max_fps: float = 20.0
    max_side: int = 960
    quality: int = 80
    stale_after: float = 10.0
    patience: float = 15.0
    max_viewers: int = 32
    max_connections: int = 64

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"port {self.port} is outside 0..65535")
        if not self.loopback and not self.token:
            raise UsageError(
                f"the page on {self.host} would be open to the network: give a token of {TOKEN_LENGTH} or "
                f"more characters in a file or in {TOKEN_VARIABLE}, or serve on {LOOPBACK}"
            )
        if self.token and len(self.token) < TOKEN_LENGTH:
            raise UsageError(f"the page's token has {len(self.token)} characters, not {TOKEN_LENGTH} or more")
        if self.token and not (self.token.isascii() and self.token.isprintable()):
            raise UsageError("the page's token has characters that are not printable ASCII: take others")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse_address(text: str) -> tuple[str, int]:
    """Take `[HOST:]PORT` apart; an IPv6 host stands in brackets.

    Raises:
        UsageError: if it is neither.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit()) or (":" in host and not host.startswith("[")):
        raise UsageError(f"{text!r} is no [HOST:]PORT, such as 8080, 0.0.0.0:8080 or [::]:8080")
    return host.removeprefix("[").removesuffix("]") or LOOPBACK, int(port)


def read_token(path: Path | None, environment: Mapping[str, str] = os.environ) -> str:
    """Read the token from the first line of a file, or from the environment where no file is given.

    Returns:
        The token; empty where there is none.

    Raises:
        UsageError: if the file cannot be read, or holds none.
    """
    if path is None:
        return environment.get(TOKEN_VARIABLE, "").strip()
    try:
        token = path.read_text().partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the page's token from {path}: {error}") from error
    if not token:
        raise UsageError(f"{path} holds no token in its first line")
    return token
