"""How a file of delimited text has its table: encoding, separator, row of names, decimal mark; found, or given."""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

from shoal.pipeline.config import DataConfig
from shoal.pipeline.config.faults import shown

Record = tuple[int, list[str]]
"""The row on which it starts, as an editor counts, and its cells."""

SEPARATORS = ("\t", ";", "|", ",", " ")
"""In the order in which they are taken where several would do: a comma may be a decimal mark, a blank part of text."""
LOOKED_AT = 200
"""Records from which the separator is found."""
FITTING = 0.8
"""Share of those records that have equally many cells, at least."""
NO_HEADER = "none"
MINUS = "\u2212"
"""The minus sign of typographers, which some programs write."""
_TYPOGRAPHIC = str.maketrans({MINUS: "-", "\u00a0": " ", "\u202f": " ", "\u2019": "'"})
_CLOSED = re.compile(r'(?<!")"[ \t]+(?=[,;|\t]|\r?$)', re.MULTILINE)
"""Blanks between a closing quote and the separator behind it."""


class UnreadableError(Exception):
    """Text in which no table is found: `where`, what was `found` there, what is `allowed`."""

    def __init__(self, where: str, found: str, allowed: str) -> None:
        self.where, self.found, self.allowed = where, found, allowed
        super().__init__(where, found, allowed)


@dataclass(frozen=True)
class Dialect:
    """What is given of a file's form; None is found. `header_row` counts from 1, NO_HEADER is a table without names."""

    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    header_row: int | str | None = None

    def number(self, cell: str) -> float:
        """The float64 nearest to a cell, NaN where it holds no number in this dialect."""
        if "_" in cell:  # Python takes 1_0 as 10
            return math.nan
        try:
            return float(cell if self.decimal in (None, ".") else self._rewritten(cell))
        except ValueError:  # few are written otherwise than Python does
            return _float(self._rewritten(cell))

    def _rewritten(self, cell: str) -> str:
        """A cell as Python would write its number; empty where a point is none of this dialect."""
        text, decimal = plain(cell.strip()), self.decimal or "."
        whole, mark, rest = text.partition(decimal)
        if self.thousands and re.fullmatch(rf"[-+]?\d{{1,3}}({re.escape(self.thousands)}\d{{3}})+", whole):
            whole = whole.replace(self.thousands, "")
        if decimal != "." and "." in whole + rest:
            return ""
        return f"{whole}.{rest}" if mark else whole


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def plain(cell: str) -> str:
    """A cell with the minus, the blanks and the apostrophe that typewriters have."""
    return cell if cell.isascii() else cell.translate(_TYPOGRAPHIC)


PLAIN = Dialect()
"""Nothing is given."""


def given(settings: DataConfig) -> Dialect:
    """What params.yaml says of the form of the user's files."""
    return Dialect(**{key.name: getattr(settings, key.name) for key in fields(Dialect)})


def encoding_of(content: bytes, encoding: str | None) -> str:
    """The name of the encoding of a file that begins with `content`, or the one that is given."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return encoding or ("utf-16" if marked else "utf-8-sig")


def decoded(content: bytes, encoding: str | None) -> str:
    """The text of a file: in the encoding that is given, else UTF-16 where it begins with its mark, else UTF-8.

    Raises UnreadableError for bytes that are no such text.
    """
    name = encoding_of(content, encoding)
    try:
        text = content.decode(name)
    except LookupError:
        raise UnreadableError("", f"encoding {shown(encoding)}", "the name of an encoding, such as latin-1") from None
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        found = f"bytes that are not {name.removesuffix('-sig').upper()} text ({error.reason})"
        allowed = "UTF-8, or UTF-16 with its mark; save the table as 'CSV UTF-8', or say data.encoding (latin-1, ...)"
        raise UnreadableError(f"row {row}", found, allowed) from None
    if "\0" in text:
        row = text[: text.index("\0")].count("\n") + 1
        raise UnreadableError(f"row {row}", "a NUL character, which no text has", "a table as CSV text, or as Parquet")
    return text


def records(text: str, separator: str) -> list[Record]:
    """The records of a text, blank ones left out; raises UnreadableError where it cannot be split into cells."""
    try:
        return list(_records(text, separator, strict=True))
    except UnreadableError:
        mended = _CLOSED.sub('"', text)
        if mended == text:
            raise
        return list(_records(mended, separator, strict=True))


def _records(text: str, separator: str, *, strict: bool) -> Iterator[Record]:
    return split(io.StringIO(text, newline=""), separator, padded=is_padded(text, separator), strict=strict)


def is_padded(text: str, separator: str) -> bool:
    """Whether blanks between a separator and a quote, or another separator of blanks, are no part of a cell."""
    return separator == " " or re.search(re.escape(separator) + '[ \t]+"', text) is not None


def split(lines: Iterable[str], separator: str, *, padded: bool, strict: bool) -> Iterator[Record]:
    """The records of lines, blank ones left out; raises UnreadableError where these cannot be split into cells."""
    source = (line.strip(" ") for line in lines) if separator == " " else lines
    reader = csv.reader(source, delimiter=separator, skipinitialspace=padded, strict=strict)
    row = 1
    try:
        for cells in reader:
            if "".join(cells).strip():
                yield row, cells
            row = reader.line_num + 1
    except csv.Error as error:
        found = f"text that cannot be split into cells ({error})"
        allowed = f"{_named(separator)} between cells, every opened quote closed"
        raise UnreadableError(f"row {row}", found, allowed) from None


def separator_of(text: str) -> str:
    """The separator that gives most records equally many cells; a comma where none does (a table of one column)."""

    def judged(separator: str) -> tuple[bool, bool, int] | None:
        found = [width(cells) for _, cells in _first(text, separator)]
        usual, count = Counter(found).most_common(1)[0] if found else (0, 0)
        if usual < 2 or count < FITTING * len(found[found.index(usual) :]):  # a title above them may be otherwise
            return None
        return found[0] == usual, count == len(found), -SEPARATORS.index(separator)

    ranks = {separator: rank for separator in SEPARATORS if (rank := judged(separator))}
    return max(ranks, key=lambda separator: ranks[separator]) if ranks else ","


def _first(text: str, separator: str) -> list[Record]:
    found: list[Record] = []
    try:
        for record in _records(text, separator, strict=False):
            found.append(record)
            if len(found) == LOOKED_AT:
                break
    except UnreadableError:  # a cell of enormous size: `records` says so
        pass
    return found


def width(cells: Sequence[str]) -> int:
    """The number of cells without empty ones at the end, which spreadsheets leave behind."""
    n = len(cells)
    while n and not cells[n - 1].strip():
        n -= 1
    return n


def header_place(found: Sequence[Record], given: int | str | None) -> int | None:
    """The place of the record that has the names of the columns; None for a table without names.

    It is the first one. Lines of another length above a record without numbers, which has what the records below it
    have, are a title. A first record of numbers alone is none of names. Raises UnreadableError for a row that is not.
    """
    if given == NO_HEADER:
        return None
    if given is not None:
        places = [place for place, (row, _) in enumerate(found) if row == given]
        if not places:
            raise UnreadableError(f"row {given}", "no record that begins there", "the row that has the column names")
        return places[0]
    if all(_is_number(cell) for cell in found[0][1] if cell.strip()):
        return None
    usual = Counter(width(cells) for _, cells in found[-LOOKED_AT:]).most_common(1)[0][0]
    place = next(place for place, (_, cells) in enumerate(found) if width(cells) == usual)
    above_is_title = place and usual > max(width(cells) for _, cells in found[:place]) and _is_names(found[place][1])
    return place if above_is_title and len(found) > place + 1 else 0


def _is_names(cells: Sequence[str]) -> bool:
    """Whether a record looks like names of columns: each cell filled, none a number, none twice."""
    names = [cell.strip() for cell in cells[: width(cells)]]
    return all(names) and len(set(names)) == len(names) and not any(map(_is_number, names))


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[-+]?(\d[\d.,]*|[.,]\d+)([eE][-+]?\d+)?", cell.strip().replace(MINUS, "-")) is not None


def _named(separator: str) -> str:
    return {",": "commas", ";": "semicolons", "\t": "tabs", " ": "blanks"}.get(separator, f"'{separator}'")
