"""Who looks at which camera, and what each of them gets: the newest picture, never a queue."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from lightcam_edge.streaming.messages import StreamResult
from lightcam_edge.streaming.page.encoding import Kind

IN_FLIGHT = 2  # pictures under way to a viewer: the second hides the time of the first one's receipt
Encode = Callable[[StreamResult, Kind], bytes]


class Channel(Protocol):
    """The way to one viewer."""

    def send(self, message: bytes | str) -> None:
        """Send without waiting; what the viewer's connection cannot take closes it."""
        ...

    def cut(self, reason: str) -> None:
        """Close it."""
        ...


@dataclass(slots=True)
class Watch:
    """One viewer's look at one camera.

    Args:
        kind: which picture of it.
        shown: number of the newest picture sent.
        moments: when those under way were sent, in the loop's seconds.
    """

    kind: Kind
    shown: int = -1
    moments: list[float] = field(default_factory=list)


class Viewers:
    """Sends each viewer the newest picture as soon as it has drawn an earlier one; runs in one event loop.

    A viewer tells when it has drawn a picture, and at most `IN_FLIGHT` are on their way to it. So
    neither our buffers nor the network's fill up for one that is slow: it gets fewer pictures, and
    those are new. A picture is encoded when the first viewer is ready for it, once for all.

    Args:
        newest: the newest result of each camera; another thread puts them there.
        encode: makes a message of a result.
        interval: seconds between two pictures of a camera at least.
        patience: seconds until a viewer that draws nothing is cut off.
    """

    def __init__(
        self, newest: Mapping[str, StreamResult], encode: Encode, interval: float, patience: float
    ) -> None:
        self._newest = newest
        self._encode = encode
        self._interval = interval
        self._patience = patience
        self._watches: dict[Channel, dict[str, Watch]] = {}
        self._encoded: dict[tuple[str, Kind], tuple[int, bytes]] = {}
        self._due: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._watched: frozenset[str] = frozenset()
        self.encodings = 0

    def __len__(self) -> int:
        return len(self._watches)

    def join(self, channel: Channel) -> None:
        """Take in a viewer, who watches nothing yet."""
        self._watches[channel] = {}

    def leave(self, channel: Channel) -> None:
        """Forget a viewer."""
        self._watches.pop(channel, None)
        self._recount()

    def watch(self, channel: Channel, cameras: dict[str, Kind]) -> None:
        """Let a viewer watch these cameras and no others."""
        before = self._watches[channel]
        self._watches[channel] = {
            camera: before[camera] if camera in before and before[camera].kind == kind else Watch(kind)
            for camera, kind in cameras.items()
        }
        self._recount()
        for camera in cameras:
            self.offer(camera)

    def _recount(self) -> None:
        watches = [watch for watches in self._watches.values() for watch in watches.items()]
        self._watched = frozenset(camera for camera, _ in watches)
        wanted = {(camera, watch.kind) for camera, watch in watches}
        self._encoded = {key: message for key, message in self._encoded.items() if key in wanted}

    def drawn(self, channel: Channel, camera: str) -> None:
        """Take note that a viewer has drawn a picture of a camera."""
        watch = self._watches.get(channel, {}).get(camera)
        if watch is not None and watch.moments:
            watch.moments.pop(0)
            self.offer(camera)

    def wants(self, camera: str) -> bool:
        """Whether to `offer` a result that has just come; any thread may ask."""
        return camera in self._watched and camera not in self._waiting

    def offer(self, camera: str) -> None:
        """Send a camera's newest picture to those who are ready for it, now or as soon as one is due."""
        loop = asyncio.get_running_loop()
        if camera in self._waiting:
            return
        if (left := self._due.get(camera, 0.0) - loop.time()) > 0:
            self._waiting.add(camera)
            loop.call_later(left, self._send_due, camera)
        else:
            self._send_due(camera)

    def _send_due(self, camera: str) -> None:
        self._waiting.discard(camera)
        result = self._newest.get(camera)
        if result is None:
            return
        now = asyncio.get_running_loop().time()
        for channel, watches in list(self._watches.items()):
            watch = watches.get(camera)
            if watch and watch.shown != result.frame.index and len(watch.moments) < IN_FLIGHT:
                watch.shown = result.frame.index
                watch.moments.append(now)
                channel.send(self._message(result, watch.kind))
                self._due[camera] = now + self._interval

    def _message(self, result: StreamResult, kind: Kind) -> bytes:
        key = result.frame.camera, kind
        index, message = self._encoded.get(key, (-1, b""))
        if index != result.frame.index:
            message = self._encode(result, kind)
            self.encodings += 1
            self._encoded[key] = result.frame.index, message
        return message

    def tell(self, text: str) -> None:
        """Send a text to every viewer."""
        for channel in list(self._watches):
            channel.send(text)

    def cut_off_the_slow(self) -> None:
        """Close viewers that have drawn nothing for too long though a picture was sent."""
        limit = asyncio.get_running_loop().time() - self._patience
        for channel, watches in list(self._watches.items()):
            if any(watch.moments and watch.moments[0] < limit for watch in watches.values()):
                channel.cut("too slow")

    def close(self) -> None:
        """Close all."""
        for channel in list(self._watches):
            channel.cut("the stream ends")
