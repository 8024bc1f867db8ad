"""A run over many images: what `lightcam-edge run` does once its options are read."""

import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
import cv2

from lightcam_edge.errors import InputError, LightcamError
from lightcam_edge.localizer import Localization, Localizer, Stopwatch
from lightcam_edge.progress import Progress
from lightcam_edge.records import error_record, found_line, found_record
from lightcam_edge.sources import STDIN, Frame, Source, find_sources, read_frames, work_ahead

if TYPE_CHECKING:
    from lightcam_edge.outputs import OutputFolder

Describe = Callable[[Frame, Localization | None, Localizer], str]


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of a frame.

    Args:
        frame: it.
        found: what was found; None where it could not be read.
        line: to print; empty where there is nothing to say.
    """

    frame: Frame
    found: Localization | None
    line: str


class Crew:
    """Localizers that work side by side, each for one thread at a time.

    Args:
        localizers: of one model, with the same options; as many as threads will look.
        describe: makes the line to print.
    """

    def __init__(self, localizers: Iterable[Localizer], describe: Describe) -> None:
        self._describe = describe
        self._idle = list(localizers)  # taking and giving back one is atomic

    def look(self, frame: Frame) -> Looked:
        """Localize in a frame, if it could be read, and say what was found."""
        localizer = self._idle.pop()
        try:
            found = None
            if frame.photo is not None:
                found = localizer.localize(frame.photo, Stopwatch({"decode": frame.decode_ms}))
            return Looked(frame, found, self._describe(frame, found, localizer))
        finally:
            self._idle.append(localizer)


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
    members = [make_localizer(threads)] if count == 1 else [make_localizer(1) for _ in range(threads)]
    crew = Crew(members, _describe_as(as_json, quiet))
    progress = Progress(count, shown=not quiet and count != 1)
    enough_hw = members[0].input_hw if folder is None else None
    with ExitStack() as stack:
        if folder is not None:
            stack.enter_context(folder)
        results: Iterable[Looked]
        if count == 1:  # the short way: no other thread
            results = (crew.look(frame) for source in sources for frame in read_frames(source, enough_hw))
        else:
            cv2.setNumThreads(1)  # the cores are taken
            results = stack.enter_context(work_ahead(sources, enough_hw, crew.look, threads))
        for result in results:
            _save(result, folder)
            progress.clear()
            if result.frame.error:
                click.echo(f"error: {result.frame.error}", err=True)
            if result.line:
                _print(result.line)
            progress.count(bool(result.frame.error))
    progress.clear()
    if not progress.done:
        raise InputError("there is no image: the list on stdin is empty")
    if count != 1 and not quiet:
        click.echo(progress.summary(), err=True)
    return progress.failed


def _print(line: str) -> None:
    try:
        print(line, flush=True)  # click.echo looks at the terminal anew for each line
    except BrokenPipeError:  # the reader has gone: click ends quietly
        raise
    except OSError as error:
        raise LightcamError(f"cannot print results: {error.strerror}") from error


def _save(result: Looked, folder: "OutputFolder | None") -> None:
    if folder is not None and result.frame.photo is not None and result.found is not None:
        folder.save(result.frame, result.frame.photo.pixels, result.found)


def _describe_as(as_json: bool, quiet: bool) -> Describe:
    """What makes the line of a frame: a JSON object, words, or nothing."""

    def as_object(frame: Frame, found: Localization | None, localizer: Localizer) -> str:
        return json.dumps(error_record(frame) if found is None else found_record(frame, found, localizer))

    def as_words(frame: Frame, found: Localization | None, localizer: Localizer) -> str:
        return "" if quiet or found is None else found_line(frame, found, localizer)

    return as_object if as_json else as_words
