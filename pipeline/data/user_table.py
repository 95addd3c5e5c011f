"""A user's table, CSV or Parquet: its columns as numbers, and every fault with its place and a way out."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shoal.pipeline.config.faults import ConfigError, Fault, below, did_you_mean, shown

SUFFIXES = (".csv", ".parquet")
SHOWN_FAULTS = 10
"""Rows of the wrong length that are told one by one; the others are counted."""


@dataclass(frozen=True, eq=False)
class UserTable:
    """A table as its file has it: one sequence of cells a column, nothing judged yet but its form.

    `rows` are row numbers as an editor shows them: the header of a CSV file is row 1, so its first data row is row 2;
    a Parquet file has no header row, and its first row is row 1. `faults` are those of names and row lengths.
    `content` is the same as the file stores it, nothing stripped or left out: a CSV file's columns are text.
    `resolutions` has the relative distance of neighbouring numbers of columns whose type tells it, and `index` the
    names of columns that a pandas table had as its index; both are facts of Parquet files.
    """

    name: str
    columns: list[str]
    rows: Sequence[int]
    cells: Sequence[Sequence[object]]
    faults: list[Fault]
    content: pa.Table
    resolutions: Mapping[str, float] = field(default_factory=dict)
    index: Collection[str] = ()

    @property
    def named_by_numbers(self) -> bool:
        """Whether every column has a number for a name."""
        return all(np.isfinite(_number(name)) for name in self.columns)

    def numbers(self, columns: Collection[str]) -> tuple[np.ndarray, list[Fault]]:
        """The named columns as float64 (n_rows, n_columns), and a fault for each where a cell is no finite number."""
        values = np.empty((len(self.rows), len(columns)))
        faults: list[Fault] = []
        for j, column in enumerate(columns):
            cells = self.cells[self.columns.index(column)]
            values[:, j] = [_number(cell) for cell in cells]
            bad = np.flatnonzero(~np.isfinite(values[:, j]))
            if len(bad):
                found, allowed = _judge(cells[bad[0]])
                if len(bad) > 1:
                    found += f" (and {len(bad) - 1} more of the column that are no finite number)"
                faults.append(Fault(f"column '{column}', row {self.rows[bad[0]]}", found, allowed, self.name))
        return values, faults

    def missing(self, key: str, wanted: Sequence[str]) -> list[Fault]:
        """One fault for each wanted name that is no column; `key` as in `read`, the list of the names."""
        allowed = f"a column of {self.name}: {', '.join(self.columns)}"
        faults = []
        for i, name in enumerate(wanted):
            if name not in self.columns:
                place, found = (below(key, i), shown(name)) if key else ("", f"no column {shown(name)}")
                faults.append(_fault(place, self.name, found, allowed + did_you_mean(name, self.columns)))
        return faults


def read(root: Path, name: str, key: str) -> UserTable:
    """Read the file `name` (as the user wrote it, relative to `root`) that the key of params.yaml at `key` asks for.

    An empty key stands for a file that is named elsewhere. Raises ConfigError where there is no such file, or it is
    no table at all; what is wrong with parts of the table is in the faults that the UserTable and its methods give.
    """
    path = root / name
    try:
        _check_file(path, name, key)
        return _read_csv(path, name) if path.suffix.lower() == ".csv" else _read_parquet(path, name)
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise _refusal("", f"a file that cannot be read ({reason})", "a whole, readable file", name) from None


def _check_file(path: Path, name: str, key: str) -> None:
    ending = f"a file that ends in {' or '.join(SUFFIXES)}"
    fault = None
    if path.is_dir():
        fault = _fault(key, name, f"{shown(name)}, a folder", ending)
    elif path.suffix.lower() not in SUFFIXES:
        fault = _fault(key, name, shown(name), f"{ending}; export the table to one of these")
    elif not path.exists():
        hint = did_you_mean(path.name, [other.name for other in path.parent.glob("*")])
        base = ", relative to the folder of params.yaml" if key else ""
        fault = _fault(key, name, f"{shown(name)}, which does not exist", f"an existing file{base}{hint}")
    elif path.stat().st_size == 0:
        fault = Fault("", "an empty file", "a table with named columns", name)
    if fault:
        raise ConfigError([fault])


def _read_csv(path: Path, name: str) -> UserTable:
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            lines = list(_numbered_lines(file, name))
        except UnicodeDecodeError as error:
            found = f"bytes that are not UTF-8 text ({error.reason})"
            raise _refusal("", found, "UTF-8; save the table as 'CSV UTF-8'", name) from None
    if not lines:
        raise _refusal("", "an empty file", "column names in row 1 and numbers below", name)
    columns = [column.strip() for column in lines[0][1]]
    if len(columns) == 1 and (mark := next((mark for mark in ";\t|" if mark in columns[0]), None)):
        found = f"columns separated by {shown(mark)}"
        raise _refusal(f"row {lines[0][0]}", found, "commas between cells, and points in numbers", name)
    whole = [(row, cells) for row, cells in lines[1:] if len(cells) == len(columns)]
    faults = _name_faults(name, columns) + _length_faults(name, lines, len(columns))
    by_column = [list(column) for column in zip(*(cells for _, cells in whole), strict=True)] or [[] for _ in columns]
    content = pa.table([pa.array(cells, pa.string()) for cells in by_column], names=lines[0][1])
    return UserTable(name, columns, [row for row, _ in whole], by_column, faults, content)


def _numbered_lines(file: Iterator[str], name: str) -> Iterator[tuple[int, list[str]]]:
    """Records with the number of the line they start on; blank lines are skipped, but counted."""
    reader = csv.reader(file, strict=True)
    row = 1
    try:
        for cells in reader:
            if cells:
                yield row, cells
            row = reader.line_num + 1
    except csv.Error as error:
        found = f"text that cannot be split into cells ({error})"
        raise _refusal(f"row {row}", found, "commas between cells, every opened quote closed", name) from None


def _read_parquet(path: Path, name: str) -> UserTable:
    table = pq.ParquetFile(path).read()
    kept = [i for i, column in enumerate(table.column_names) if not column.startswith("__index_level_")]
    columns = [table.column_names[i] for i in kept]
    cells = [table.column(i).to_pylist() for i in kept]
    rows = range(1, table.num_rows + 1)
    return UserTable(
        name, columns, rows, cells, _name_faults(name, columns), table, _resolutions(table.schema), _index(table.schema)
    )


def _resolutions(schema: pa.Schema) -> dict[str, float]:
    floating = (part for part in schema if pa.types.is_floating(part.type))
    return {part.name: float(np.finfo(part.type.to_pandas_dtype()).eps) for part in floating}


def _index(schema: pa.Schema) -> list[str]:
    """Names in the index of the pandas table that a Parquet file was made of; an index that only counts has none."""
    try:
        described = schema.pandas_metadata or {}
    except ValueError:  # the note of another program under pandas' name
        return []
    return [name for name in described.get("index_columns", ()) if isinstance(name, str)]


def _name_faults(name: str, columns: list[str]) -> list[Fault]:
    counts = {column: columns.count(column) for column in columns}
    faults = []
    if "" in counts:
        allowed = "a name for every column; remove columns that hold row numbers"
        faults.append(Fault(f"column {columns.index('') + 1}", "no name", allowed, name))
    for column, n in counts.items():
        if column and n > 1:
            faults.append(Fault(f"column '{column}'", f"{n} columns of this name", "each name once", name))
    return faults


def _length_faults(name: str, lines: list[tuple[int, list[str]]], n_columns: int) -> list[Fault]:
    allowed = f"{n_columns}, one for each column name; a cell with a comma in it needs quotes"
    every = [
        Fault(f"row {row}", "1 cell" if len(cells) == 1 else f"{len(cells)} cells", allowed, name)
        for row, cells in lines
        if len(cells) != n_columns
    ]
    more = len(every) - SHOWN_FAULTS
    counted = [Fault("", f"{more} more such rows", "as above", name)] if more > 0 else []
    return every[:SHOWN_FAULTS] + counted


def _number(cell: object) -> float:
    """The float64 nearest to a cell, NaN where it holds none."""
    if isinstance(cell, bool) or (isinstance(cell, str) and "_" in cell):  # float() takes both, True as 1, 1_0 as 10
        return float("nan")
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def _judge(cell: object) -> tuple[str, str]:
    """What was found in a cell that is no finite number, and what is allowed instead."""
    text = "" if cell is None else str(cell).strip()
    if not text:
        return "an empty cell", "a number; fill the cell or remove the row"
    found = shown(text)
    if np.isinf(_number(cell)):
        return found, "a finite number, below 1.8e308 in size"
    if text.lower() in ("true", "false"):
        return found, "a number; write 1 for true and 0 for false"
    return found, "a number such as 3 or -1.5e-3; correct it, or leave the column out (data.features, data.targets)"


def _fault(key: str, name: str, found: str, allowed: str) -> Fault:
    """A fault at a key of params.yaml, or of the file itself where no key names it."""
    return Fault(key, found, allowed) if key else Fault("", found, allowed, name)


def _refusal(where: str, found: str, allowed: str, name: str) -> ConfigError:
    return ConfigError([Fault(where, found, allowed, name)])
