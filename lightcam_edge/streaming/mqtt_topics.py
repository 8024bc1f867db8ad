"""The topics of a device, all below one prefix."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from lightcam_edge.errors import UsageError

LONGEST_PREFIX = 200


def topic_name(name: str) -> str:
    """A name as one level of a topic: letters, digits, `_` and `-`, accents gone; never empty."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_") or "unnamed"


def check_prefix(prefix: str, what: str) -> str:
    """A prefix that is fit for topics, without a slash at its end.

    Raises:
        UsageError: if it is empty, too long, or holds a wildcard, an empty level or a control character.
    """
    prefix = prefix.rstrip("/")
    unfit = re.search(r"[+#\x00-\x1f\x7f]|^\$|^/|//", prefix)
    if not prefix or unfit or len(prefix) > LONGEST_PREFIX:
        raise UsageError(
            f"{what} {prefix!r} does not do: write names between slashes, without + and #, as home/porch"
        )
    return prefix


@dataclass(frozen=True, slots=True)
class CameraTopics:
    """The topics of one camera."""

    base: str

    @property
    def availability(self) -> str:
        """`online` while it gives pictures, else `offline`; retained."""
        return f"{self.base}/availability"

    @property
    def events(self) -> str:
        """Its events."""
        return f"{self.base}/events"

    @property
    def state(self) -> str:
        """What is in the picture; retained."""
        return f"{self.base}/state"

    @property
    def diagnostics(self) -> str:
        """How the camera is; retained."""
        return f"{self.base}/diagnostics"

    @property
    def snapshot(self) -> str:
        """The newest JPEG of an event; retained."""
        return f"{self.base}/snapshot"

    @property
    def retained(self) -> tuple[str, ...]:
        """All that the broker keeps."""
        return (self.availability, self.state, self.diagnostics, self.snapshot)


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of a device.

    Args:
        prefix: what they all begin with.
    """

    prefix: str

    @property
    def availability(self) -> str:
        """`online` while the program runs and is connected, else `offline`; retained, and the last will."""
        return f"{self.prefix}/availability"

    def camera(self, name: str) -> CameraTopics:
        """Those of a camera, by its name or its topic name."""
        return CameraTopics(f"{self.prefix}/{topic_name(name)}")


def check_cameras(cameras: Sequence[str]) -> None:
    """Refuse cameras that would share their topics.

    Raises:
        UsageError: if two names differ only in what topics leave out.
    """
    taken: dict[str, str] = {}
    for camera in cameras:
        other = taken.setdefault(topic_name(camera), camera)
        if other != camera:
            raise UsageError(f"the cameras {other!r} and {camera!r} would share their topics: rename one")
