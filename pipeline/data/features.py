"""The features of a user's table: of which kind each column is, its cells, and every fault with a way out."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from shoal.pipeline.config import DataConfig
from shoal.pipeline.config.faults import Fault, shown
from shoal.pipeline.data.notices import paste
from shoal.pipeline.data.user_table import FILL, UserTable, number_allowed
from shoal.pipeline.preparation import BOOLEAN, CATEGORY, NUMBER, Blanks, Column, Preparation, truth

DATES = "dates"
"""The kind of columns that are no features as they are."""
MOST_LEVELS = 20
"""A column of text with more levels, or with more than half as many as there are rows to train on, is free text."""
_TIME = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s?([AaPp][Mm])?\s?(Z|[-+]\d{2}:?\d{2})?"
_DATE = re.compile(rf"\d{{1,4}}([-/.])\d{{1,2}}\1\d{{1,4}}\.?([T ]+{_TIME})?|{_TIME}")
"""Days such as 2024-01-31, 31.1.2024 and 1/31/24, with a time behind or without, and times alone."""
_MEDIAN = "count it as the median: missing: {numbers: median} below data"
WORDS = {
    NUMBER: ("a number such as 3", "no finite number", _MEDIAN),
    BOOLEAN: ("true or false", "neither true nor false", _MEDIAN),
    CATEGORY: ("text", "no text", "make a level of it: missing: {categories: own} below data"),
}
"""By kind: what a cell is, what it is not, and how it may count where it is missing."""


@dataclass(frozen=True, eq=False)
class Features:
    """Columns, their cells (n_rows,) as `Preparation.matrix` takes them, and faults.

    Of the columns, free text and dates are `unusable`.
    """

    preparation: Preparation
    cells: dict[str, np.ndarray]
    faults: list[Fault]
    unusable: list[str]


def fitted(table: UserTable, names: Sequence[str], settings: DataConfig, train: np.ndarray) -> Features:
    """These columns of a table; kinds, levels and medians are those of the rows at the places `train`."""
    missing_values = tuple(settings.missing_values or ())
    blanks = Blanks.of(missing_values)
    columns: list[Column] = []
    every: dict[str, np.ndarray] = {}
    faults: list[Fault] = []
    unusable: list[str] = []
    for name in names:
        numbers = table.numbers_of(name)
        kind = _kind(table.cells_of(name), numbers, blanks, train)
        column = Column(name, kind, _takes_missing(kind, settings))
        cells, bad = (np.empty(0), []) if kind == DATES else _cells(table, column, blanks, numbers)
        if fault := _unusable(table, column, cells, settings, train):
            unusable += [name] * (kind in (CATEGORY, DATES))
            bad = [fault]
        columns.append(column if bad or not len(train) else column.fitted(cells[train]))
        faults += bad
        every[name] = cells
    return Features(Preparation(tuple(columns), missing_values), every, faults, unusable)


def read(table: UserTable, preparation: Preparation) -> Features:
    """The columns of `preparation` in a table; those that it lacks are left out."""
    columns = [column for column in preparation.columns if column.name in table.columns]
    blanks = preparation.blanks
    found = {column.name: _cells(table, column, blanks, table.numbers_of(column.name)) for column in columns}
    cells = {name: cells for name, (cells, _) in found.items()}
    return Features(preparation, cells, [fault for _, faults in found.values() for fault in faults], [])


def texts(table: UserTable, names: Sequence[str]) -> pd.DataFrame:
    """Columns as text (n_rows, n_names), None where a cell is none."""
    cells = {name: [None if cell is None else str(cell) for cell in table.cells_of(name)] for name in names}
    return pd.DataFrame(cells, index=range(len(table.rows)))


def _takes_missing(kind: str, settings: DataConfig) -> bool:
    return (settings.missing.categories if kind == CATEGORY else settings.missing.numbers) is not None


def _kind(cells: Sequence[object], numbers: np.ndarray, blanks: Blanks, rows: np.ndarray) -> str:
    """What most of the cells with a value are in these rows; true and false, and text alone, must be all of them."""
    filled = rows[~blanks.missing(cells, numbers)[rows]]
    others = [cells[i] for i in filled[np.isnan(numbers[filled])]]
    if 2 * len(others) <= len(filled):
        return NUMBER
    if all(truth(cells[i]) is not None for i in filled):
        return BOOLEAN
    if 2 * sum(map(_is_date, others)) > len(others):
        return DATES
    return CATEGORY if all(isinstance(cells[i], str) for i in filled) else NUMBER


def _is_date(cell: object) -> bool:
    if isinstance(cell, str):
        return _DATE.fullmatch(cell.strip()) is not None
    return isinstance(cell, datetime.date | datetime.time | datetime.timedelta)


def _cells(table: UserTable, column: Column, blanks: Blanks, numbers: np.ndarray) -> tuple[np.ndarray, list[Fault]]:
    """A column's cells (n_rows,), and a fault where some are not of its kind, or missing where it takes none such."""
    cells, missing, bad = column.read(table.cells_of(column.name), numbers, blanks)
    word, wrong, counted = WORDS[column.kind]
    of_number = number_allowed(numbers, missing, f"{word}; {FILL}, or {counted}")

    def allowed(i: int, text: str) -> str:
        return of_number(i, text) if column.kind == NUMBER or missing[i] else f"{word}; correct it"

    return cells, table.bad_cells(column.name, bad, allowed, wrong)


def _unusable(
    table: UserTable, column: Column, cells: np.ndarray, settings: DataConfig, train: np.ndarray
) -> Fault | None:
    """Why a column can be no feature: it has dates, free text, or in the rows to train on no value at all."""
    where = f"column '{column.name}'"
    leave_out = paste("ignore", [column.name]) if settings.features is None else "leave it out of data.features"
    if column.kind == DATES:
        day = next(cell for cell in table.cells_of(column.name) if _is_date(cell))
        allowed = f"numbers made of them, such as the year, or the days since the first; or {leave_out}"
        return Fault(where, f"dates such as {shown(str(day).strip())}", allowed, table.name)
    if column.kind != CATEGORY and not column.takes_missing:
        return None
    values = cells[train][~pd.isna(cells[train])]
    if column.takes_missing and len(train) and not len(values):
        return Fault(where, "no value in the rows to train on", f"a value in one of them; or {leave_out}", table.name)
    if column.kind != CATEGORY:
        return None
    n_levels, most = len(set(values)), min(MOST_LEVELS, max(2, len(values) // 2))
    if n_levels > most:
        found = f"text, {n_levels} different values in {len(values)} rows to train on"
        allowed = f"up to {most} as categories; {leave_out}, or where it names rows, {paste('id', [column.name])}"
        return Fault(where, found, allowed, table.name)
    return None
