"""`lightcam-edge stream`: find objects in what cameras see, for as long as they run."""

import errno
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from lightcam_edge.commands import completing
from lightcam_edge.commands.localizing import localizer_options
from lightcam_edge.commands.stream_options import OF_CAMERA, OF_STREAM, by_key, checks, streaming
from lightcam_edge.errors import LightcamError, UsageError
from lightcam_edge.streaming.config import SOURCES, Config, ConfigError, read_config

if TYPE_CHECKING:
    from lightcam_edge.localizer import Localizer
    from lightcam_edge.streaming.listeners import Listeners
    from lightcam_edge.streaming.planning import Wishes
    from lightcam_edge.streaming.sources.cameras import FoundCamera
    from lightcam_edge.streaming.watched import CameraPlan


@click.command("stream")
@click.argument("sources", nargs=-1, metavar="[SOURCE]...", shell_complete=completing.files)
@streaming
def command(sources: tuple[str, ...], list_cameras: bool, check_config: bool, **values: Any) -> None:
    """Find objects in what cameras see, now and for months.

    SOURCE is 0 or v4l2:///dev/video0 (USB), csi://0 (ribbon cable),
    rtsp://HOST/PATH, http://HOST/PATH (MJPEG), a video file, a folder of
    images, or - (MJPEG or raw frames on stdin). A ${VARIABLE} in it is looked
    up, which keeps passwords out of the list of processes.

    The newest picture wins: what comes faster than it can be looked at is left
    out. A camera that is lost is connected to again. Ctrl-C and SIGTERM stop
    within a second.

    Exit codes: 0 stopped or over, 1 a source or output failed, 2 wrong usage,
    3 bad model or missing runtime.
    """
    if list_cameras:
        _print_cameras(values["as_json"])
        return
    given = {name: value for name, value in values.items() if _is_given(name)}
    names = values["names"]
    if check_config:
        _check(sources, names, values, given)
        return
    wishes = _wishes(sources, names, values, given)
    click.get_current_context().exit(_stream(wishes))


def _is_given(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _wishes(
    sources: tuple[str, ...], names: tuple[str, ...], values: dict[str, Any], given: dict[str, Any]
) -> "Wishes":
    from lightcam_edge.streaming.planning import Wishes, named_sources

    config = Config() if values["config"] is None else _config(values["config"])
    return Wishes(values, config, given, named_sources(sources, names))


def _config(path: Any) -> Config:
    """The file, with values by name of the option instead of by key."""
    of_camera, of_stream = by_key(OF_CAMERA), by_key(OF_STREAM)
    options = of_camera | of_stream
    read = read_config(path, checks(options), (*of_camera, *SOURCES))

    def by_name(table: Any) -> dict[str, Any]:
        return {str(options[key].name) if key in options else key: value for key, value in table.items()}

    cameras = {name: by_name(section) for name, section in read.cameras.items()}
    return replace(read, options=by_name(read.options), cameras=cameras)


def _stream(wishes: "Wishes") -> int:
    """Run the stream. Returns the exit code."""
    from lightcam_edge.streaming.attending import Attendance, Stop
    from lightcam_edge.streaming.console import Console
    from lightcam_edge.streaming.output_pipe import OutputPipe
    from lightcam_edge.streaming.pipeline import Pipeline
    from lightcam_edge.streaming.service import Notifier
    from lightcam_edge.streaming.sources.redaction import native_log_redacted

    values = wishes.of_stream
    console, stop = Console(values["quiet"]), Stop()
    logging.getLogger().addHandler(console)
    try:
        with native_log_redacted(), stop.listening():
            localizer, listeners, plans = _plan(wishes)
            pipeline = Pipeline(plans, localizer, listeners.want_snapshots, values["frames"])
            stdout = OutputPipe(_stdout_descriptor(), pipeline.finish)
            sinks = [console, *listeners.open(pipeline, stdout)]
            attendance = Attendance(pipeline, console, Notifier(), values["seconds"])
            ended = attendance.attend(sinks, stop)
    finally:
        logging.getLogger().removeHandler(console)
    code = 1 if pipeline.failed_cameras else 0
    if not ended:
        os._exit(code)  # a native library that does not return would take the interpreter's end down
    if stdout.gone:
        raise BrokenPipeError(errno.EPIPE, "the reader has gone")  # click ends quietly
    return code


def _stdout_descriptor() -> int:
    return os.open(os.devnull, os.O_WRONLY) if sys.stdout is None else sys.stdout.fileno()


def _plan(wishes: "Wishes") -> "tuple[Localizer, Listeners, list[CameraPlan]]":
    """Check everything that is wished for, and load the model."""
    from lightcam_edge.streaming.listeners import Listeners
    from lightcam_edge.streaming.planning import check_together, placed, plan_camera

    listeners = Listeners.parse(wishes.of_stream, lambda option: placed(wishes.place(option)))
    # Before the model is loaded, which takes longer.
    check_together([plan_camera(wishes, name, localizer_options) for name in wishes.cameras])
    with placed(wishes.place("model")):
        localizer = _localizer(wishes.of_stream)
    enough_hw = None if listeners.want_pictures else localizer.input_hw
    plans = [plan_camera(wishes, name, localizer_options, enough_hw) for name in wishes.cameras]
    return localizer, listeners, plans


def _localizer(values: dict[str, Any]) -> "Localizer":
    from lightcam_edge.catalogue import DEFAULT_MODEL
    from lightcam_edge.localizer import Localizer

    # The command line keeps the runtime's log lines from the user, see native_log.
    return Localizer(
        values["model"] or DEFAULT_MODEL, threads=values["threads"], backend=values["backend"], verbose=True
    )


def _check(
    sources: tuple[str, ...], names: tuple[str, ...], values: dict[str, Any], given: dict[str, Any]
) -> None:
    """Say what would be done, or everything that is wrong with it.

    Raises:
        LightcamError: the last thing that is wrong; the others are printed.
    """
    told: list[str] = []
    problems: list[LightcamError] = []
    try:
        wishes = _wishes(sources, names, values, given)
    except ConfigError as error:
        problems += [UsageError(problem) for problem in error.problems]
    else:
        told = _told(wishes, problems)
    for problem in problems[:-1]:
        click.echo(f"error: {problem}", err=True)
    if problems:
        raise problems[-1]
    for line in told:
        click.echo(line)


def _told(wishes: "Wishes", problems: list[LightcamError]) -> list[str]:
    """What each camera would do; what is wrong with anything is added to the problems."""
    from lightcam_edge.streaming.listeners import Listeners
    from lightcam_edge.streaming.planning import check_together, placed, plan_camera

    @contextmanager
    def trying(place: str) -> Iterator[None]:
        try:
            with placed(place):
                yield
        except LightcamError as error:
            problems.append(error)

    told: list[str] = []
    plans: list[CameraPlan] = []
    localizer: Localizer | None = None
    Listeners.parse(wishes.of_stream, lambda option: trying(wishes.place(option)))
    with trying(wishes.place("model")):
        localizer = _localizer(wishes.of_stream)
    for name in wishes.cameras:
        with trying(""):
            plans.append(plan_camera(wishes, name, localizer_options))
            if localizer is not None:
                with placed(wishes.place_of_camera(name)):
                    told.append(_plan_text(plans[-1], localizer))
    with trying(""):
        check_together(plans)
    return told


def _plan_text(plan: "CameraPlan", localizer: "Localizer") -> str:
    own = localizer.with_options(plan.options)
    return f"{plan.name}: {plan.spec}  {own.card.name}, {own.method}, threshold {own.rule.threshold:g}"


def _print_cameras(as_json: bool) -> None:
    """Print the cameras of this machine."""
    from lightcam_edge.streaming.sources.cameras import NO_CAMERA, list_cameras

    found = list_cameras()
    for camera in found:
        click.echo(json.dumps(asdict(camera)) if as_json else _camera_text(camera))
    if not found:
        click.echo(NO_CAMERA, err=True)


def _camera_text(camera: "FoundCamera") -> str:
    modes = [f"  {mode.width}x{mode.height} {mode.pixel_format}{_rates(mode.fps)}" for mode in camera.modes]
    problem = [f"  {camera.problem}"] if camera.problem else []
    return "\n".join([f"{camera.source}  {camera.name} ({camera.driver})", *problem, *modes])


def _rates(fps: tuple[float, ...]) -> str:
    return f"  {', '.join(f'{rate:g}' for rate in fps)} frames/s" if fps else ""
