"""A user's table: its columns as numbers, and every fault with its place and a way out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from shoal.pipeline.config.faults import Fault, Notice, below, did_you_mean, shown
from shoal.pipeline.data.dialect import (
    PLAIN,
    Dialect,
)
from shoal.pipeline.preparation import Blanks

FILL = "fill the cell or remove the row"
BLANKS = Blanks.of(())
SHOWN_FAULTS = 8
"""Faults of one kind that are told one by one; the others are counted."""
MOST_LINES = 10
"""Of all kinds together."""


@dataclass(frozen=True, eq=False)
class UserTable:
    """A table as its file has it: one sequence of cells a column, nothing judged yet but its form.

    `rows` are row numbers as an editor shows them: the header of a CSV file is row 1, so its first data row is row 2;
    a Parquet file has no header row, and its first row is row 1. `faults` are those of names and row lengths.
    `content` is the same as the file stores it, nothing stripped or left out: a CSV file's columns are text.
    `resolutions` has the relative distance of neighbouring numbers of columns whose type tells it, a fact of Parquet
    files, and `index` the names of columns that a table had as its index when it was written.
    """

    name: str
    columns: list[str]
    rows: Sequence[int]
    cells: Sequence[Sequence[object]]
    faults: list[Fault]
    content: pa.Table
    dialect: Dialect = PLAIN
    notices: tuple[Notice, ...] = ()
    resolutions: Mapping[str, float] = field(default_factory=dict)
    index: Collection[str] = ()
    _read: dict[str, np.ndarray] = field(default_factory=dict)

    def numbers(self, columns: Collection[str], blanks: Blanks = BLANKS) -> tuple[np.ndarray, list[Fault]]:
        """The named columns as float64 (n_rows, n_columns), and a fault for each where a cell is no finite number."""
        values = np.empty((len(self.rows), len(columns)))
        faults: list[Fault] = []
        for j, column in enumerate(columns):
            values[:, j] = self.numbers_of(column)
            missing = blanks.missing(self.cells_of(column), values[:, j])
            sound = np.isfinite(values[:, j])
            allowed = number_allowed(values[:, j], missing, f"a number; {FILL}")
            faults += self.bad_cells(column, missing | ~sound, allowed, "no finite number")
        return values, faults

    def cells_of(self, column: str) -> Sequence[object]:
        """The cells of a column."""
        return self.cells[self.columns.index(column)]

    def numbers_of(self, column: str) -> np.ndarray:
        """A column as float64 (n_rows,), not to be written to, NaN where a cell is no number."""
        if column not in self._read:
            numbers = np.fromiter(map(self.number, self.cells_of(column)), np.float64, len(self.rows))
            numbers.flags.writeable = False
            self._read[column] = numbers
        return self._read[column]

    def bad_cells(self, column: str, bad: np.ndarray, allowed: Callable[[int, str], str], others: str) -> list[Fault]:
        """A fault that names the first of the cells that are `bad`, bool (n_rows,), and counts them; none for none.

        `allowed(i, text)` says what may be in the place of the cell `i`, and `others` what the counted ones are.
        """
        if not bad.any():
            return []
        i = int(np.argmax(bad))
        cell = self.cells_of(column)[i]
        text = "" if cell is None else str(cell).strip()
        more = f" (and {bad.sum() - 1} more of the column that are {others})" if bad.sum() > 1 else ""
        found = (shown(text) if text else "an empty cell") + more
        return [Fault(f"column '{column}', row {self.rows[i]}", found, allowed(i, text), self.name)]

    def number(self, cell: object) -> float:
        """The float64 nearest to a cell, NaN where it holds none."""
        if isinstance(cell, str):
            return self.dialect.number(cell)
        if cell is None or isinstance(cell, bool):  # float() takes True as 1
            return float("nan")
        try:
            return float(cell)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return float("nan")

    def missing(self, key: str, wanted: str | Sequence[str]) -> list[Fault]:
        """One fault for each wanted name that is no column; `key` as in `read`, that of the name or of the list."""
        allowed = f"a column of {self.name}: {', '.join(self.columns)}"
        faults = []
        places = {wanted: key} if isinstance(wanted, str) else {name: below(key, i) for i, name in enumerate(wanted)}
        for name, below_key in places.items():
            if name not in self.columns:
                place, found = (below_key, shown(name)) if key else ("", f"no column {shown(name)}")
                faults.append(fault_at(place, self.name, found, allowed + did_you_mean(name, self.columns)))
        return faults


def number_allowed(values: np.ndarray, missing: np.ndarray, way_out: str) -> Callable[[int, str], str]:
    """What may be in the place of a cell of these `values` (n_rows,): `way_out` where it is `missing`."""

    def allowed(i: int, text: str) -> str:
        if missing[i]:
            return way_out
        if np.isinf(values[i]):
            return "a finite number, below 1.8e308 in size"
        if text.lower() in ("true", "false"):
            return "a number; write 1 for true and 0 for false"
        return "a number such as 3 or -1.5e-3; correct it, or leave the column out (data.features, data.targets)"

    return allowed


def name_faults(name: str, columns: list[str]) -> list[Fault]:
    """A fault where columns have no name, and one for each name that several have."""
    counts = {column: columns.count(column) for column in columns}
    faults = []
    if "" in counts:
        allowed = "a name for every column; remove columns that hold row numbers"
        faults.append(Fault(f"column {columns.index('') + 1}", "no name", allowed, name))
    for column, n in counts.items():
        if column and n > 1:
            faults.append(Fault(f"column '{column}'", f"{n} columns of this name", "each name once", name))
    return faults


def some_of(faults: list[Fault], what: str) -> list[Fault]:
    """The first SHOWN_FAULTS of the faults, and a line that counts the others."""
    more = len(faults) - SHOWN_FAULTS
    counted = [Fault("", f"{more} more {what}", "as above", faults[0].file)] if more > 0 else []
    return faults[:SHOWN_FAULTS] + counted


def in_all(faults: list[Fault]) -> list[Fault]:
    """Faults of a table as they are told: MOST_LINES at most, the last of which counts what is left out."""
    more = len(faults) - MOST_LINES + 1
    counted = Fault("", f"{more} more lines such as these", "none of them", faults[0].file if faults else "")
    return faults if len(faults) <= MOST_LINES else [*faults[: MOST_LINES - 1], counted]


def fault_at(key: str, name: str, found: str, allowed: str) -> Fault:
    """A fault at a key of params.yaml, or of the file itself where no key names it."""
    return Fault(key, found, allowed) if key else Fault("", found, allowed, name)
