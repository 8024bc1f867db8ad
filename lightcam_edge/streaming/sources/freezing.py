"""Whether a picture still changes."""

import time
import zlib

import numpy as np

from lightcam_edge.images import Photo

GRID = 96  # rows and columns of pixels that are looked at: sensor noise changes some of any few


class FreezeWatch:
    """Tells for how long a picture has not changed at all."""

    def __init__(self) -> None:
        self._seen: tuple[tuple[int, int], int] | None = None
        self._since_ns = time.monotonic_ns()

    def see(self, photo: Photo) -> None:
        """Take the next picture."""
        height, width = photo.pixels.shape[:2]
        grid = photo.pixels[:: max(height // GRID, 1), :: max(width // GRID, 1)]
        seen = photo.image_hw, zlib.crc32(np.ascontiguousarray(grid).data)
        if seen != self._seen:
            self._seen = seen
            self._since_ns = time.monotonic_ns()

    def still_seconds(self) -> float:
        """Seconds since the first of the identical pictures."""
        return (time.monotonic_ns() - self._since_ns) / 1e9
