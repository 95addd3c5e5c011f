"""Tables of results as text, the same for the HTML report and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from shoal.pipeline import baselines, numbers
from shoal.pipeline.report.document.blocks import Table
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics import axes
from shoal.pipeline.statistics.cells import typical
from shoal.pipeline.statistics.errors import best_cell, cost_label
from shoal.pipeline.statistics.intervals import FEWEST
from shoal.pipeline.tasks import Error

MISSING = "-"
MOST_ROWS = 100
"""Of the largest tables. In sweeps of more cells, tables first hold all axes but two at their best levels."""
MOST_BEST = 20
"""Cells that are listed where even that leaves more than MOST_ROWS."""


def number(value: float, digits: int = 3, least: int = -1) -> str:
    """A number of `digits` significant digits, below 10^least with an exponent; `diverged` for infinity."""
    if np.isnan(value):
        return MISSING
    return "diverged" if np.isinf(value) else numbers.number(value, digits, least)


def alike(*values: float) -> list[str]:
    """Numbers that stand together: all of them with an exponent where one is."""
    return [number(value) if min(values) >= 0.1 else number(value, least=numbers.ALWAYS) for value in values]


def spread(cell: pd.Series, name: str) -> str:
    """Median and, on a second line, the quartiles; the value alone if the cell has one network."""
    if cell["n_networks"] == 1:
        return number(cell[f"{name}_median"])
    median, low, high = alike(*(cell[f"{name}_{rank}"] for rank in ("median", "q1", "q3")))
    return f"{median}\n[{low}, {high}]"


def typical_entry(cell: pd.Series) -> str:
    """The typical test error of a cell and, on a second line, its 95 % interval; a remark where there is none."""
    centre, *ends = typical(cell)
    if np.isnan(ends).any():
        return f"{number(centre)}\nno interval below {FEWEST} networks"
    middle, low, high = alike(centre, *ends)
    return f"{middle}\n[{low}, {high}]"


def entry(cell: pd.Series, name: str) -> str:
    """What `spread` says, and on a further line how many networks diverged, if any did."""
    diverged = f"\n{cell['n_diverged']} of {cell['n_networks']} diverged" if cell["n_diverged"] else ""
    return spread(cell, name) + diverged


def beside(results: SweepResults) -> str:
    """The test errors of the baselines, as the end of a caption; empty where results stand beside none."""
    if results.baselines is None:
        return ""
    return f"; {baselines.beside(results.baselines, results.error, number)}"


def best_cells(results: SweepResults, most: int = MOST_ROWS) -> tuple[pd.DataFrame, str]:
    """All cells in their order; of more than `most` the best ones, the best first, and what a caption says of that."""
    cells, error = results.cells, results.error
    if len(cells) <= most:
        return cells, ""
    ranked = cells.sort_values(f"{error.of('validation')}_median", kind="stable")
    return ranked.head(most), left_out(most, len(cells), "cells", f"median {error.label('validation')}", "cells")


def left_out(most: int, n: int, nouns: str, by: str, table: str) -> str:
    """Which rows a table has and where all of them are, as the end of its caption; empty where it has them all."""
    return (
        f"; the {most} of {n:,} {nouns} with the smallest {by}, all in evaluation/{table}.parquet" if n > most else ""
    )


@lru_cache
def score_table(results: SweepResults) -> Table:
    """The cells of a sweep: the second axis that varies along the columns, the others and the series down the rows.

    Where that has no room for them, a row for each of the best cells.
    """
    error = results.error
    fixed = axes.Fixed.at_best(results.cells, results.axes[2:] if len(results.cells) > MOST_ROWS else [])
    if fixed.n_shown > MOST_ROWS:
        cells, note = best_cells(results, MOST_BEST)
        return _listed(results, cells, "cell", "cell", note)
    cells, found = fixed.select(results.cells), [axis for axis in results.axes if axis not in fixed.levels]
    series_name = "network" if results.settings.architecture else "activation"
    if not found:
        return _listed(results, cells, "series", series_name)
    column_axis = found[0] if len(found) == 1 else found[1]
    heads = ["series", *found[2:], *([found[0]] if len(found) > 1 else [])]
    columns_levels = axes.levels(cells, column_axis)
    rows = []
    for key in product(*(_levels(cells, head) for head in heads)):
        part = axes.at_levels(cells, dict(zip(heads, key, strict=True)))
        if len(part):
            texts = [axes.level_text(head, level) for head, level in zip(heads, key, strict=True)]
            rows.append(texts + [_entry(part[part[column_axis] == level], error) for level in columns_levels])
    names = [series_name if head == "series" else axes.LABELS[head] for head in heads]
    names[-1] += f" ↓ {axes.LABELS[column_axis]} →"
    header = [*names, *(axes.level_text(column_axis, level) for level in columns_levels)]
    caption = f"Median {error.label(error.judged)} [quartiles]{beside(results)}{fixed.note.rstrip('.')}"
    return Table(caption, header, rows, len(heads))


def _listed(results: SweepResults, cells: pd.DataFrame, head: str, name: str, note: str = "") -> Table:
    """A row a cell, by what is in the column `head`."""
    columns = {results.error.of(split): results.error.label(split) for split in ("test", "validation")}
    columns |= {"train_cost": cost_label(results.cells)}
    rows = [[row[head], *(entry(row, column) for column in columns)] for _, row in cells.iterrows()]
    return Table(f"Median [quartiles] over replicates{beside(results)}{note}", [name, *columns.values()], rows)


def summary_table(sweeps: Sequence[SweepResults]) -> Table:
    """A row a sweep: its networks, and the cell whose median validation error is the smallest."""
    rows = []
    for results in sweeps:
        cells = results.cells
        place = best_cell(cells)
        counts = [str(cells[name].sum()) for name in ("n_networks", "n_diverged")]
        of_best = [MISSING] * 3
        if place is not None:
            best = cells.iloc[place]
            of_best = [best["cell"], spread(best, results.error.of(results.error.judged)), typical_entry(best)]
        rows.append([results.name, *counts, *of_best])
    if (table := sweeps[0].baselines) is not None:
        for _, row in baselines.overall(table).iterrows():
            what = f"{row['baseline']}: {baselines.BASELINES[row['baseline']].definition}"
            rows.append([MISSING] * 3 + [what, number(row[sweeps[0].error.of(sweeps[0].error.judged)]), MISSING])
    texts = [f"its {sweeps[0].error.label(sweeps[0].error.judged)}, median [quartiles]", "typical [95 % interval]"]
    header = ["sweep", "networks", "diverged", "best cell (by validation)", *texts]
    return Table("The sweeps", header, rows)


def _levels(cells: pd.DataFrame, head: str) -> list[Any]:
    return axes.series_of(cells) if head == "series" else axes.levels(cells, head)


def _entry(part: pd.DataFrame, error: Error) -> str:
    return entry(part.iloc[0], error.of(error.judged)) if len(part) else MISSING


def by_series(table: Table) -> list[Table]:
    """The assignment's own form, a table per activation and per level of all but the last of the heads."""
    if table.n_heads == 1:
        return [table]
    inner = table.n_heads - 1
    parts: dict[tuple[str, ...], list[list[str]]] = {}
    for row in table.rows:
        parts.setdefault(tuple(row[:inner]), []).append(row[inner:])
    tables = []
    for key, rows in parts.items():
        used = [n for n in range(len(rows[0])) if any(row[n] != MISSING for row in rows)]
        header = [table.header[inner + n] for n in used]
        caption = f"{_key_text(table.header, key)}: {table.caption[0].lower()}{table.caption[1:]}"
        tables.append(Table(caption, header, [[row[n] for n in used] for row in rows]))
    return tables


def _key_text(header: Sequence[str], key: Sequence[str]) -> str:
    return ", ".join([key[0], *(f"{name} {level}" for name, level in zip(header[1:], key[1:], strict=False))])


def cell_table(results: SweepResults) -> Table:
    """Every cell of a sweep with all its errors, as far as there is room."""
    (cells, note), error = best_cells(results), results.error
    test = error.label(error.judged)
    columns = {error.of(split): error.label(split) for split in ("test", "validation", "train")}
    columns |= {"train_cost": cost_label(cells)}
    rows = [
        [
            row["cell"],
            str(row["n_networks"]),
            str(row["n_diverged"]),
            typical_entry(row),
            *(spread(row, name) for name in columns),
            "\nto ".join(alike(*(row[f"{error.of(error.judged)}_{end}"] for end in ("min", "max")))),
        ]
        for _, row in cells.iterrows()
    ]
    header = ["cell", "networks", "diverged", f"typical {test} [95 %]", *columns.values(), f"range of {test}"]
    which = "Every cell" if not note else f"The best {len(cells)} cells"
    caption = f"{which}: typical {test} with its interval, median [quartiles] over its networks{beside(results)}{note}"
    return Table(caption, header, rows)
