"""From what the user names to images: files, folders, patterns, lists and videos, one frame at a time."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

from lightcam_edge.errors import InputError
from lightcam_edge.images import Photo, read_image
from lightcam_edge.video import VIDEO_SUFFIXES, read_video

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".pnm")
)
SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES
STDIN = "-"
LOOK_AHEAD = 2  # decoded photographs that wait at most; one of 12 megapixels takes 36 MB
Result = TypeVar("Result")
Outcome = tuple[Result, None] | tuple[None, BaseException]


@dataclass(frozen=True, slots=True)
class Source:
    """One image or video file.

    Args:
        path: the file, as the user would name it.
        inside: its path inside the folder that the user named; its bare name otherwise.
        error: why there is nothing to read; empty where there may be.
    """

    path: Path
    inside: Path
    error: str = ""

    @property
    def is_video(self) -> bool:
        """Whether the file's name says that it is a video."""
        return self.path.suffix.lower() in VIDEO_SUFFIXES


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of a source, decoded, or the reason why there is none.

    Args:
        source: where it comes from.
        index: its number in a video; 0 for an image.
        photo: the decoded image; None where that failed.
        error: why it failed.
        decode_ms: time it took to decode.
        frame_rate: of the video, in frames/s; 0 for an image.
    """

    source: Source
    index: int = 0
    photo: Photo | None = None
    error: str = ""
    decode_ms: float = 0.0
    frame_rate: float = 0.0


def find_sources(
    paths: Iterable[str], stdin: Iterable[str], leave_out: Path | None = None
) -> Iterator[Source]:
    """Find the files that paths name.

    Args:
        paths: files, folders (searched through, sorted), patterns, and `-` for the list on stdin.
        stdin: lines that name files, folders or patterns.
        leave_out: a folder that is not searched: where results are written.

    Yields:
        Sources in the order named; one with an error where nothing is there.
    """
    for path in paths:
        if path == STDIN:
            for line in stdin:
                if name := line.rstrip("\r\n"):
                    yield from _expand(name, leave_out)
        else:
            yield from _expand(path, leave_out)


def _expand(name: str, leave_out: Path | None) -> Iterator[Source]:
    path = Path(name)
    if path.is_dir():
        yield from _search(path, leave_out)
    elif any(character in name for character in "*?[") and not path.exists():
        yield from _match(name, leave_out)
    else:
        yield Source(path, Path(path.name))


def _search(folder: Path, leave_out: Path | None) -> Iterator[Source]:
    wanted = (path for path in _walk(folder) if not _is_inside(path, leave_out))
    found = sorted(wanted, key=lambda path: path.parts)
    if not found:
        yield Source(folder, Path(folder.name), f"{folder} holds no image or video: give a folder that does")
    for path in found:
        yield Source(path, path.relative_to(folder))


def _walk(folder: Path) -> Iterator[Path]:
    """Images and videos; hidden ones are half-written, or what macOS leaves beside images."""
    for place, folders, names in os.walk(folder):
        folders[:] = (name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(place, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES and path.is_file():
                yield path


def _is_inside(path: Path, folder: Path | None) -> bool:
    return folder is not None and path.resolve().is_relative_to(folder.resolve())


def _match(pattern: str, leave_out: Path | None) -> Iterator[Source]:
    import glob

    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    if not found:
        yield Source(Path(pattern), Path(pattern), f"{pattern} matches no file")
    for name in found:
        yield from _expand(name, leave_out)


def read_frames(source: Source, enough_hw: tuple[int, int] | None) -> Iterator[Frame]:
    """Read the image, or the frames of the video, one at a time.

    Args:
        source: the file.
        enough_hw: a size that is enough, see `images.read_image`; None for full size.

    Yields:
        Frames; a last one with an error where reading fails.
    """
    if source.error:
        yield Frame(source, error=source.error)
    elif source.is_video:
        yield from _read_video(source)
    else:
        yield _read_image(source, enough_hw)


def _read_image(source: Source, enough_hw: tuple[int, int] | None) -> Frame:
    started = time.perf_counter_ns()
    try:
        photo = read_image(source.path, enough_hw)
    except InputError as error:
        return Frame(source, error=str(error))
    return Frame(source, photo=photo, decode_ms=(time.perf_counter_ns() - started) / 1e6)


def _read_video(source: Source) -> Iterator[Frame]:
    index = 0
    started = time.perf_counter_ns()
    try:
        for photo, frame_rate in read_video(source.path):
            decode_ms = (time.perf_counter_ns() - started) / 1e6
            yield Frame(source, index, photo, decode_ms=decode_ms, frame_rate=frame_rate)
            index += 1
            started = time.perf_counter_ns()
    except InputError as error:
        yield Frame(source, index, error=str(error))


@contextmanager
def work_ahead(
    sources: Iterable[Source],
    enough_hw: tuple[int, int] | None,
    work: Callable[[Frame], Result],
    workers: int,
) -> Iterator[Iterator[Result]]:
    """Read frames and work on each in other threads, while the caller looks at earlier results.

    An image is decoded by the thread that works on it, a video's frames by one
    at a time. Each thread takes what comes next by itself: one that handed out
    the frames would have to be woken for each. Results come in order, each as
    soon as it is there, even where the next source is not known yet;
    `LOOK_AHEAD` wait beside those that are worked on.

    Args:
        sources: what to read.
        enough_hw: see `read_frames`.
        work: called in one of `workers` threads, with each frame.
        workers: how many work at a time, at least 1.
    """
    import threading
    from queue import SimpleQueue  # in C: the futures and semaphores of the library are slower by far

    tasks = _tasks(sources, enough_hw, work)
    promised: SimpleQueue[SimpleQueue[Outcome[Result]] | None] = SimpleQueue()
    room: SimpleQueue[None] = SimpleQueue()
    turn, stopped = threading.Lock(), threading.Event()

    def labour(busy: threading.Lock) -> None:
        while True:
            room.get()
            with turn:
                task = None if stopped.is_set() else next(tasks, None)
                promise: SimpleQueue[Outcome[Result]] = SimpleQueue()
                promised.put(None if task is None else promise)
            with busy:
                if task is None or stopped.is_set():
                    return
                try:
                    promise.put((task(), None))
                except BaseException as error:
                    promise.put((None, error))

    def results() -> Iterator[Result]:
        while (promise := promised.get()) is not None:
            outcome = promise.get()
            if outcome[1] is not None:
                raise outcome[1]
            room.put(None)
            yield outcome[0]

    def make_room(count: int) -> None:
        for _ in range(count):
            room.put(None)

    make_room(workers + LOOK_AHEAD)
    at_work = [threading.Lock() for _ in range(workers)]
    for busy in at_work:
        threading.Thread(target=labour, args=(busy,), daemon=True).start()  # may wait for stdin for ever
    try:
        yield results()
    finally:
        stopped.set()
        make_room(workers)
        for busy in at_work:  # Python must not end while a thread is inside a native library
            with busy:
                pass


def _tasks(
    sources: Iterable[Source], enough_hw: tuple[int, int] | None, work: Callable[[Frame], Result]
) -> Iterator[Callable[[], Result]]:
    """What there is to do for each frame; the last one raises what went wrong while looking for sources."""
    try:
        for source in sources:
            if source.is_video or source.error:
                yield from (partial(work, frame) for frame in read_frames(source, enough_hw))
            else:
                yield partial(_read_and_work, source, enough_hw, work)
    except Exception as error:
        yield partial(_raise, error)


def _read_and_work(
    source: Source, enough_hw: tuple[int, int] | None, work: Callable[[Frame], Result]
) -> Result:
    return work(_read_image(source, enough_hw))


def _raise(error: Exception) -> NoReturn:
    raise error
