"""One connection to a camera, in a thread that can be left behind."""

import threading
import time
from collections.abc import Callable

from lightcam_edge.errors import LightcamError
from lightcam_edge.streaming.sources.freezing import FreezeWatch
from lightcam_edge.streaming.sources.reading import Camera, CorruptPictureError, Picture
from lightcam_edge.streaming.sources.redaction import redact


class Session:
    """Opens a camera, reads it to its end and closes it.

    A native library may never return from a call. So nothing ever waits for
    this thread without a limit: whoever gives up on it calls `leave`, and it
    ends by itself if it comes back.

    Args:
        name: of the camera.
        camera: the camera.
        accept: takes each picture in the session's thread; may wait.
        wants: asked in that thread whether a picture that has arrived should be decoded.
        news: set when the first picture has come, and when it is over.
    """

    def __init__(
        self,
        name: str,
        camera: Camera,
        accept: Callable[["Session", Picture], None],
        wants: Callable[["Session", int], bool],
        news: threading.Event,
    ) -> None:
        self.pictures = 0
        self.corrupt = 0
        self.failure: Exception | None = None
        self.freeze_watch = FreezeWatch()
        self._camera = camera
        self._accept = accept
        self._wants = wants
        self._news = news
        self._left = threading.Event()
        self._over = threading.Event()
        self._quiet_since_ns: int | None = time.monotonic_ns()
        self._thread = threading.Thread(target=self._run, name=f"capture of {name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._camera.open()
            while not self._left.is_set() and self._read_one():
                pass
        except Exception as error:  # a camera library may raise anything; it must not end the stream
            self.failure = error
        finally:
            self._close()

    def _read_one(self) -> bool:
        try:
            picture = self._camera.read(self._is_wanted)
        except CorruptPictureError:
            self.corrupt += 1
            return True
        if picture is None:
            return False
        self._quiet_since_ns = None  # what follows may wait for the consumer
        self.pictures += 1
        self.freeze_watch.see(picture.photo)
        self._accept(self, picture)
        self._quiet_since_ns = time.monotonic_ns()
        if self.pictures == 1:
            self._news.set()
        return True

    def _is_wanted(self, arrived_ns: int) -> bool:
        wanted = self._wants(self, arrived_ns)
        if not wanted:  # and so it is not known whether it can be decoded, but it came
            self._quiet_since_ns = time.monotonic_ns()
        return wanted

    def _close(self) -> None:
        try:
            self._camera.close()
        except Exception as error:
            self.failure = self.failure or error
        self._over.set()
        self._news.set()

    def quiet_seconds(self) -> float:
        """For how long the camera has been waited for."""
        since_ns = self._quiet_since_ns
        return 0.0 if since_ns is None else (time.monotonic_ns() - since_ns) / 1e9

    @property
    def is_left(self) -> bool:
        """Whether nobody wants its pictures any more."""
        return self._left.is_set()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and let go of the camera."""
        return self._over.is_set()

    def why(self) -> str:
        """Why it failed, without any password; empty where it came to its end."""
        if self.failure is None:
            return ""
        if isinstance(self.failure, LightcamError):
            return redact(self.failure)
        return redact(f"{type(self.failure).__name__}: {self.failure}")

    def leave(self, timeout: float = 0.0) -> bool:
        """Want no more pictures.

        Args:
            timeout: seconds to wait for its end at most.

        Returns:
            Whether it has ended.
        """
        self._left.set()
        self._camera.interrupt()
        return self._over.wait(timeout)
