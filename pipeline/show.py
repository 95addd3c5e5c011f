"""Result tables in the terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from pipeline import store
from pipeline.paths import Paths

AXES = ("activation", "depth", "width", "hidden_sizes", "learning_rate", "batch_size", "steps", "alpha")
NUMBERS = ("median", "q1", "q3", "min")


def show(paths: Paths, sweeps: list[str]) -> None:
    """Print one table a sweep: the test error of every cell over its replicates, with what tells the cells apart.

    A sweep that has not run yet has a line that says so. Raises FileNotFoundError before the evaluate stage has run.
    """
    cells = store.read_table(paths.cells)
    console = Console()
    if not console.is_terminal:
        console.width = 200  # files and pipes have no width: nothing is folded there
    for sweep in sweeps:
        found = cells[cells["sweep"] == sweep]
        console.print(f"{sweep}: no results yet; run `dvc repro`" if found.empty else table_of(sweep, found))


def table_of(sweep: str, cells: pd.DataFrame) -> Table:
    """The cells of one sweep: its axes, then median, quartiles and minimum of the test mse."""
    replicates = int(cells["n_networks"].max())
    title = f"{sweep}: test mse = mean of (y_hat - y)^2, over {replicates} replicates"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    axes = _axes(cells)
    for axis in axes:
        table.add_column(axis.replace("_", " "), justify="left" if axis in ("activation", "cell") else "right")
    for number in (*NUMBERS, "diverged"):
        table.add_column(number, justify="right")
    for _, cell in cells.iterrows():
        errors = (f"{cell[f'test_mse_{number}']:.3e}" for number in NUMBERS)
        table.add_row(*(_text(axis, cell) for axis in axes), *errors, f"{cell['n_diverged']} / {cell['n_networks']}")
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
