"""A run over many images: what `lightcam-edge run` does once its options are read."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from lightcam_edge.errors import InputError, LightcamError
from lightcam_edge.localizer import Localization, Localizer, Stopwatch
from lightcam_edge.progress import Progress
from lightcam_edge.records import error_record, found_line, found_record
from lightcam_edge.sources import STDIN, Frame, Source, find_sources, read_frames, work_ahead

if TYPE_CHECKING:
    from lightcam_edge.outputs import OutputFolder

Pair = tuple[Frame, Localization | None]


class Crew:
    """Localizers that work side by side, each for one thread at a time.

    Args:
        localizers: of one model, with the same options.
    """

    def __init__(self, localizers: Iterable[Localizer]) -> None:
        import queue

        self._idle: queue.SimpleQueue[Localizer] = queue.SimpleQueue()
        for localizer in localizers:
            self._idle.put(localizer)

    def look(self, frame: Frame) -> Pair:
        """Localize in a frame, if it could be read."""
        localizer = self._idle.get()
        try:
            return frame, look(localizer, frame)
        finally:
            self._idle.put(localizer)


def look(localizer: Localizer, frame: Frame) -> Localization | None:
    """Localize in a frame; None where it could not be read."""
    if frame.photo is None:
        return None
    return localizer.localize(frame.photo, Stopwatch({"decode": frame.decode_ms}))


def run(
    make_localizer: Callable[[int], Localizer],
    threads: int,
    paths: Iterable[str],
    stdin: Iterable[str] = (),
    folder: "OutputFolder | None" = None,
    as_json: bool = False,
    quiet: bool = False,
) -> int:
    """Localize in everything that paths name, and print each result as it comes.

    One image gets all threads; of many, each thread takes one at a time, which
    keeps all cores busy with decoding, too.

    Args:
        make_localizer: gives one that runs the network on so many threads.
        threads: how many there are, at least 1.
        paths: see `sources.find_sources`.
        stdin: see `sources.find_sources`.
        folder: for pictures, if they are wanted.
        as_json: print JSON lines instead of lines to read.
        quiet: print errors and JSON lines only.

    Returns:
        How many images could not be read.

    Raises:
        InputError: if there is no image at all.
        LightcamError: if a result cannot be written.
    """
    paths = tuple(paths)
    sources: Iterable[Source] = find_sources(paths, stdin, leave_out=None if folder is None else folder.path)
    count = None
    # A list on stdin is taken as it comes, unless all inputs must be known so that none is overwritten.
    if STDIN not in paths or folder is not None:
        sources = list(sources)
        count = None if any(source.is_video for source in sources) else len(sources)
    if folder is not None:
        folder.protect(source.path for source in sources)
    localizer = make_localizer(threads if count == 1 else 1)
    progress = Progress(count, shown=not quiet and count != 1)
    enough_hw = localizer.input_hw if folder is None else None
    with ExitStack() as stack:
        if folder is not None:
            stack.enter_context(folder)
        if count == 1:
            pairs = _one_by_one(sources, enough_hw, localizer)
        else:
            crew = Crew([localizer, *(make_localizer(1) for _ in range(threads - 1))])
            pairs = stack.enter_context(work_ahead(sources, enough_hw, crew.look, threads))
        for frame, found in pairs:
            line = _take(frame, found, localizer, folder, as_json, quiet)
            progress.clear()
            if frame.error:
                click.echo(f"error: {frame.error}", err=True)
            if line:
                _print(line)
            progress.count(bool(frame.error))
    progress.clear()
    if not progress.done:
        raise InputError("there is no image: the list on stdin is empty")
    if count != 1 and not quiet:
        click.echo(progress.summary(), err=True)
    return progress.failed


def _print(line: str) -> None:
    try:
        click.echo(line)
    except BrokenPipeError:  # the reader has gone: click ends quietly
        raise
    except OSError as error:
        raise LightcamError(f"cannot print results: {error.strerror}") from error


def _one_by_one(
    sources: Iterable[Source], enough_hw: tuple[int, int] | None, localizer: Localizer
) -> Iterator[Pair]:
    """The short way for one image: no other thread."""
    for source in sources:
        for frame in read_frames(source, enough_hw):
            yield frame, look(localizer, frame)


def _take(
    frame: Frame,
    found: Localization | None,
    localizer: Localizer,
    folder: "OutputFolder | None",
    as_json: bool,
    quiet: bool,
) -> str:
    """Save what is wanted of a frame, and return the line to print."""
    if frame.photo is None or found is None:
        return json.dumps(error_record(frame)) if as_json else ""
    if folder is not None:
        folder.save(frame, frame.photo.pixels, found)
    if as_json:
        return json.dumps(found_record(frame, found, localizer))
    return "" if quiet else found_line(frame, found, localizer)
