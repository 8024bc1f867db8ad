"""What was measured, as the tables of a page beside it."""

import json
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from statistics import median
from typing import Any

from lightcam_edge.benchmarking.comparing import ratio
from lightcam_edge.model_file import write_atomically

Values = dict[str, Any]
Row = Sequence[str]
HEAD = """# Beside what else could do it

Written by `compare.py tables`; `benchmarks/peers/README.md` tells what is compared."""
SECTIONS = {
    "The network alone: Light-CAM, 224 px": ("light-cam-1", "light-cam-2"),
    "The network alone: lite, 224 px": ("lite-1", "lite-2"),
    "From a photograph to a map and a box: the same Light-CAM": ("maps",),
    "From a photograph to a box: what one would pick instead": ("boxes",),
    "The same from YOLO26n's exports": ("exports",),
}


def write_tables(results: Path) -> None:
    """Write README.md beside the results of all groups."""
    sections = []
    for title, names in SECTIONS.items():
        groups = [json.loads((results / f"{name}.json").read_text()) for name in names]
        rows = (
            photo_rows(groups[0]["rows"]) if len(groups) == 1 else network_rows([g["rows"] for g in groups])
        )
        sections.append("\n\n".join([f"## {title}", machine(groups[0]), markdown(rows)]))
    write_atomically(results / "README.md", ("\n\n".join([HEAD, *sections]) + "\n").encode())


def markdown(rows: Sequence[Row]) -> str:
    head, *others = rows
    rule = ("---", *("---:" for _ in head[1:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *others))


def machine(group: Values) -> str:
    board = group["board"]
    cores = ", ".join(f"{count} x {name}" for name, count in board["cores"].items())
    features = " ".join(name for name, has in board["features"].items() if has)
    found: dict[str, set[str]] = {}
    for environment in group["versions"].values():
        for name, version in environment.items():
            found.setdefault(name, set()).add(version)
    libraries = ", ".join(f"{name} {' and '.join(sorted(each))}" for name, each in sorted(found.items()))
    warnings = "".join(f" Warning: {warning}." for warning in group["warnings"])
    return f"{cores} ({features}), {board['os']}, {group['created'][:10]}; {libraries}.{warnings}"


def network_rows(groups: Sequence[Sequence[Values]]) -> list[Row]:
    """A row a runtime, with one and with two threads; ratios are to our int8 or our float32 file."""
    head = ["", "map, correlation", "score differs by"]
    head += ["1 thread, ms", "ours is 1 (95% interval)", "2 threads, ms", "ours is 1 (95% interval)"]
    table = [head]
    for rows in zip(*groups, strict=True):
        first = rows[0]
        if first["error"]:
            table.append([first["way"], first["error"], *[""] * (len(head) - 2)])
            continue
        cells = [first["way"], f"{first['map_correlation']:.4f}", f"{first['score_difference']:.3f}"]
        for row, group in zip(rows, groups, strict=True):
            own = f"lightcam-edge {'int8' if row['way'].endswith('int8') else 'float32'}"
            ours = next(one for one in group if one["way"] == own)
            cells += (
                [row["error"], ""] if row["error"] else [f"{median(row['p50_ms']):.2f}", times(ours, row)]
            )
        table.append(cells)
    return table


def times(own: Values, row: Values) -> str:
    if own is row:
        return "1"
    found = ratio(own["p50_ms"], row["p50_ms"])
    return f"{found.value:.2f}" + ("" if isnan(found.low) else f" ({found.low:.2f}-{found.high:.2f})")


def photo_rows(rows: Sequence[Values]) -> list[Row]:
    """A row a library; ratios say how many times better ours, the first row, is."""
    own = rows[0]
    like_ours = "map_correlation" in own
    head = ["", "cold, s", "ours is faster", "peak RSS, MB", "ours is smaller", "warm, images/s"]
    head += ["ours is faster", "installed, MB", *(("map, correlation", "box, IoU") if like_ours else ())]
    table = [head]
    for row in rows:
        if row["error"]:
            table.append([row["way"], row["error"], *[""] * (len(head) - 2)])
            continue
        cold, warm = median(row["cold_s"]), median(row["images_per_s"])
        cells = [
            row["way"],
            f"{cold:.2f}",
            f"{cold / median(own['cold_s']):.1f}x",
            f"{row['peak_mb']:.0f}",
            f"{row['peak_mb'] / own['peak_mb']:.1f}x",
            f"{warm:.1f}",
            f"{median(own['images_per_s']) / warm:.1f}x",
            f"{row['installed_mb']:.0f}",
        ]
        if like_ours:
            cells += [f"{row['map_correlation']:.4f}", f"{row['box_iou']:.3f}"]
        table.append(cells)
    return table
