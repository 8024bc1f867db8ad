"""Writes pictures, crops and maps of what was found into a folder."""

import io
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from lightcam_edge import drawing
from lightcam_edge.choices import Overlay
from lightcam_edge.errors import LightcamError
from lightcam_edge.localizer import Localization
from lightcam_edge.model_file import write_atomically
from lightcam_edge.sources import Frame, Source
from lightcam_edge.video import VideoFile

UInt8 = npt.NDArray[np.uint8]


class OutputFolder:
    """A folder of results: no file overwrites another of the same run, nor an input.

    Args:
        folder: where; made if missing.
        overlay: `none` is the photograph with its boxes, `side-by-side` has
            the heat map beside it, `alone` is the heat map with the boxes.
        crops: cut out each box too.
        maps: write each activation map too, as .npy over the model's input frame.

    Raises:
        LightcamError: if the folder cannot be made.
    """

    def __init__(
        self, folder: Path, overlay: Overlay = "none", crops: bool = False, maps: bool = False
    ) -> None:
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self.path = folder.resolve()
        self._overlay = overlay
        self._crops = crops
        self._maps = maps
        self._taken: set[Path] = set()
        self._source: Source | None = None
        self._picture_path = self.path
        self._video: VideoFile | None = None

    def __enter__(self) -> "OutputFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_video(kind is None)

    def protect(self, inputs: Iterable[Path]) -> None:
        """Leave these files as they are, should they lie where a result would."""
        self._taken.update(path.resolve() for path in inputs)

    def save(self, frame: Frame, pixels: UInt8, found: Localization) -> None:
        """Write what is wanted of a frame.

        Args:
            frame: which one; a video's frames come one after the other.
            pixels: (h, w, 3) uint8 RGB, at full size.
            found: what was found in it.

        Raises:
            LightcamError: if a file cannot be written.
        """
        with _told(self.path):
            if frame.source is not self._source:
                self._start(frame.source)
            picture = self._picture(pixels, found)
            if frame.source.is_video:
                self._add_to_video(picture, frame.frame_rate)
            else:
                write_atomically(self._picture_path, drawing.to_jpeg(picture))
            self._save_extras(frame, pixels, found)

    def _start(self, source: Source) -> None:
        self._end_video(True)
        self._source = source
        self._picture_path = self._unused(
            source.inside.with_suffix(""), ".mp4" if source.is_video else ".jpg"
        )
        self._picture_path.parent.mkdir(parents=True, exist_ok=True)

    def _unused(self, stem: Path, ending: str) -> Path:
        for number in itertools.count(1):
            path = self.path / stem.with_name(f"{stem.name}{'' if number == 1 else f'-{number}'}{ending}")
            if path not in self._taken:
                break
        self._taken.add(path)
        return path

    def _picture(self, pixels: UInt8, found: Localization) -> UInt8:
        if self._overlay == "none":
            return drawing.draw_boxes(pixels, found)
        heat = drawing.draw_boxes(drawing.draw_heat(pixels, found), found)
        if self._overlay == "alone":
            return heat
        return drawing.side_by_side(drawing.draw_boxes(pixels, found), heat)

    def _add_to_video(self, picture: UInt8, frame_rate: float) -> None:
        if self._video is None:
            self._video = VideoFile(self._picture_path, frame_rate, (picture.shape[0], picture.shape[1]))
        self._video.write(picture)

    def _end_video(self, whole: bool) -> None:
        if self._video is not None:
            self._video.close(whole)
            self._video = None

    def _save_extras(self, frame: Frame, pixels: UInt8, found: Localization) -> None:
        name = self._picture_path.stem + (f".{frame.index:06d}" if frame.source.is_video else "")
        stem = self._picture_path.relative_to(self.path).with_name(name)
        if self._maps:
            content = io.BytesIO()
            np.save(content, found.cam)
            write_atomically(self._unused(stem, ".npy"), content.getvalue())
        if self._crops:
            for number, detection in enumerate(found.detections, 1):
                cut = drawing.to_jpeg(drawing.crop(pixels, detection.box))
                write_atomically(self._unused(stem, f".crop-{number}.jpg"), cut)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LightcamError(f"cannot write to {folder}: {error.strerror}") from error
