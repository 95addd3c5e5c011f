"""Delimited text as a user's table: its form from its beginning, its lines as records, and these as columns."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, TextIO, cast

import pyarrow as pa

from shoal.pipeline.config.faults import Fault, Notice
from shoal.pipeline.data.dialect import (
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
from shoal.pipeline.data.user_table import UserTable, name_faults, some_of

PACKED = ".gz"
"""Ending of a text that is compressed."""
HEAD = 1_000_000
"""Characters of a long text from which its separator is found."""
INDEX = "index"
"""Name of the first column of a text where it has none: pandas and R write names of rows so."""


def read(path: Path, name: str, given: Dialect) -> UserTable:
    """The table of a text, which messages call `name`; what is not `given` of its form is found.

    Raises UnreadableError where it is no table, OSError, EOFError and zlib.error where it cannot be read.
    """
    return _delimited(_bytes(path), name, given)


def parts(path: Path, name: str, given: Dialect, part_rows: int) -> Iterator[UserTable]:
    """The table of `read` in parts of up to so many rows; whole where it is short or a first reading finds a fault."""
    form = _form(path, given)
    if form is None or not form.is_sound() or form.is_short(part_rows):
        yield read(path, name, given)
        return
    records = form.records()
    first = _table(list(islice(records, part_rows)), name, form.dialect)
    yield first
    header = (0, list(first.content.column_names))
    fixed = replace(first.dialect, thousands=given.thousands, header_row=0)
    while part := list(islice(records, part_rows)):
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

    def is_short(self, part_rows: int) -> bool:
        """Whether one part holds all of it."""
        return sum(1 for _ in islice(self.records(), part_rows + 1)) <= part_rows


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
    faults = name_faults(name, columns) + _length_faults(name, below_header, n_columns)
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


def _length_faults(name: str, lines: Sequence[Record], n_columns: int) -> list[Fault]:
    allowed = f"{n_columns}, one for each column name; a cell with a separator in it needs quotes"
    every = [
        Fault(f"row {row}", "1 cell" if len(cells) == 1 else f"{len(cells)} cells", allowed, name)
        for row, cells in lines
        if len(_kept(cells, n_columns)) != n_columns
    ]
    return some_of(every, "such rows")
