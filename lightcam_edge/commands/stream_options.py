"""The options of `lightcam-edge stream`, and which of them a camera may have for itself."""

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import click

from lightcam_edge.choices import BACKENDS, LINES
from lightcam_edge.commands import completing
from lightcam_edge.commands.benchmark import duration_s
from lightcam_edge.commands.localizing import MODEL, OPTIONS, decorate
from lightcam_edge.errors import UsageError
from lightcam_edge.streaming.config import Check
from lightcam_edge.streaming.credentials import read_secret_file
from lightcam_edge.streaming.sources.grammar import Flip, PixelFormat, Rotation
from lightcam_edge.streaming.steadiness import Steadiness

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
COUNT = click.IntRange(0)
ABOVE_ZERO = ("change", "gap_seconds")
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}


def size_bytes(text: str | int) -> int:
    """Take `500k`, `10M` or `2G` to bytes."""
    match = re.fullmatch(r"([1-9]\d*)([kMG]?)", str(text))
    if match is None:
        raise click.BadParameter(f"{text!r} is not a size such as 500k, 10M or 2G")
    return int(match[1]) * UNITS[match[2]]


CAPTURE = (
    click.option("--width", type=click.IntRange(16, 16384), help="Asked of a local camera, in pixels."),
    click.option("--height", type=click.IntRange(16, 16384), help="Asked of a local camera, in pixels."),
    click.option(
        "--fps", type=click.FloatRange(0.01, 1000), help="Pictures a second, at most. Default: the source's."
    ),
    click.option(
        "--rotate",
        type=click.Choice([str(angle) for angle in get_args(Rotation)]),
        default="0",
        show_default=True,
        help="Clockwise, in degrees.",
    ),
    click.option(
        "--flip",
        type=click.Choice(get_args(Flip)),
        default="none",
        show_default=True,
        help="After --rotate.",
    ),
    click.option("--loop", is_flag=True, help="Begin files again when they are over."),
    click.option("--every-frame", is_flag=True, help="Leave out no picture of a file or of stdin."),
    click.option(
        "--pixel-format", type=click.Choice(get_args(PixelFormat)), help="Of raw pictures on stdin."
    ),
    click.option(
        "--stall-timeout",
        type=click.FloatRange(0, 86400, min_open=True),
        default=10.0,
        show_default=True,
        help="A camera without a picture for so many seconds is lost.",
    ),
    click.option(
        "--frozen-after",
        type=click.FloatRange(0, 86400),
        default=30.0,
        show_default=True,
        help="A camera whose picture stays the same for so many seconds is frozen; 0 is never.",
    ),
)
STEADINESS_HELP = {
    "average_seconds": "Average the map over so long where nothing moves.",
    "change": "How many times the camera's noise a cell changes by that is followed at once.",
    "box_seconds": "Smooth boxes over so long.",
    "appear_seconds": "Show no object before it was surely seen for so much longer than not.",
    "appear_factor": "A new object's map must reach --presence so many times.",
    "hold_seconds": "Show an object for so long after it was last seen.",
    "absent_seconds": "An object that comes back within so long is the same.",
    "label_margin": "Share by which another label must be ahead to be taken.",
    "gap_seconds": "Averages start anew after so long without a picture.",
    "loss_seconds": "Every object has gone after so long without a picture.",
    "update_seconds": "Tell of an object that changes no more often.",
}
STEADINESS = tuple(
    click.option(
        f"--{field.name.replace('_', '-')}",
        type=click.FloatRange(0, min_open=field.name in ABOVE_ZERO),
        default=field.default,
        show_default=True,
        help=STEADINESS_HELP.get(field.name, "See docs/stream.md."),
    )
    for field in fields(Steadiness)
)
OUTPUTS = (
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line."),
    click.option(
        "--lines",
        type=click.Choice(LINES),
        default="results",
        show_default=True,
        help="What --json and --log tell, beside the cameras' states.",
    ),
    click.option("--log", type=FILE, help="The same lines in a file, which is renamed when it is full."),
    click.option(
        "--log-size", type=size_bytes, default="10M", show_default=True, help="At which --log is full."
    ),
    click.option(
        "--log-files", type=click.IntRange(1), default=5, show_default=True, help="Full ones that are kept."
    ),
    click.option("--video", type=FILE, help="Pictures with boxes, as .mkv (plays at any time) or .mp4."),
    click.option(
        "--video-fps",
        type=click.FloatRange(1, 120),
        default=25.0,
        show_default=True,
        help="Of --video, whatever the cameras give.",
    ),
    click.option(
        "--video-segment", type=duration_s, metavar="TIME", help="Begin another --video after 10m, 1h, ..."
    ),
    click.option(
        "--video-keep", type=COUNT, default=0, show_default=True, help="Segments a camera; 0 is all."
    ),
    click.option("--snapshots", type=FOLDER, help="Folder for pictures of events."),
    click.option(
        "--snapshots-files", type=click.IntRange(1), default=1000, show_default=True, help="At most."
    ),
    click.option("--snapshots-size", type=size_bytes, default="500M", show_default=True, help="At most."),
)
PAGE = (
    click.option("--serve", metavar="[HOST:]PORT", help="Serve the live page, to this machine by default."),
    click.option("--token-file", type=FILE, help="What visitors must know; else $LIGHTCAM_PAGE_TOKEN."),
    click.option("--certificate", type=FILE, help="PEM file: serve https."),
    click.option("--certificate-key", type=FILE, help="PEM file, if the key is not in --certificate."),
)
MESSAGES = (
    click.option("--mqtt", metavar="URL", help="Broker to tell: mqtt://HOST, or mqtts://HOST with TLS."),
    click.option("--mqtt-prefix", metavar="TOPIC", help="Default: lightcam-edge/HOSTNAME."),
    click.option("--mqtt-client-id", metavar="ID", help="Default: made from the machine and the prefix."),
    click.option(
        "--mqtt-credentials-file",
        type=FILE,
        help="User name and, below, password; else $LIGHTCAM_MQTT_USERNAME and $LIGHTCAM_MQTT_PASSWORD.",
    ),
    click.option("--mqtt-ca-file", type=FILE, help="PEM certificates to trust, instead of the system's."),
    click.option("--mqtt-certificate-file", type=FILE, help="PEM certificate to show to the broker."),
    click.option("--mqtt-key-file", type=FILE, help="Its key, if it is not in the same file."),
    click.option(
        "--mqtt-discovery",
        metavar="TOPIC",
        default="homeassistant",
        show_default=True,
        help="Where Home Assistant finds the cameras; empty for nowhere.",
    ),
    click.option(
        "--mqtt-expiry",
        type=click.IntRange(1),
        default=86400,
        show_default=True,
        help="Seconds for which the broker keeps an event for who is away.",
    ),
    click.option("--webhook", metavar="URL", help="Receiver of events, each as an HTTP POST."),
    click.option(
        "--webhook-secret-file", type=FILE, help="Signs what is sent; else $LIGHTCAM_WEBHOOK_SECRET."
    ),
    click.option("--webhook-ca-file", type=FILE, help="PEM certificates to trust, instead of the system's."),
    click.option(
        "--webhook-timeout",
        type=click.FloatRange(0, min_open=True),
        default=10.0,
        show_default=True,
        help="Seconds for each step of a request.",
    ),
    click.option("--webhook-snapshots", is_flag=True, help="Send the pictures too."),
    click.option(
        "--queue",
        type=FOLDER,
        help="Where events wait for a broker or receiver that is away. Default: the state folder.",
    ),
    click.option(
        "--queue-events", type=click.IntRange(1), default=10_000, show_default=True, help="At most."
    ),
    click.option("--queue-size", type=size_bytes, default="50M", show_default=True, help="At most."),
)
RUNNING = (
    click.option("--threads", type=click.IntRange(1), help="Of the network. Default: all physical cores."),
    click.option(
        "--backend", type=click.Choice(BACKENDS), help="TFLite runtime. Default: the first installed."
    ),
    click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Stop after so long."),
    click.option("--frames", type=click.IntRange(1), help="Stop after so many results."),
    click.option("--quiet", is_flag=True, help="Print errors and, with --json, lines; nothing else."),
)
OF_COMMAND_LINE = (
    click.option("--name", "names", multiple=True, help="Of the camera; repeat it for each SOURCE."),
    click.option(
        "--config", type=FILE, shell_complete=completing.files, help="TOML file with any of these options."
    ),
    click.option("--check-config", is_flag=True, help="Say whether all of this makes sense, and stop."),
    click.option("--list", "list_cameras", is_flag=True, help="Show the cameras found here, and stop."),
)
OF_CAMERA = (*OPTIONS, *CAPTURE, *STEADINESS)
OF_STREAM = (MODEL, *OUTPUTS, *PAGE, *MESSAGES, *RUNNING)


def streaming(command: Any) -> Any:
    """Give a command all options of a stream."""
    return decorate(command, (*OF_STREAM[:1], *OF_CAMERA, *OF_STREAM[1:], *OF_COMMAND_LINE))


def by_key(options: tuple[Any, ...]) -> dict[str, click.Option]:
    """Options by the names that a configuration file has for them."""

    def command() -> None: ...

    made: list[click.Option] = vars(decorate(command, options))["__click_params__"]
    return {option.opts[-1].removeprefix("--"): option for option in made}


def checks(options: Mapping[str, click.Option]) -> dict[str, Check]:
    """What takes the value of each key of a configuration file, see `read_config`."""
    own: dict[str, Check] = {"source": _source, "source-file": lambda value: read_secret_file(Path(value))}
    return {key: _Conversion(option) for key, option in options.items()} | own


def _source(value: Any) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise UsageError(f'{value!r} is no source: write "rtsp://...", "0" or another in quotes')
    return str(value)


class _Conversion:
    """Takes a TOML value as the command line would take its text.

    Args:
        option: the option.
    """

    def __init__(self, option: click.Option) -> None:
        self._option = option

    def __call__(self, value: Any) -> Any:
        """The option's value.

        Raises:
            UsageError: if the option cannot have it.
        """
        flag = self._option.is_flag
        if flag != isinstance(value, bool) or not isinstance(value, str | int | float):
            raise UsageError(
                f"{value!r} is no value for it: give {'true or false' if flag else 'a text or number'}"
            )
        if flag:
            return value
        try:
            return self._option.type.convert(str(value), self._option, None)
        except click.BadParameter as error:
            raise UsageError(f"{error.message[:1].lower()}{error.message[1:]}".rstrip(".")) from error
