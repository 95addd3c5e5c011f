"""Result tables in the terminal: every cell of a sweep with its interval, the best one marked."""

from __future__ import annotations

from typing import Any

import pandas as pd

from shoal.pipeline import baselines, config, store
from shoal.pipeline.config import Config
from shoal.pipeline.hyperparameters import HYPERPARAMETERS, taking
from shoal.pipeline.numbers import number
from shoal.pipeline.paths import Paths
from shoal.pipeline.statistics import axes, ensembles
from shoal.pipeline.statistics.cells import has_interval, typical
from shoal.pipeline.statistics.errors import UNTESTED, best_cell, deciding, is_judged, told
from shoal.pipeline.statistics.intervals import FEWEST, few_rows
from shoal.pipeline.statistics.resampled import Resampling, scope
from shoal.pipeline.terminal.in_units import in_units
from shoal.pipeline.terminal.tables import TextColumn, print_table, terminal

AXES = ("activation", *HYPERPARAMETERS)
WORDS = ("activation", "cell", *axes.NAMES)
"""Columns of names."""
BEST = "*"
MOST_CELLS = 100
"""Of a sweep; of more, those with the smallest validation error are shown."""
RANKS = {"median": 0, "q1": 1, "q3": 1}
"""Columns of numbers, and which of them go first where the terminal is narrow (0: none)."""
TYPICAL = {"typical": 0, "low": 2, "high": 2}
RANGE = {"min": 2, "max": 2}
LEGEND = {
    "median": f"{BEST}: smallest median {{validation}}. A diverged network counts as infinite.",
    "q1": "q1, q3: quartiles over the replicates",
    "min": f"min, max: their range, where they are fewer than {FEWEST}",
    "typical": f"typical: 10^(interquartile mean of log10 {{judged}}), from {FEWEST} replicates on",
    "low": "low, high: 95 % {way} of typical",
}
"""What to say of columns, if they are shown."""


def show(paths: Paths, sweeps: list[str]) -> None:
    """Print one table a sweep: the test error of every cell over its replicates, with what tells the cells apart.

    A sweep that has not run yet has a line that says so. Raises FileNotFoundError before the evaluate stage has run.
    """
    cells, settings = store.read_table(paths.cells), config.load(paths)
    beside = store.read_table(paths.baselines) if settings.data.is_table else None
    console = terminal()
    wanted: dict[str, None] = {}
    shown: set[str] = set()
    for sweep in sweeps:
        found = cells[cells["sweep"] == sweep]
        if found.empty:
            console.print(f"{sweep}: no results yet; run `dvc repro`", highlight=False, markup=False)
            continue
        columns = columns_of(_in_its_units(paths, best_of(found), settings, sweep))
        wanted |= dict.fromkeys(column.name for column in columns)
        shown |= set(print_table(console, title_of(sweep, found, beside), columns))
        if len(found) > MOST_CELLS:
            rest = f"{sweep}: the {MOST_CELLS} cells of {len(found):,} with the smallest validation error; all are in "
            console.print(f"{rest}{paths.below_root(paths.cells)}", highlight=False, markup=False)
    some = cells[cells["sweep"].isin(sweeps)]
    if beside is not None and len(some) and is_judged(some):
        title, columns = in_units(paths, some, _choice(paths))
        wanted |= dict.fromkeys(column.name for column in columns)
        console.print(title, highlight=False, markup=False)
        shown |= set(print_table(console, "", columns))
    error = deciding(cells)
    way = "interval" if Resampling.of(cells) else "bootstrap interval"
    labels = {"validation": error.label("validation"), "judged": error.label(error.judged), "way": way}
    lines = [line.format(**labels) for name, line in LEGEND.items() if name in shown]
    if left_out := [name for name in wanted if name not in shown]:
        lines.append(f"left out, for a wider terminal: {', '.join(left_out)}")
    about = [UNTESTED]
    if is_judged(cells):
        spread = scope(cells) if shown & {*TYPICAL} else scope(cells).replace("interval", "range", 1)
        about = [spread, few_rows(store.count_rows(paths.data / "test.parquet"))]
    lines += filter(None, [*about, *_answers(paths, cells)])
    console.print(*lines, sep="\n", highlight=False, markup=False)


def best_of(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of a sweep in their order; of more than MOST_CELLS the best ones, the best first."""
    if len(cells) <= MOST_CELLS:
        return cells
    return cells.sort_values(f"{deciding(cells).of('validation')}_median", kind="stable").head(MOST_CELLS)


def _choice(paths: Paths) -> dict[str, Any] | None:
    """chosen.json; None where nothing was chosen, or not yet."""
    choice: dict[str, Any] | None = store.read_json(paths.chosen) if paths.chosen.exists() else None
    return choice


def _answers(paths: Paths, cells: pd.DataFrame) -> list[str]:
    """What answers where it is not one network alone, and what its intervals hold; nothing before the predict stage."""
    choice = _choice(paths)
    if choice is None:
        return []
    return [ensembles.answers(choice, deciding(cells), number), ensembles.intervals(choice)]


def _in_its_units(paths: Paths, cells: pd.DataFrame, settings: Config, sweep: str) -> pd.DataFrame:
    """The cells with `epochs` in the place of `steps` where the sweep counts those."""
    if settings.sweeps[sweep].duration != "epochs":
        return cells
    n_train = settings.data.n_train(store.count_rows(paths.data / "train.parquet"))
    return cells.assign(epochs=axes.epochs(cells, n_train)).drop(columns="steps")


def title_of(sweep: str, cells: pd.DataFrame, beside: pd.DataFrame | None = None) -> str:
    """What stands above the table of a sweep's cells, `beside` the table of baselines where there is one."""
    error, split = deciding(cells), told(cells)
    title = f"{sweep}: {error.label(split)} = {error.definition}, over {cells['n_networks'].max()} replicates"
    return title if beside is None else f"{title}; {baselines.beside(beside, error, number, split)}"


def columns_of(cells: pd.DataFrame) -> list[TextColumn]:
    """The cells of one sweep: its axes, then median, quartiles and typical value of the test error with its interval.

    Of fewer than FEWEST replicates, the range instead of the typical value and its interval.
    """
    rows = [cell for _, cell in cells.iterrows()]
    error, best, split = deciding(cells), best_cell(cells), told(cells)
    columns = [TextColumn("", [BEST if place == best else "" for place in range(len(rows))], is_text=True)]
    for axis in _axes(cells):
        texts = [_text(axis, cell) for cell in rows]
        columns.append(TextColumn(axis.replace("_", " "), texts, is_text=axis in WORDS))
    many = has_interval(cells).any()
    for name, rank in (RANKS | ({} if many else RANGE)).items():
        columns.append(TextColumn(name, [number(cell[f"{error.of(split)}_{name}"]) for cell in rows], rank=rank))
    if many and is_judged(cells):
        for (name, rank), values in zip(TYPICAL.items(), zip(*map(typical, rows), strict=True), strict=True):
            columns.append(TextColumn(name, list(map(number, values)), rank=rank))
    diverged = [f"{cell['n_diverged']} / {cell['n_networks']}" for cell in rows]
    return [*columns, TextColumn("diverged", diverged)]


def _axes(cells: pd.DataFrame) -> list[str]:
    """The columns in which the cells differ; networks of named architectures go by their cell's name."""
    if cells["activation"].isna().all():
        return ["cell"]
    implied = {"hidden_sizes"} if cells["width"].notna().all() else set()
    found = [axis for axis in AXES if axis in cells and axis not in implied]
    return [axis for axis in found if cells[axis].nunique(dropna=False) > 1] or ["cell"]


def _text(axis: str, cell: pd.Series[Any]) -> str:
    value = cell[axis]
    if pd.isna(value):
        return "full" if axis == "batch_size" and cell["optimizer"] in taking("batch_size") else "-"
    return axes.level_text(axis, value)
