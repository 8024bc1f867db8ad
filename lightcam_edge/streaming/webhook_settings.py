"""Where a webhook is, and how its receiver knows that we are who we are."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from lightcam_edge.digest import short_digest
from lightcam_edge.errors import UsageError
from lightcam_edge.streaming.credentials import read_secret_file, split_address
from lightcam_edge.streaming.tls import client_context

SECRET = "LIGHTCAM_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """A receiver of events.

    Args:
        url: not for messages: its path is often what keeps others from it.
        secret: signs what is sent; None where nothing is signed.
        tls: trusted authorities, for https.
        timeout_s: how long each step of a request may take, in seconds.
        snapshots: send the picture too, as base64.
        retry_s: first and longest wait between two attempts, in seconds.
    """

    url: str = field(repr=False)
    secret: bytes | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    timeout_s: float = 10.0
    snapshots: bool = False
    retry_s: tuple[float, float] = (1.0, 60.0)

    @classmethod
    def parse(
        cls,
        url: str,
        secret_file: Path | None = None,
        ca_file: Path | None = None,
        timeout_s: float = 10.0,
        snapshots: bool = False,
        environment: Mapping[str, str] = os.environ,
    ) -> "WebhookSettings":
        """Read a receiver's address and options.

        Args:
            url: `https://HOST[:PORT]/PATH`, or `http://`; without user name and password.
            secret_file: holds the secret of signatures; where None, LIGHTCAM_WEBHOOK_SECRET is read.
            ca_file: PEM certificates of the authorities to trust instead of the system's.
            timeout_s: see above.
            snapshots: see above.
            environment: where the variable is.

        Raises:
            UsageError: if any of them makes no sense or cannot be read.
        """
        parts = split_address(
            url, "webhook", ("https", "http"), f"set {SECRET} and let the receiver check signatures"
        )
        if not url.isascii() or any(character <= " " for character in url):
            raise UsageError("the address of the webhook holds a character that must be written as %XX")
        if not timeout_s > 0:
            raise UsageError(f"a time-out of {timeout_s} s is too short for the webhook: give 1 or more")
        if ca_file and parts.scheme == "http":
            raise UsageError("certificates are for TLS: let the address of the webhook begin with https://")
        secret = read_secret_file(secret_file) if secret_file else environment.get(SECRET, "")
        return cls(url, secret.encode() or None, client_context(ca_file), timeout_s, snapshots)

    @property
    def address(self) -> str:
        """For messages, as `https://host:8443`."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def queue_file(self) -> str:
        """Name of the file in which this receiver's events wait."""
        return f"webhook-{short_digest(self.url)}"
