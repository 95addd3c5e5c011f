"""Which mark of a text's numbers is the decimal one, and which stands between thousands: as all columns agree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from shoal.pipeline.data.dialect import Dialect, UnreadableError, plain

_POINT = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d*)(\.\d*)?([eE][-+]?\d+)?")
_COMMA = re.compile(r"[-+]?(\d{1,3}(\.\d{3})+|\d*)(,\d*)?([eE][-+]?\d+)?")
"""Numbers with a decimal point and those with a decimal comma; the other mark may stand between thousands."""
PATTERNS = {".": _POINT, ",": _COMMA}
OTHER = {".": ",", ",": "."}
GROUPED = {mark: re.compile(rf"[-+]?([1-9]\d{{0,2}}({mark}\d{{3}})+|\d+)([.,]\d*)?") for mark in ("'", " ")}
"""Numbers whose digits are in groups, by the mark between these; 044 123 456 is no number."""
EITHER = "?"


def marked(dialect: Dialect, columns: Sequence[Sequence[str]]) -> Dialect:
    """The dialect with its decimal mark and the mark between thousands, as all columns of numbers agree on them.

    Raises UnreadableError where they do not, or where all there is are numbers such as 1,234, of which nobody knows.
    """
    texts = [[text for cell in cells if (text := plain(cell.strip()))] for cells in columns]
    thousands = dialect.thousands or next((mark for mark in GROUPED if any(_is_grouped(mark, x) for x in texts)), None)
    if thousands in GROUPED:
        texts = [_without(thousands, cells) if _is_grouped(thousands, cells) else cells for cells in texts]
    decimal = dialect.decimal or OTHER.get(thousands or "") or _decimal(texts, dialect.separator or ",")
    if thousands is None and any(_all(PATTERNS[decimal], cells) and _holds(OTHER[decimal], cells) for cells in texts):
        thousands = OTHER[decimal]
    return replace(dialect, decimal=decimal, thousands=thousands)


def _decimal(columns: Sequence[Sequence[str]], separator: str) -> str:
    votes = {vote for cells in columns if (vote := _vote(cells, separator))}
    allowed = "data.decimal, '.' or ',', which says what they are"
    if {".", ","} <= votes:
        raise UnreadableError("", "columns with a decimal point and others with a decimal comma", allowed)
    if votes == {EITHER}:
        raise UnreadableError("", "numbers such as 1,234 alone, which may be thousands or fractions", allowed)
    return next(iter(votes - {EITHER}), ".")


def _is_grouped(mark: str, cells: Sequence[str]) -> bool:
    """Whether all cells of a column are numbers, some of which have their digits in groups with this mark between."""
    return _holds(mark, cells) and _all(GROUPED[mark], cells)


def _without(mark: str, cells: Sequence[str]) -> list[str]:
    return [cell.replace(mark, "") for cell in cells]


def _vote(cells: Sequence[str], separator: str) -> str | None:
    """The decimal mark that makes every cell of a column a number, EITHER, or None where the column says nothing.

    Between commas as separators a cell with a comma is in quotes: a column with few of them is none of such numbers,
    and 1,234 is a number of thousands.
    """
    if not (_holds(",", cells) or _holds(".", cells)):
        return None
    if separator == "," and 2 * sum("," in cell or "." in cell for cell in cells) < len(cells):
        return None
    point, comma = _all(_POINT, cells), _all(_COMMA, cells)
    if point and comma:  # groups of three digits alone; points between them are taken for decimal ones
        return (EITHER if separator != "," else ".") if _holds(",", cells) else None
    return "." if point else "," if comma else None


def _holds(mark: str, cells: Sequence[str]) -> bool:
    return any(mark in cell for cell in cells)


def _all(pattern: re.Pattern[str], texts: Sequence[str]) -> bool:
    return all(any(map(str.isdigit, text)) and pattern.fullmatch(text) for text in texts)
