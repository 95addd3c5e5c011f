"""The rows of a study of a table: one file that is cut in parts, or a file for each part, laid end to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from shoal.pipeline.config import ConfigError, DataConfig, Fault
from shoal.pipeline.config.faults import Notice, did_you_mean
from shoal.pipeline.data import readers
from shoal.pipeline.data.dialect import given
from shoal.pipeline.data.user_table import UserTable, in_all, some_of
from shoal.pipeline.paths import Paths
from shoal.pipeline.preparation import Blanks

LAST = "last"
"""The target of a table without names of columns."""


@dataclass(frozen=True, eq=False)
class Joined(UserTable):
    """Tables laid end to end, with the columns of the first; each is read, and blamed, as the file that it comes from.

    A column that one of them lacks is empty there.
    """

    tables: tuple[UserTable, ...] = ()

    @classmethod
    def of(cls, tables: tuple[UserTable, ...]) -> UserTable:
        """The tables as one; a single table is itself."""
        first, *others = tables
        if not others:
            return first
        kept = {field.name: getattr(first, field.name) for field in fields(first)}
        kept["rows"] = [row for table in tables for row in table.rows]
        kept["cells"] = [[cell for table in tables for cell in _cells(table, name)] for name in first.columns]
        kept["faults"] = [fault for table in tables for fault in table.faults]
        kept["notices"] = tuple(notice for table in tables for notice in table.notices)
        return cls(**kept, tables=tables)

    def numbers_of(self, column: str) -> np.ndarray:
        """A column as float64 (n_rows,), NaN where a cell is no number."""
        there = (table.numbers_of(column) if column in table.columns else _nothing(table) for table in self.tables)
        return np.concatenate(list(there))

    def bad_cells(self, column: str, bad: np.ndarray, allowed: Callable[[int, str], str], others: str) -> list[Fault]:
        """As of one table, a fault for each file that has such cells."""
        faults, start = [], 0
        for table in self.tables:
            end = start + len(table.rows)
            if column in table.columns:
                faults += table.bad_cells(column, bad[start:end], _from(start, allowed), others)
            start = end
        return faults


def _cells(table: UserTable, name: str) -> list[object]:
    return list(table.cells_of(name)) if name in table.columns else [None] * len(table.rows)


def _nothing(table: UserTable) -> np.ndarray:
    return np.full(len(table.rows), np.nan)


def _from(start: int, allowed: Callable[[int, str], str]) -> Callable[[int, str], str]:
    return lambda i, text: allowed(start + i, text)


class JoinedRows(NamedTuple):
    """What a study has of rows: `every` one, those whose targets are `known` before all others, and whence.

    `first` is the file that is trained on, `parts` have the places of rows with a file of their own, and `places`
    (n_rows,) int64 are those in the file that each row comes from, the first is 1.
    """

    every: UserTable
    known: UserTable
    first: UserTable
    parts: dict[str, np.ndarray]
    places: np.ndarray

    @property
    def tables(self) -> list[tuple[UserTable, slice]]:
        """Each file, and where its rows are among all."""
        tables = self.every.tables if isinstance(self.every, Joined) else (self.every,)
        ends = np.cumsum([len(table.rows) for table in tables]).tolist()
        return [(table, slice(end - len(table.rows), end)) for table, end in zip(tables, ends, strict=True)]


def read(settings: DataConfig, paths: Paths) -> tuple[DataConfig, JoinedRows]:
    """Read the files; where columns have no names of their own, `settings` come back with the last one as the target.

    Raises ConfigError for files that are no tables, and where their columns do not agree.
    """
    form = given(settings)
    tables = {key: readers.read(paths.root, path, f"data.{key}", form) for key, path in settings.files.items()}
    first, *others = tables.values()
    unnamed = first.columns == [f"c{i}" for i in range(1, len(first.columns) + 1)]
    if unnamed and settings.targets == (LAST,):
        settings = settings.model_copy(update={"targets": tuple(first.columns[-1:])})
    if faults := [fault for key, table in tables.items() for fault in _disagreement(key, table, first, settings)]:
        raise ConfigError(in_all([*(fault for table in tables.values() for fault in table.faults), *faults]))
    known = [table for key, table in tables.items() if key != "test" or not _is_to_predict(table, settings)]
    ends = np.cumsum([len(table.rows) for table in tables.values()])
    parts = {key: np.arange(end - len(tables[key].rows), end) for key, end in zip(tables, ends.tolist(), strict=True)}
    places = np.concatenate([np.arange(1, len(table.rows) + 1, dtype=np.int64) for table in tables.values()])
    own = {key: rows for key, rows in parts.items() if tables[key] is not first}
    return settings, JoinedRows(Joined.of((first, *others)), Joined.of(tuple(known)), first, own, places)


def apart(settings: DataConfig) -> set[str]:
    """Columns that are no features where none are named: targets, what splits or names the rows, what to ignore."""
    column = settings.splits.column if settings.splits else None
    return {*settings.targets, *(settings.ignore or ()), *(settings.id or ()), *([column] if column else ())}


def _disagreement(key: str, table: UserTable, first: UserTable, settings: DataConfig) -> list[Fault]:
    """Columns of the file that is trained on that another one lacks, a fault each; rows to test on need no targets."""
    if table is first:
        return []
    features = settings.features
    wanted = [name for name in first.columns if name not in apart(settings)] if features is None else [*features]
    wanted += [*(settings.id or ()), *settings.targets]
    missing = [name for name in wanted if name in first.columns and name not in table.columns]
    if key == "test" and {*settings.targets} <= {*missing}:
        missing = [name for name in missing if name not in settings.targets]
    faults = []
    for name in missing:
        hint = did_you_mean(name, [other for other in table.columns if other not in first.columns])
        faults.append(Fault(f"column '{name}'", "nothing", f"each column that {first.name} has{hint}", table.name))
    return some_of(faults, "such columns")


def _is_to_predict(table: UserTable, settings: DataConfig) -> bool:
    """Whether a table has no targets: no such columns, or nothing in them."""
    blanks = Blanks.of(settings.missing_values or ())
    there = [name for name in settings.targets if name in table.columns]
    return all(blanks.missing(table.cells_of(name), table.numbers_of(name)).all() for name in there)


def superfluous(rows: JoinedRows) -> list[Notice]:
    """A notice for each file with columns that the one that is trained on lacks."""
    told = []
    for table, _ in rows.tables:
        if more := [name for name in table.columns if name not in rows.first.columns]:
            found = f"{', '.join(map(repr, more[:5]))}{f' and {len(more) - 5} more' if len(more) > 5 else ''}"
            text = f"{rows.first.name} has no such column, so that it is left out"
            told.append(Notice(found, text, "if it is a feature, add it there", table.name))
    return told
