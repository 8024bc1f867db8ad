"""The paper's tables beside ours, in Markdown, from the files of results/."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from plan import (
    METHODS,
    NOT_AT_HAND,
    PAPER_DENSITY,
    PAPER_LOCALIZATION,
    PAPER_PARAMETERS,
    TABLES,
    Budget,
    Experiment,
)

from lightcam_edge.model_file import write_atomically
from lightcam_models.evaluation.charts import density_bars
from lightcam_models.evaluation.evaluating import ModelResult

MARK = "<!-- Below: written by `experiments.py tables` from results/. -->\n"
NOT_TRAINED = "not trained here"
RIGHT = "0.5"
LINE = "python benchmarks/paper/experiments.py {table} {row} --data-root ../shared/datasets"
TITLES = {
    "table2": "Table 2: Light-CAM on four data sets",
    "table3": "Table 3: five networks on Bird and Dog",
}
HEADS = {
    "table2": (
        "data set",
        "boxes, images",
        "method",
        "top-1 class",
        "top-1 localized",
        "the paper's",
        "GT-known",
        "best box that never looks",
        "what differs from the paper, or the command that fills the row",
    ),
    "table3": (
        "network",
        "parameters",
        "the paper's",
        "method",
        "top-1 class",
        "top-1 localized",
        "the paper's",
        "GT-known",
        "density",
        "the paper's",
        "what differs from the paper, or the command that fills the row",
    ),
}
HOW = (
    "row",
    "date",
    "minutes",
    "load before",
    "epochs",
    "training size",
    "input",
    "learning rate",
    "seed",
    "precision",
    "photographs",
    "file",
    "it agrees with Keras",
    "machine",
    "software",
)
DIFFERENCES = {
    "cat-dog": "cats from Dogs vs. Cats, dogs also from Stanford Dogs; tested on 3 breeds of Oxford pets",
    "stanford-dogs-10": "the 10 breeds with the most photographs here, the paper's ten are not at hand",
    "stanford-dogs": "96 of the 120 breeds",
    "bird-dog": "40 of the 200 species of birds, 96 of the 120 breeds of dogs",
}

Values = dict[str, Any]
Results = Mapping[str, Values]
Row = Sequence[str]


def read_results(folder: Path, tiny: bool) -> dict[str, Values]:
    """Results by experiment.

    Raises:
        ClickException: if tiny runs lie among real ones, or the other way round.
    """
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    if mixed := [name for name, values in found.items() if values["tiny"] != tiny]:
        kind = "real" if tiny else "tiny"
        raise click.ClickException(f"{folder}/{mixed[0]}.json is of a {kind} run: move it elsewhere")
    return found


def write_page(path: Path, text: str) -> None:
    """Put the text below the mark of a page, and leave what stands above it."""
    old = path.read_text() if path.exists() else ""
    write_atomically(path, f"{old.partition(MARK)[0]}{MARK}\n{text}".encode())


def render(results: Results, tiny: bool = False) -> str:
    """All that is generated of the page."""
    parts = ["**A tiny run: it shows that everything works, and its figures mean nothing.**"] if tiny else []
    for table, experiments in TABLES.items():
        rows = [row for experiment in experiments for row in _rows(experiment, results)]
        measured = [results[one.name] for one in experiments if one.name in results]
        parts += [f"## {TITLES[table]}", *_notes(table, measured), markdown([HEADS[table], *rows])]
    if any(experiment.name in results for experiment in TABLES["table3"]):
        parts += ["## Figure 6: information density", "![Bars of the density of each network](density.png)"]
    if results:
        parts += ["## How each row was measured", markdown([HOW, *map(_how, results.values())])]
    return "\n\n".join(parts) + "\n"


def markdown(rows: Sequence[Row]) -> str:
    """A heading and rows as a table."""
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))


def _rows(experiment: Experiment, results: Results) -> Iterable[Row]:
    """Rows of an experiment, one by boxes and method; what is said of all of them stands in the first."""
    row = _row_of_table2 if experiment.table == "table2" else _row_of_table3
    values = results.get(experiment.name)
    last = _difference(experiment, values) if values else f"`{_command(experiment)}`"
    for boxes in experiment.boxes:
        for method in METHODS:
            yield (*row(experiment, boxes, method, values), last)
            last = "as above"


def _row_of_table2(experiment: Experiment, boxes: str, method: str, values: Values | None) -> Row:
    paper = _paper(experiment, boxes, method)
    if values is None:
        return (experiment.data, boxes, method, "", NOT_TRAINED, paper, "", "")
    trial = values["evaluation"][boxes]
    measures = trial["models"][0]["verdicts"][method]["overall"]
    located = f"{boxes}, {measures['top1_localization']['images']:,}"
    top1, localized, gt_known = _shares(measures)
    return (experiment.data, located, method, top1, localized, paper, gt_known, _best_baseline(trial))


def _row_of_table3(experiment: Experiment, boxes: str, method: str, values: Values | None) -> Row:
    network = experiment.architecture
    paper, parameters = _paper(experiment, boxes, method), f"{PAPER_PARAMETERS[network]:,}"
    paper_density = PAPER_DENSITY.get((network, method), NOT_AT_HAND)
    if values is None:
        return (network, "", parameters, method, "", NOT_TRAINED, paper, "", "", paper_density)
    (model,) = values["evaluation"][boxes]["models"]
    top1, localized, gt_known = _shares(model["verdicts"][method]["overall"])
    ours, density = f"{model['parameters']:,}", f"{model['density'][method]:.2f}"
    return (network, ours, parameters, method, top1, localized, paper, gt_known, density, paper_density)


def _paper(experiment: Experiment, boxes: str, method: str) -> str:
    key = (experiment.data, experiment.architecture, boxes, method)
    return PAPER_LOCALIZATION.get(key, NOT_AT_HAND)


def _command(experiment: Experiment) -> str:
    return LINE.format(table=experiment.table, row=experiment.row)


def _shares(measures: Values) -> tuple[str, str, str]:
    return (
        _interval(measures["top1"]),
        _interval(measures["top1_localization"]),
        _interval(measures["gt_known"][RIGHT]),
    )


def _interval(score: Values) -> str:
    return f"{score['percent']:.1f} ({score['low']:.1f}..{score['high']:.1f})" if score["images"] else ""


def _best_baseline(trial: Values) -> str:
    best = max(trial["baselines"], key=lambda one: one["overall"]["percent"])
    return f"{best['overall']['percent']:.1f}, {best['name']}"


def _difference(experiment: Experiment, values: Values) -> str:
    budget, training = Budget.of(values["training"]), values["training"]
    return (
        f"{training['data']['images']:,} photographs to train on, {DIFFERENCES[experiment.data]}; "
        f"{budget.epochs} epochs at {budget.training_size} px; random initial weights"
    )


def _notes(table: str, measured: Sequence[Values]) -> Iterable[str]:
    if table == "table3" and measured:
        best = _best_baseline(measured[0]["evaluation"]["body"])
        yield f"The best box that never looks, told the class, scores {best}."
    if len({Budget.of(values["training"]) for values in measured}) > 1:
        yield "**The rows below were not all trained with the same budget: compare those that were.**"


def _how(values: Values) -> Row:
    training, machine, versions = values["training"], values["machine"], values["versions"]
    budget, parity = Budget.of(training), values["parity"]
    cores = ", ".join(f"{count} x {name}" for name, count in machine["cores"].items())
    flags = " ".join(name for name, there in machine["features"].items() if there)
    return (
        values["experiment"],
        values["date"],
        f"{values['minutes']:.1f}",
        ", ".join(f"{part['load']:.1f}" for part in values["parts"]),
        str(budget.epochs),
        str(budget.training_size),
        str(budget.input_size),
        f"{budget.learning_rate:g}",
        str(budget.seed),
        training["precision"],
        f"{training['data']['images']:,}",
        values["quantization"]["scheme"],
        f"{parity['top1_agreement']:.0%} of {parity['images']}",
        f"{cores}; {flags}; {machine['memory_mb'] / 1000:.0f} GB; {machine['os']}",
        ", ".join(f"{name} {number}" for name, number in versions.items()),
    )


def density_chart(results: Results) -> bytes | None:
    """Information density of table 3's networks, as the paper's figure 6, in PNG; None if none is trained."""
    found = [
        results[one.name]["evaluation"]["body"]["models"] for one in TABLES["table3"] if one.name in results
    ]
    names = [field.name for field in fields(ModelResult)]
    models = [ModelResult(**{name: values.get(name) for name in names}) for (values,) in found]
    return density_bars(models)["light"] if models else None
