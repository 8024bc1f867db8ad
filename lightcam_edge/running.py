"""A run over many images: what `lightcam-edge run` does once its options are read."""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from lightcam_edge.errors import InputError, LightcamError
from lightcam_edge.localizer import Localizer, Stopwatch
from lightcam_edge.progress import Progress
from lightcam_edge.records import error_record, found_line, found_record
from lightcam_edge.sources import STDIN, Frame, Source, find_sources, read_ahead, read_frames

if TYPE_CHECKING:
    from lightcam_edge.outputs import OutputFolder


def run(
    localizer: Localizer,
    paths: Iterable[str],
    stdin: Iterable[str] = (),
    folder: "OutputFolder | None" = None,
    as_json: bool = False,
    quiet: bool = False,
) -> int:
    """Localize in everything that paths name, and print each result as it comes.

    Args:
        localizer: finds the objects.
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
    progress = Progress(count, shown=not quiet and count != 1)
    enough_hw = localizer.input_hw if folder is None else None
    with ExitStack() as stack:
        if folder is not None:
            stack.enter_context(folder)
        frames = (
            _read(sources, enough_hw) if count == 1 else stack.enter_context(read_ahead(sources, enough_hw))
        )
        for frame in frames:
            line = _take(frame, localizer, folder, as_json, quiet)
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


def _read(sources: Iterable[Source], enough_hw: tuple[int, int] | None) -> Iterator[Frame]:
    """The short way for one image: no thread."""
    return (frame for source in sources for frame in read_frames(source, enough_hw))


def _take(
    frame: Frame, localizer: Localizer, folder: "OutputFolder | None", as_json: bool, quiet: bool
) -> str:
    """Localize in a frame, save what is wanted, and return the line to print."""
    if frame.photo is None:
        return json.dumps(error_record(frame)) if as_json else ""
    found = localizer.localize(frame.photo, Stopwatch({"decode": frame.decode_ms}))
    if folder is not None:
        folder.save(frame, frame.photo.pixels, found)
    if as_json:
        return json.dumps(found_record(frame, found, localizer))
    return "" if quiet else found_line(frame, found, localizer)
