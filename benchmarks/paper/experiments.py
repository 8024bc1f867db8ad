"""Measure the rows of the paper's tables, and write the page that shows them.

    python benchmarks/paper/experiments.py table2 bird-dog --data-root ../shared/datasets
    python benchmarks/paper/experiments.py table3 vgg16 --data-root ../shared/datasets
    python benchmarks/paper/experiments.py tables
    python benchmarks/paper/experiments.py report --data-root ../shared/datasets

Each row trains one network from random weights, makes a model file of it, counts
what that file gets right, and leaves a file in results/. What is there already
is not done again, and a training that was cut off goes on, so the same line may
be repeated. --tiny does the same in a minute, in a folder of its own.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from page import density_chart, read_results, render, write_page
from plan import BUDGETS, TABLES, TINY, TINY_TEST, Budget
from running import PAPER_RULE, Place, call, run

from lightcam_edge.model_file import write_atomically

HERE = Path(__file__).resolve().parent
FOLDER = click.Path(path_type=Path, file_okay=False)
WORK, TINY_WORK = Path("runs/paper"), Path("runs/paper-tiny")


def measured(table: str) -> click.Command:
    """A command that measures one row of a table."""
    rows = {experiment.row: experiment for experiment in TABLES[table]}

    @click.command(table)
    @click.argument("row", type=click.Choice(list(rows)))
    @click.option("--data-root", type=FOLDER, required=True, help="Where the public data sets lie.")
    @click.option("--epochs", type=click.IntRange(1), help=f"Default: {BUDGETS[table].epochs}.")
    @click.option(
        "--training-size", type=click.IntRange(32), help=f"Default: {BUDGETS[table].training_size}."
    )
    @click.option(
        "--learning-rate", type=float, help=f"At its peak. Default: {BUDGETS[table].learning_rate:g}."
    )
    @click.option("--seed", type=int, help=f"Default: {BUDGETS[table].seed}.")
    @click.option("--tiny", is_flag=True, help="Few photographs, one epoch, small: to see that it works.")
    @click.option("--work", type=FOLDER, help="Folder of the trainings. Default: runs/paper.")
    @click.option("--results", type=FOLDER, help="Folder of the results. Default: results/ beside this file.")
    def command(
        row: str, data_root: Path, tiny: bool, work: Path | None, results: Path | None, **changes: Any
    ) -> None:
        folders = place(data_root, work, results, tiny)
        click.echo(run(rows[row], budget(table, tiny, changes), folders, tiny))

    command.help = f"Measure one row of {table}."
    return command


def place(data_root: Path, work: Path | None, results: Path | None, tiny: bool) -> Place:
    work = work or (TINY_WORK if tiny else WORK)
    return Place(data_root, work, results or (work / "results" if tiny else HERE / "results"))


def budget(table: str, tiny: bool, changes: dict[str, Any]) -> Budget:
    wanted = {name: value for name, value in changes.items() if value is not None}
    return replace(TINY if tiny else BUDGETS[table], **wanted)


@click.command("tables")
@click.option("--tiny", is_flag=True, help="Of the tiny runs.")
@click.option("--results", type=FOLDER, help="Folder of the results. Default: results/ beside this file.")
@click.option("--page", type=click.Path(path_type=Path, dir_okay=False), help="Default: README.md beside it.")
def tables(tiny: bool, results: Path | None, page: Path | None) -> None:
    """Write the page and the chart from what has been measured."""
    results = place(Path(), None, results, tiny).results
    page = page or results.parent / "README.md"
    found = read_results(results, tiny)
    write_page(page, render(found, tiny))
    chart = density_chart(found)
    if chart:
        write_atomically(page.with_name("density.png"), chart)
    click.echo(page)


@click.command("report")
@click.option("--data-root", type=FOLDER, required=True, help="Where the public data sets lie.")
@click.option("--tiny", is_flag=True, help="Of the tiny runs.")
@click.option("--work", type=FOLDER, help="Folder of the trainings. Default: runs/paper.")
def report(data_root: Path, tiny: bool, work: Path | None) -> None:
    """Show the same photographs under every trained network of table 3, as figure 5, in one HTML file.

    It holds photographs of the data sets, so it stays out of the repository.
    """
    folders = place(data_root, work, None, tiny)
    models = [folders.model_of(experiment) for experiment in TABLES["table3"]]
    if not (there := [model for model in models if model.exists()]):
        raise click.ClickException(f"no network of table 3 is trained in {folders.work}: run table3 first")
    few = ("--limit", TINY_TEST) if tiny else ()
    html = folders.work / "report.html"
    data = (TABLES["table3"][0].data, "--data-root", data_root)
    click.echo(call("evaluate", *there, *data, *PAPER_RULE, *few, "--report", html))
    click.echo(html)


@click.group(help=(__doc__ or "").partition("\n")[0])
def main() -> None:
    pass


COMMANDS: tuple[click.Command, ...] = (*map(measured, TABLES), tables, report)
for one in COMMANDS:
    main.add_command(one)

if __name__ == "__main__":
    main()
