"""Annotated video of a stream, in files that play at the speed of life."""

import itertools
import math
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from lightcam_edge.drawing import draw_boxes
from lightcam_edge.geometry import Fit, fit_pixels
from lightcam_edge.streaming.messages import CameraStatus, Event, StreamResult
from lightcam_edge.streaming.worker import Worker
from lightcam_edge.video import FRAME_RATE, VideoFile

SUFFIXES = (".mp4", ".mkv")
WAITING = 8  # pictures, at most
PAUSE_S = 1.0  # longer ones are cut out


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """How a video is kept.

    Args:
        path: the file, ending in .mp4 or .mkv.
        frame_rate: of the file, in frames/s; the cameras' pictures are repeated or left out to fit.
        segment_s: length of a file, in seconds, each with the time in its name; 0 is one file.
        keep: how many files of a camera are kept, the newest; 0 is all.
    """

    path: Path
    frame_rate: float = FRAME_RATE
    segment_s: float = 0.0
    keep: int = 0


class Recording:
    """A sink that writes the pictures of one camera with their boxes.

    An .mkv can be played while it is written, and after a power cut up to the
    last seconds; an .mp4 appears when it is finished. What lies there already
    is never written over. A file has the size of its first picture; others are
    fitted into it with bars, as those of a folder or of a camera that was set
    anew.

    Args:
        plan: how.
        camera: whose pictures.
        mark: put into the file's name where there are several cameras, else empty.
        patient: wait for a slow disk instead of dropping pictures.
    """

    def __init__(self, plan: RecordingPlan, camera: str, mark: str = "", patient: bool = False) -> None:
        self._plan = plan
        self._camera = camera
        self._stem = f"{plan.path.stem}-{mark}" if mark else plan.path.stem
        self._file: VideoFile | None = None
        self._size_hw = (0, 0)
        self._started_ns = 0
        self._written = 0
        self._paths: deque[Path] = deque(self._earlier())
        plan.path.parent.mkdir(parents=True, exist_ok=True)
        self._worker = Worker(f"video of {camera}", self._write, WAITING, self._end, patient)

    @property
    def dropped(self) -> int:
        """Pictures that the disk or the encoder was too slow for."""
        return self._worker.dropped

    def result(self, result: StreamResult) -> None:
        """Take a picture of the camera."""
        if result.frame.camera == self._camera:
            self._worker.give(result)

    def event(self, event: Event) -> None:
        """Nothing: the boxes are in the pictures."""

    def status(self, status: CameraStatus) -> None:
        """Nothing: a pause is cut out."""

    def close(self) -> None:
        """Finish the file, so that it plays."""
        self._worker.close()

    def _write(self, result: StreamResult) -> None:
        pixels = result.frame.photo.pixels
        size_hw = pixels.shape[0], pixels.shape[1]
        file = self._file_for(result, size_hw)
        due = self._due(result.frame.captured_ns)
        if not due:
            return
        picture = draw_boxes(pixels, result.found)
        if size_hw != self._size_hw:
            picture = fit_pixels(picture, Fit(size_hw, self._size_hw, "letterbox"))
        for _ in range(due):
            file.write(picture)
            self._written += 1

    def _file_for(self, result: StreamResult, size_hw: tuple[int, int]) -> VideoFile:
        """The file that is open, or another where it is long enough."""
        if 0 < self._plan.segment_s <= self._written / self._plan.frame_rate:
            self._end()
        if self._file is None:
            path = self._unused(result.frame.captured_at)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = VideoFile(path, self._plan.frame_rate, size_hw, in_place=path.suffix == ".mkv")
            self._size_hw, self._started_ns, self._written = size_hw, result.frame.captured_ns, 0
            self._paths.append(path)
            self._prune()
        return self._file

    def _due(self, captured_ns: int) -> int:
        """How often a picture is written for the file to be as long as life."""
        due = math.floor((captured_ns - self._started_ns) / 1e9 * self._plan.frame_rate) + 1 - self._written
        if due > PAUSE_S * self._plan.frame_rate:
            self._started_ns += round((due - 1) / self._plan.frame_rate * 1e9)
            return 1
        return max(0, due)

    def _end(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def _unused(self, at: float) -> Path:
        stem = self._stem
        if self._plan.segment_s:
            stem += time.strftime("-%Y%m%dT%H%M%S", time.localtime(at))
        for number in itertools.count(1):
            path = self._plan.path.with_name(
                f"{stem}{'' if number == 1 else f'-{number}'}{self._plan.path.suffix}"
            )
            if not path.exists():
                break
        return path

    def _earlier(self) -> list[Path]:
        """Segments of earlier runs, the oldest first."""
        if not (self._plan.segment_s and self._plan.keep):
            return []
        time_of = "[0-9]" * 8 + "T" + "[0-9]" * 6
        return sorted(self._plan.path.parent.glob(f"{self._stem}-{time_of}*{self._plan.path.suffix}"))

    def _prune(self) -> None:
        while self._plan.keep and len(self._paths) > self._plan.keep:
            self._paths.popleft().unlink(missing_ok=True)
