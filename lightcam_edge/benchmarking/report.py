"""A benchmark as tables, for terminals or in Markdown."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from lightcam_edge.benchmarking.sweep import slowest_clock

Values = dict[str, Any]
Row = tuple[str, ...]
MB = 1e6
ACCURACY_HEAD = ("class right %", "class, box right %", "box right when told %", "density %/M")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a title.

    Args:
        title: what they show.
        rows: the heading first.
    """

    title: str
    rows: Sequence[Row]


def to_text(benchmark: Values) -> str:
    """What is printed for people: columns in line."""
    blocks = ["\n".join(facts(benchmark))]
    blocks += ["\n".join([table.title, *aligned(table.rows)]) for table in tables(benchmark)]
    return "\n\n".join(blocks)


def to_markdown(benchmark: Values) -> str:
    """The same as Markdown, warnings included."""
    lines = [f"- {line}" for line in facts(benchmark)]
    warnings = [f"- **Warning:** {warning}" for warning in benchmark["warnings"]]
    blocks = ["\n".join(lines + warnings)]
    for table in tables(benchmark):
        head, *rows = table.rows
        rule = ("---", *("---:" for _ in head[1:]))
        blocks.append("\n".join([f"**{table.title}**", "", *map(_markdown_row, (head, rule, *rows))]))
    return "\n\n".join(blocks)


def aligned(rows: Sequence[Row]) -> list[str]:
    """Pad cells so that columns stand in line, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def tables(benchmark: Values) -> list[Table]:
    """All tables of a benchmark; what could not be measured is in none."""
    results = [result for result in benchmark["results"] if "stages" in result]
    split = [Table(f"Stages in ms: {way(result)}", _stage_rows(result)) for result in results]
    minutes = [
        Table(f"Minute by minute: {way(result)}", _minute_rows(result))
        for result in results
        if result["minutes"]
    ]
    energy = [Table("Energy", _energy_rows(results))] if any(r["power_mw"] for r in results) else []
    return [
        Table("Image to box", _summary_rows(results)),
        *split,
        Table("Start and memory", _memory_rows(results)),
        *energy,
        Table("Models", _model_rows(results)),
        Table("Operators", _operator_rows(results)),
        *minutes,
    ]


def way(result: Values) -> str:
    """A model, and the way in which it ran."""
    count = result["threads"]  # None where nobody asked for a number and nothing could be measured
    threads = f"{count} thread{'' if count == 1 else 's'}" if count else ""
    parts = [result["model"]["name"], threads, result["backend"]]
    if result["delegate"]:
        parts.append(result["delegate"]["library"])
    return ", ".join(part for part in parts if part)


def facts(benchmark: Values) -> list[str]:
    """Where, with what and on what it was measured, a line each."""
    board, software, given = benchmark["board"], benchmark["software"], benchmark["input"]
    cores = ", ".join(f"{count} x {name}" for name, count in board["cores"].items())
    names = [board["model"], board["soc"], cores, board["machine"], f"{board['memory_mb'] / 1024:.1f} GB RAM"]
    present = [name for name, has in board["features"].items() if has]
    absent = [name for name, has in board["features"].items() if not has]
    libraries = (f"{name} {version}" for name, version in software["libraries"].items())
    systems = [
        board["os"],
        board["board_support"],
        f"kernel {board['kernel']}",
        f"Python {software['python']}",
    ]
    state = benchmark["state_before"]
    return [
        f"board: {_joined(names)}",
        f"CPU: has {' '.join(present) or 'nothing of note'}; lacks {' '.join(absent) or 'nothing'}",
        f"clocks: {_clocks(board, state)}",
        f"system: {_joined(systems)}",
        f"software: lightcam-edge {software['lightcam_edge']}, {_joined(libraries)}",
        f"input: {_input(given)}",
        f"measured: {_settings(benchmark['settings'])}; {benchmark['created']}",
        *dict.fromkeys(_photographs(one["accuracy"]) for one in benchmark["results"] if one.get("accuracy")),
    ]


def _photographs(accuracy: Values) -> str:
    counts = ", ".join(f"{count} {label}" for label, count in accuracy["photographs"].items())
    return f"accuracy: {accuracy['data']} ({counts}), {accuracy['method']}, boxes at IoU 0.5"


def _joined(parts: Any) -> str:
    return ", ".join(part for part in parts if part)


def _clocks(board: Values, state: Values) -> str:
    temperatures = [f"{name} {degrees:.0f} C" for name, degrees in state["temperatures_c"].items()]
    parts = [
        f"governor {', '.join(board['governors']) or 'unknown'}",
        f"up to {board['max_clock_mhz']} MHz" if board["max_clock_mhz"] else "",
        f"power mode {board['power_mode']}" if board["power_mode"] else "",
        *temperatures,
    ]
    return _joined(parts)


def _input(given: Values) -> str:
    size = given["frame_wh"]
    if given.get("camera"):
        return f"{given['camera']}, waiting left out"
    what = f"a frame of {size[0]}x{size[1]}" if size else f"{given['count']} images of {given['images']}"
    return f"{what}, {'decoded beforehand' if given['in_memory'] else 'decoded each time'}"


def _settings(settings: Values) -> str:
    rounds = settings["rounds"]
    each = f"{settings['runs']} images" if settings["runs"] else f"{settings['seconds']:g} s"
    return (
        f"{rounds} round{'' if rounds == 1 else 's in turn'} of {each} after {settings['warmup']} to warm up"
    )


def _summary_rows(results: Sequence[Values]) -> list[Row]:
    head = ("", "p50 ms", "p90 ms", "p95 ms", "p99 ms", "IQR ms", "min ms", "max ms", "images/s")
    return [
        head,
        *((way(one), *_latencies(one["stages"]["total"]), f"{one['images_per_s']:.1f}") for one in results),
    ]


def _latencies(stats: Values) -> Row:
    return tuple(f"{stats[name]:.2f}" for name in ("p50", "p90", "p95", "p99", "iqr", "min", "max"))


def _stage_rows(result: Values) -> list[Row]:
    stages = result["stages"]
    total = stages["total"]["p50"]
    rows: list[Row] = [("", "p50", "p90", "p95", "p99", "IQR", "min", "max", "share")]
    for stage, stats in stages.items():
        apart = stage in ("total", "draw")
        rows.append((stage, *_latencies(stats), "" if apart else f"{stats['p50'] / total:.0%}"))
    return rows


def _memory_rows(results: Sequence[Values]) -> list[Row]:
    rows: list[Row] = [
        (
            "",
            "import ms",
            "init ms",
            "first image ms",
            "file MB",
            "arena MB",
            "RSS loaded MB",
            "RSS peak MB",
            "growth kB",
        )
    ]
    for one in results:
        memory = one["memory"]
        times = (f"{median(one[name]):.1f}" for name in ("import_ms", "init_ms", "first_image_ms"))
        sizes = (f"{memory[name] / MB:.1f}" for name in ("model_file", "tensor_arena", "after_load", "peak"))
        rows.append((way(one), *times, *sizes, str(round(memory["growth"] / 1000))))
    return rows


def _energy_rows(results: Sequence[Values]) -> list[Row]:
    rows: list[Row] = [("", "rail", "before W", "running W", "mJ an image")]
    for one in results:
        for rail, power in one["power_mw"].items():
            watts = (f"{mw / 1000:.2f}" for mw in (one["idle_power_mw"].get(rail, 0), power))
            rows.append((way(one), rail, *watts, f"{one['energy_mj'][rail]:.1f}"))
    return rows


def _model_rows(results: Sequence[Values]) -> list[Row]:
    head: Row = ("", "input", "parameters M", "M MACs", "operators", "int8 MACs", "delegated MACs", "backend")
    judged = any(one.get("accuracy") for one in results)
    rows = [(*head, *ACCURACY_HEAD) if judged else head]
    for one in results:
        model = one["model"]
        height, width = model["input_hw"]
        row = (
            way(one),
            f"{width}x{height}",
            f"{model['parameters'] / 1e6:.2f}",
            f"{model['macs'] / 1e6:.0f}",
            str(sum(model["operators"].values())),
            f"{model['int8_share']['macs']:.0%}",
            _percent(one["delegated"]["macs"]),
            f"{one['backend']} {one['backend_version']}",
        )
        rows.append((*row, *_accuracy_cells(one["accuracy"])) if judged else row)
    return rows


def _accuracy_cells(accuracy: Values) -> Row:
    shares = (accuracy[name] for name in ("top1", "top1_localization", "gt_known"))
    density = accuracy["information_density"]
    return (
        *("" if share is None else f"{share[0]:.1f}" for share in shares),
        "" if density is None else f"{density:.1f}",
    )


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.0%}"


def _operator_rows(results: Sequence[Values]) -> list[Row]:
    """How many of each kind are in each file, the most frequent of all first."""
    models = {one["model"]["path"]: one["model"] for one in results}
    sums = sum((Counter(model["operators"]) for model in models.values()), Counter[str]())
    head = ("", *(model["name"] for model in models.values()))
    return [
        head,
        *(
            (kind, *(str(model["operators"].get(kind, "")) for model in models.values()))
            for kind, _ in sums.most_common()
        ),
    ]


def _minute_rows(result: Values) -> list[Row]:
    rows: list[Row] = [("minute", "p50 ms", "images", "hottest C", "clock MHz", "held back")]
    for minute in result["minutes"]:
        state = minute["state"]
        hottest = max(state["temperatures_c"].values(), default=None)
        rows.append(
            (
                str(minute["minute"]),
                f"{minute['p50_ms']:.2f}",
                str(minute["images"]),
                "" if hottest is None else f"{hottest:.0f}",
                str(slowest_clock(state) or ""),
                ", ".join(state["throttled"]) or "no",
            )
        )
    return rows


def _markdown_row(row: Row) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
