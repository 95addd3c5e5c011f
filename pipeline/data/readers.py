"""A user's file read as a table: delimited text as its dialect has it, or Parquet with its types."""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, TextIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shoal.pipeline.config.faults import ConfigError, Fault, Notice, did_you_mean, shown
from shoal.pipeline.data.dialect import (
    PLAIN,
    Dialect,
    Record,
    UnreadableError,
    decoded,
    encoding_of,
    header_place,
    is_padded,
    plain,
    records,
    separator_of,
    split,
    width,
)
from shoal.pipeline.data.marks import marked
from shoal.pipeline.data.user_table import UserTable, fault_at, some_of

PARQUET, PACKED = ".parquet", ".gz"
SUFFIXES = (".csv", PARQUET)
READ = (".csv", ".tsv", ".txt", f".csv{PACKED}", f".tsv{PACKED}", f".txt{PACKED}", PARQUET)
"""Endings of files that are written, and of those that are read."""
PART_ROWS = 50_000
"""Rows of a table that are read at a time where it need not be there as a whole."""
HEAD = 1_000_000
"""Characters of a long text from which its separator is found."""
INDEX = "index"
"""Name of the first column of a text where it has none: pandas and R write names of rows so."""


def read(root: Path, name: str, key: str, given: Dialect = PLAIN) -> UserTable:
    """Read the file `name` (as the user wrote it, relative to `root`) that the key of params.yaml at `key` asks for.

    An empty key stands for a file that is named elsewhere. What is not `given` of the
    form of text is found. Raises ConfigError where there is no such file, or it is
    no table at all; what is wrong with parts of the table is in the faults that the UserTable and its methods give.
    """
    path = root / name
    with _reading(path, name, key):
        return _read_parquet(path, name) if path.suffix.lower() == PARQUET else _read_text(path, name, given)


def parts(root: Path, name: str, key: str, given: Dialect = PLAIN) -> Iterator[UserTable]:
    """The table of `read` in parts of up to PART_ROWS rows, so that memory holds a table of any length; one at least.

    The first part says which columns there are, and what the decimal mark is. Raises what `read` does.
    """
    path = root / name
    with _reading(path, name, key):
        yield from (_parquet_parts if path.suffix.lower() == PARQUET else partial(_text_parts, given=given))(path, name)


@contextmanager
def _reading(path: Path, name: str, key: str) -> Iterator[None]:
    """Raise ConfigError where there is no such file, or it cannot be read."""
    try:
        _check_file(path, name, key)
        yield
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise _refusal("", f"a file that cannot be read ({reason})", "a whole, readable file", name) from None


def _check_file(path: Path, name: str, key: str) -> None:
    ending = f"a file that ends in {', '.join(READ[:-1])} or {READ[-1]}"
    fault = None
    if path.is_dir():
        fault = fault_at(key, name, f"{shown(name)}, a folder", ending)
    elif not path.name.lower().endswith(READ):
        fault = fault_at(key, name, shown(name), f"{ending}; export the table to one of these")
    elif not path.exists():
        hint = did_you_mean(path.name, [other.name for other in path.parent.glob("*")])
        base = ", relative to the folder of params.yaml" if key else ""
        fault = fault_at(key, name, f"{shown(name)}, which does not exist", f"an existing file{base}{hint}")
    elif path.stat().st_size == 0:
        fault = Fault("", "an empty file", "a table with named columns", name)
    if fault:
        raise ConfigError([fault])


def _read_text(path: Path, name: str, given: Dialect) -> UserTable:
    try:
        return _delimited(_bytes(path), name, given)
    except UnreadableError as error:
        raise _refusal(error.where, error.found, error.allowed, name) from None


def _text_parts(path: Path, name: str, given: Dialect) -> Iterator[UserTable]:
    """Text that is not split at a first reading without a fault, or is short, comes whole, as `_read_text` has it."""
    form = _form(path, given)
    if form is None or not form.is_sound() or form.is_short():
        yield _read_text(path, name, given)
        return
    records = form.records()
    first = _table(list(islice(records, PART_ROWS)), name, form.dialect)
    yield first
    header = (0, list(first.content.column_names))
    fixed = replace(first.dialect, thousands=given.thousands, header_row=0)
    while part := list(islice(records, PART_ROWS)):
        yield _table([header, *part], name, fixed)


@dataclass(frozen=True)
class _Form:
    """How a file of text is read line by line."""

    path: Path
    dialect: Dialect
    padded: bool

    def records(self) -> Iterator[Record]:
        """Its records, one by one; raises UnreadableError or ValueError where there is no text that can be split."""
        with _opened(self.path, str(self.dialect.encoding)) as file:
            yield from split(file, self.dialect.separator or ",", padded=self.padded, strict=True)

    def is_sound(self) -> bool:
        """Whether all of it can be read."""
        try:
            return not any("\0" in cell for _, cells in self.records() for cell in cells)
        except (UnreadableError, ValueError):
            return False

    def is_short(self) -> bool:
        """Whether one part holds all of it."""
        return sum(1 for _ in islice(self.records(), PART_ROWS + 1)) <= PART_ROWS


def _form(path: Path, given: Dialect) -> _Form | None:
    """The form of a text as its beginning has it; None where that cannot be read."""
    with _binary(path) as file:
        encoding = encoding_of(file.read(2), given.encoding)
    try:
        with _opened(path, encoding) as file:
            head = file.read(HEAD)
    except (LookupError, ValueError):
        return None
    head = head[: head.rfind("\n") + 1] or head
    separator = given.separator or separator_of(head)
    return _Form(path, replace(given, encoding=encoding, separator=separator), is_padded(head, separator))


def _binary(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix.lower() == PACKED else path.open("rb")


def _opened(path: Path, encoding: str) -> TextIO:
    return TextIOWrapper(_binary(path), encoding, newline="")


def _bytes(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix.lower() == PACKED else content


def _delimited(content: bytes, name: str, given: Dialect) -> UserTable:
    """A table of delimited text; raises UnreadableError."""
    text = decoded(content, given.encoding)
    dialect = replace(given, separator=given.separator or separator_of(text))
    return _table(records(text, dialect.separator or ","), name, dialect)


def _table(found: list[Record], name: str, given: Dialect) -> UserTable:
    """A table of the records of delimited text, whose separator is known; raises UnreadableError."""
    if not found:
        raise UnreadableError("", "an empty file", "column names in row 1 and numbers below")
    place = header_place(found, given.header_row)
    below_header = found if place is None else found[place + 1 :]
    names = [] if place is None else found[place][1]
    n_columns = _n_columns(names, below_header)
    names = (names + [""] * n_columns)[:n_columns] if names else [f"c{i}" for i in range(1, n_columns + 1)]
    columns, index = _with_index([column.strip() for column in names])
    whole = [(row, kept) for row, cells in below_header if len(kept := _kept(cells, n_columns)) == n_columns]
    faults = _name_faults(name, columns) + _length_faults(name, below_header, n_columns)
    by_column = [list(column) for column in zip(*(cells for _, cells in whole), strict=True)] or [[] for _ in columns]
    stored = pa.table([pa.array(cells, pa.string()) for cells in by_column], names=names)
    dialect = marked(given, by_column)
    told = _told(name, found, place, given)
    rows = [row for row, _ in whole]
    return UserTable(name, columns, rows, by_column, faults, stored, dialect, told, index=index)


def _with_index(columns: list[str]) -> tuple[list[str], list[str]]:
    """The names of columns with INDEX, or what is like it and free, where the first one has none; and that name."""
    if columns[0]:
        return columns, []
    name = INDEX
    while name in columns:
        name += "_"
    return [name, *columns[1:]], [name]


def _n_columns(names: Sequence[str], rows: Sequence[Record]) -> int:
    """As many as have a name or a filled cell: a spreadsheet leaves separators behind them."""
    filled = max((width(cells) for _, cells in rows), default=0)
    if not names:
        return Counter(width(cells) for _, cells in rows).most_common(1)[0][0]
    return max(width(names), min(filled, len(names)))


def _kept(cells: list[str], n_columns: int) -> list[str]:
    """The cells without empty ones behind the last column."""
    return cells[:n_columns] if len(cells) > n_columns and width(cells) <= n_columns else cells


def _told(name: str, found: Sequence[Record], place: int | None, given: Dialect) -> tuple[Notice, ...]:
    """What was found of the form of a file that is not plain, and was not given."""
    if given.header_row is not None:
        return ()
    if place == 0:
        odd = next((cell.strip() for cell in found[0][1] if _is_measured(cell)), None)
        way_out = "if these are no names, say data.header_row: none"
        return () if odd is None else (Notice(f"row {found[0][0]}", f"a column is called {odd}", way_out, name),)
    if place is None:
        way_out = "if it has them in a row, say data.header_row"
        return (Notice(f"row {found[0][0]}", "numbers alone, so the columns are called c1, c2, ...", way_out, name),)
    verb = "lines above the names of the columns are" if place > 1 else "line above the names of the columns is"
    lines = f"{place} {verb} left out"
    return (Notice(f"row {found[place][0]}", lines, "if this is wrong, say data.header_row", name),)


def _is_measured(cell: str) -> bool:
    """Whether a cell is a number with decimals, as no name is: years are whole."""
    return re.fullmatch(r"[-+]?\d*[.,]\d+([eE][-+]?\d+)?", plain(cell.strip())) is not None


def _read_parquet(path: Path, name: str) -> UserTable:
    return _of_parquet(pq.ParquetFile(path).read(), name)


def _parquet_parts(path: Path, name: str) -> Iterator[UserTable]:
    with pq.ParquetFile(path) as file:
        if file.metadata.num_rows <= PART_ROWS:
            yield _of_parquet(file.read(), name)
            return
        n_rows = 0
        for batch in file.iter_batches(PART_ROWS):
            yield _of_parquet(pa.Table.from_batches([batch], file.schema_arrow), name, n_rows)
            n_rows += batch.num_rows


def _of_parquet(table: pa.Table, name: str, n_before: int = 0) -> UserTable:
    """What a Parquet file has, or a part of it behind so many rows."""
    kept = [i for i, column in enumerate(table.column_names) if not column.startswith("__index_level_")]
    columns = [table.column_names[i] for i in kept]
    cells = [table.column(i).to_pylist() for i in kept]
    rows = range(n_before + 1, n_before + table.num_rows + 1)
    faults = _name_faults(name, columns)
    resolutions, index = _resolutions(table.schema), _index(table.schema)
    return UserTable(name, columns, rows, cells, faults, table, resolutions=resolutions, index=index)


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


def _length_faults(name: str, lines: Sequence[Record], n_columns: int) -> list[Fault]:
    allowed = f"{n_columns}, one for each column name; a cell with a separator in it needs quotes"
    every = [
        Fault(f"row {row}", "1 cell" if len(cells) == 1 else f"{len(cells)} cells", allowed, name)
        for row, cells in lines
        if len(_kept(cells, n_columns)) != n_columns
    ]
    return some_of(every, "such rows")


def _refusal(where: str, found: str, allowed: str, name: str) -> ConfigError:
    return ConfigError([Fault(where, found, allowed, name)])
