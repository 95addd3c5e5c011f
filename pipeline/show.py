"""Result tables in the terminal: every cell of a sweep with its interval, the best one marked."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from pipeline import store
from pipeline.paths import Paths
from pipeline.statistics.cells import typical
from pipeline.statistics.errors import Error, best_cell, deciding
from pipeline.statistics.intervals import FEWEST, SCOPE, few_rows

AXES = ("activation", "depth", "width", "hidden_sizes", "learning_rate", "batch_size", "steps", "alpha")
BEST = "*"


def show(paths: Paths, sweeps: list[str]) -> None:
    """Print one table a sweep: the test error of every cell over its replicates, with what tells the cells apart.

    A sweep that has not run yet has a line that says so. Raises FileNotFoundError before the evaluate stage has run.
    """
    cells = store.read_table(paths.cells)
    console = terminal()
    for sweep in sweeps:
        found = cells[cells["sweep"] == sweep]
        console.print(f"{sweep}: no results yet; run `dvc repro`" if found.empty else table_of(sweep, found))
    console.print(legend(deciding(cells), store.count_rows(paths.data / "test.parquet")), highlight=False)


def legend(error: Error, n_test: int) -> str:
    """What the columns mean, what an interval is over, and a warning where there are few test rows."""
    lines = [
        f"{BEST}: smallest median {error.label('validation')}. A diverged network counts as infinite.",
        f"typical, low, high: 10^(interquartile mean of log10 {error.label('test')}) and its 95 % bootstrap interval, "
        f"from {FEWEST} replicates",
        SCOPE,
        few_rows(n_test),
    ]
    return "\n".join(filter(None, lines))


def terminal() -> Console:
    """The standard output; files and pipes have no width, so that nothing is folded there."""
    console = Console()
    if not console.is_terminal:
        console.width = 200
    return console


def table_of(sweep: str, cells: pd.DataFrame) -> Table:
    """The cells of one sweep: its axes, then median, quartiles and typical value of the test error with its interval.

    Of fewer than FEWEST replicates, the range instead of the typical value and its interval.
    """
    replicates = int(cells["n_networks"].max())
    error = deciding(cells)
    title = f"{sweep}: {error.label('test')} = {error.definition}, over {replicates} replicates"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    axes, many = _axes(cells), replicates >= FEWEST
    for axis in ("", *axes):
        table.add_column(axis.replace("_", " "), justify="left" if axis in ("", "activation", "cell") else "right")
    for number in ("median", "q1", "q3", *(("typical", "low", "high") if many else ("min", "max")), "diverged"):
        table.add_column(number, justify="right")
    best = best_cell(cells)
    for place, (_, cell) in enumerate(cells.iterrows()):
        ranks = [
            cell[f"{error.of('test')}_{rank}"] for rank in ("median", "q1", "q3", *(() if many else ("min", "max")))
        ]
        numbers = [f"{value:.3e}" for value in (*ranks, *(typical(cell) if many else ()))]
        mark, diverged = BEST if place == best else "", f"{cell['n_diverged']} / {cell['n_networks']}"
        table.add_row(mark, *(_text(axis, cell) for axis in axes), *numbers, diverged)
    return table


def _axes(cells: pd.DataFrame) -> list[str]:
    """The columns in which the cells differ; networks of named architectures go by their cell's name."""
    if cells["activation"].isna().all():
        return ["cell"]
    implied = {"hidden_sizes"} if cells["width"].notna().all() else set()
    return [axis for axis in AXES if axis not in implied and cells[axis].nunique(dropna=False) > 1] or ["cell"]


def _text(axis: str, cell: pd.Series[Any]) -> str:
    value = cell[axis]
    if pd.isna(value):
        return "full" if axis == "batch_size" and cell["optimizer"] != "ridge" else "-"
    return str(value)
