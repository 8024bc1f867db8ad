"""`lightcam-edge benchmark`: how fast a model is on this board, and what it costs."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lightcam_edge.choices import BACKENDS
from lightcam_edge.commands import completing
from lightcam_edge.errors import LightcamError, UsageError

if TYPE_CHECKING:
    from lightcam_edge.benchmarking.accuracy import Truth
    from lightcam_edge.benchmarking.measuring import Delegate

COMPARE = "compare"
PLANNED = ("images", "camera", "frame_wh", "in_memory", "warmup", "seconds")
UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)


def numbers(text: str) -> tuple[int, ...]:
    """Take `1,2,4` apart."""
    if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", text):
        raise click.BadParameter(f"{text!r} is not a list such as 1,2,4")
    return tuple(dict.fromkeys(int(number) for number in text.split(",")))


def duration_s(text: str) -> float:
    """Take `90`, `90s`, `30m` or `1h` to seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None or not float(match[1]):
        raise click.BadParameter(f"{text!r} is not a time such as 90s, 30m or 1h")
    return float(match[1]) * UNITS_S[match[2]]


def size_wh(text: str) -> tuple[int, int]:
    """Take `640x480` apart."""
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise click.BadParameter(f"{text!r} is not a size such as 640x480")
    return int(match[1]), int(match[2])


class Benchmark(click.Command):
    """The command itself, or `compare` behind it."""

    @property
    def subcommands(self) -> dict[str, click.Command]:
        """`compare`."""
        return {COMPARE: compare}

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Hand over to `compare` where it is asked for."""
        if args[:1] == [COMPARE]:
            return compare.make_context(f"{info_name} {COMPARE}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run what the context was made for."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


@click.command("benchmark", cls=Benchmark)
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, shell_complete=completing.models)
@click.option("--images", type=click.Path(path_type=Path), help="Folder or image. Default: a made frame.")
@click.option(
    "--size",
    "frame_wh",
    type=size_wh,
    metavar="WxH",
    default="640x480",
    show_default=True,
    help="Of that frame.",
)
@click.option("--camera", metavar="SOURCE", help="Look through a camera, named as for stream.")
@click.option("--in-memory", is_flag=True, help="Decode beforehand, as a camera's frames are.")
@click.option(
    "--threads",
    type=numbers,
    metavar="N,N...",
    help="Of the runtime, each in turn. Default: physical cores.",
)
@click.option(
    "--backend",
    "backends",
    type=click.Choice(BACKENDS),
    multiple=True,
    help="Repeatable. Default: the first installed.",
)
@click.option(
    "--delegate",
    "delegates",
    metavar="PATH[,KEY=VALUE]...",
    multiple=True,
    help="Library that runs operators instead; gpu for LiteRT's own, none for none. Repeatable.",
)
@click.option(
    "--warmup", type=click.IntRange(1), default=5, show_default=True, help="Images that do not count."
)
@click.option("--runs", type=click.IntRange(1), help="Images that count, a round. Default: 50.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Measure so long a round instead.")
@click.option("--rounds", type=click.IntRange(1), help="Fresh processes, in turn. Default: 5.")
@click.option(
    "--sustained",
    type=duration_s,
    metavar="TIME",
    help="Measure once and so long (90s, 30m): a median a minute, with temperatures.",
)
@click.option("--data", help="Measure accuracy too, on photographs as evaluate takes them.")
@click.option("--data-root", type=FOLDER, help="Where the public data sets lie, see evaluate.")
@click.option("--background", metavar="NAME", help="The class of --data that means nothing is there.")
@click.option("--limit", type=click.IntRange(1), help="At most so many photographs of --data.")
@click.option("--samples", is_flag=True, help="Keep every single time in the JSON file.")
@click.option("--json", "json_path", type=FILE, help="File for everything that was measured.")
@click.option(
    "--plot", "plot_path", type=FILE, help="Draw stages, and latency and work against accuracy: .html, .png."
)
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@click.option(
    "--max-p95", type=click.FloatRange(0), metavar="MS", help="Fail where 5% of images take longer."
)
@click.option("--max-rss", type=click.FloatRange(0), metavar="MB", help="Fail where memory peaks higher.")
@click.option("--quiet", is_flag=True, help="Print no tables and no progress.")
def command(models: tuple[str, ...], json_path: Path | None, plot_path: Path | None, **options: Any) -> None:
    """Measure how long each MODEL takes from an image to a box here, stage by stage, and what memory.

    MODEL is a model file or the name of a bundled one. Every model, number of
    threads, backend and delegate runs in processes of its own, in turn, so that
    what slows the board for a while slows all of them.

    `lightcam-edge benchmark compare FIRST.json SECOND.json` says what differs
    between two such runs, and what is noise.

    Exit codes: 0 all done, 1 a limit was passed or something could not be
    measured, 2 wrong usage, 3 bad model or missing runtime.
    """
    _check(options, json_path)
    if plot_path:
        from lightcam_edge.benchmarking.plot import check_suffix

        check_suffix(plot_path)
    from lightcam_edge.benchmarking.sweep import Plan, benchmark

    plan = Plan(
        models,
        options["threads"] or (None,),
        options["backends"] or (None,),
        tuple(map(delegate_from_text, options["delegates"])) or (None,),
        **{
            name: options[name] for name in ("images", "camera", "frame_wh", "in_memory", "warmup", "seconds")
        },
        runs=options["runs"] or 50,
        rounds=options["rounds"] or 5,
        sustained_s=options["sustained"],
        keep_samples=options["samples"],
        truth=_truth(options),
    )
    line = _Line(not options["quiet"])
    values = benchmark(plan, line.show, line.keep, ["lightcam-edge", *sys.argv[1:]])
    line.clear()
    if json_path:
        _write(json_path, values)
    if plot_path:
        _plot(plot_path, values)
    for warning in values["warnings"]:
        click.echo(f"warning: {warning}", err=True)
    if not options["quiet"]:
        from lightcam_edge.benchmarking import report

        click.echo((report.to_markdown if options["markdown"] else report.to_text)(values))
    failures = failed(values["results"], options["max_p95"], options["max_rss"])
    for failure in failures:
        click.echo(f"error: {failure}", err=True)
    click.get_current_context().exit(1 if failures else 0)


@click.command(COMPARE)
@click.argument("first", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("second", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--drift",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="How far runs of one and the same thing lie apart on this board. Default: 2.5.",
)
def compare(first: Path, second: Path, drift: float | None) -> None:
    """Say what differs between two files that `lightcam-edge benchmark --json` wrote.

    Ratios are SECOND to FIRST. A difference whose interval holds 1 is noise.
    Two models in one run, `lightcam-edge benchmark A B`, take turns, and can be
    told apart better than two runs can.
    """
    from lightcam_edge.benchmarking import comparing

    share = comparing.DRIFT if drift is None else drift / 100
    click.echo(comparing.compare(comparing.read_benchmark(first), comparing.read_benchmark(second), share))


def _truth(options: dict[str, Any]) -> "Truth | None":
    from lightcam_edge.benchmarking.accuracy import Truth

    names = ("data", "data_root", "background", "limit")
    return Truth(**{name: options[name] for name in names}) if options["data"] else None


def _check(options: dict[str, Any], json_path: Path | None) -> None:
    if options["runs"] and options["seconds"]:
        raise UsageError("--runs and --seconds both say when a round ends: give one of them")
    if options["sustained"] and (options["runs"] or options["seconds"] or options["rounds"]):
        raise UsageError("--sustained measures once and so long: leave --runs, --seconds and --rounds out")
    if options["camera"] and (options["images"] or options["in_memory"]):
        raise UsageError("--camera is what is looked at: leave --images and --in-memory out")
    if not options["data"] and any(options[name] for name in ("data_root", "background", "limit")):
        raise UsageError("--data-root, --background and --limit are for --data: add --data DATA")
    if options["camera"] == "-":
        raise UsageError("--camera - can be read once, and every round begins anew: give a camera or a file")
    if options["samples"] and json_path is None:
        raise UsageError("--samples are kept in the JSON file: add --json FILE")


def delegate_from_text(text: str) -> "Delegate | None":
    """Take `PATH,key=value,...` apart; `none` is None.

    Raises:
        UsageError: if an option has no value.
    """
    from lightcam_edge.benchmarking.measuring import Delegate

    library, *options = text.split(",")
    if text == "none":
        return None
    if wrong := next((option for option in options if "=" not in option), None):
        raise UsageError(f"--delegate {text}: {wrong} has no value, write {wrong}=VALUE")
    return Delegate(library, dict(option.split("=", 1) for option in options))


def failed(results: Sequence[dict[str, Any]], max_p95: float | None, max_rss: float | None) -> list[str]:
    """What went wrong, or over a limit: milliseconds, and megabytes of 1,000,000 bytes."""
    from lightcam_edge.benchmarking.report import way

    lines = []
    for result in results:
        if result["error"]:
            lines.append(f"{way(result)}: {result['error']}")
        if "stages" not in result:
            continue
        p95, peak = result["stages"]["total"]["p95"], result["memory"]["peak"] / 1e6
        if max_p95 is not None and p95 > max_p95:
            lines.append(f"{way(result)}: p95 is {p95:.2f} ms, above --max-p95 {max_p95:g}")
        if max_rss is not None and peak > max_rss:
            lines.append(f"{way(result)}: memory peaks at {peak:.1f} MB, above --max-rss {max_rss:g}")
    return lines


def _write(path: Path, values: dict[str, Any]) -> None:
    import json

    from lightcam_edge.model_file import write_atomically

    with _writing(path):
        write_atomically(path, (json.dumps(values, ensure_ascii=False, indent=1) + "\n").encode())


def _plot(path: Path, values: dict[str, Any]) -> None:
    from lightcam_edge.benchmarking.plot import write_plot

    with _writing(path):
        write_plot(path, values)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LightcamError(f"cannot write {path}: {error.strerror}") from error


class _Line:
    """One line on a terminal that tells what is being measured."""

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._is_terminal = shown and sys.stderr is not None and sys.stderr.isatty()

    def show(self, text: str) -> None:
        if self._is_terminal:
            click.echo(f"\r\x1b[K{text}", nl=False, err=True)

    def keep(self, text: str) -> None:
        self.clear()
        if self._shown:
            click.echo(text, err=True)

    def clear(self) -> None:
        self.show("")
