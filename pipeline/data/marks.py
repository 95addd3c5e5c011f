"""Which mark of a text's numbers is the decimal one, and which stands between thousands: as all columns agree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from shoal.pipeline.data.dialect import Dialect, UnreadableError, plain

_POINT = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d*)(\.\d*)?([eE][-+]?\d+)?")
_COMMA = re.compile(r"[-+]?(\d{1,3}(\.\d{3})+|\d*)(,\d*)?([eE][-+]?\d+)?")
"""Numbers with a decimal point and those with a decimal comma; the other mark may stand between thousands."""
PATTERNS = {".": _POINT, ",": _COMMA}
OTHER = {".": ",", ",": "."}
GROUPED = {mark: re.compile(rf"[-+]?([1-9]\d{{0,2}}({mark}\d{{3}})+|\d+)([.,]\d*)?") for mark in ("'", " ")}
"""Numbers whose digits are in groups, by the mark between these; 044 123 456 is no number."""
EITHER = "?"
_ONES = bytes.maketrans(b"23456789", b"1" * 8)
Shapes: TypeAlias = Mapping[str, int]
"""Cells in which each digit but 0 stands as 1, and how many there are of each: all that the patterns tell apart."""


def marked(dialect: Dialect, columns: Sequence[Sequence[str]]) -> Dialect:
    """The dialect with its decimal mark and the mark between thousands, as all columns of numbers agree on them.

    Raises UnreadableError where they do not, or where all there is are numbers such as 1,234, of which nobody knows.
    """
    shapes = [_shapes(cells) for cells in columns]
    thousands = dialect.thousands or next((mark for mark in GROUPED if any(_is_grouped(mark, x) for x in shapes)), None)
    if thousands in GROUPED:
        shapes = [_without(thousands, column) if _is_grouped(thousands, column) else column for column in shapes]
    decimal = dialect.decimal or OTHER.get(thousands or "") or _decimal(shapes, dialect.separator or ",")
    if thousands is None and any(_all(PATTERNS[decimal], x) and _holds(OTHER[decimal], x) for x in shapes):
        thousands = OTHER[decimal]
    return replace(dialect, decimal=decimal, thousands=thousands)


def _shapes(cells: Sequence[str]) -> Shapes:
    """What the filled cells of a column look like, all of them in one go: a NUL is in none (dialect.py)."""
    text = plain("\0".join(map(str.strip, cells))).encode("utf-8", "surrogatepass").translate(_ONES)
    found = Counter(text.split(b"\0"))
    return {shape.decode("utf-8", "surrogatepass"): n for shape, n in found.items() if shape}


def _decimal(columns: Sequence[Shapes], separator: str) -> str:
    votes = {vote for shapes in columns if (vote := _vote(shapes, separator))}
    allowed = "data.decimal, '.' or ',', which says what they are"
    if {".", ","} <= votes:
        raise UnreadableError("", "columns with a decimal point and others with a decimal comma", allowed)
    if votes == {EITHER}:
        raise UnreadableError("", "numbers such as 1,234 alone, which may be thousands or fractions", allowed)
    return next(iter(votes - {EITHER}), ".")


def _is_grouped(mark: str, shapes: Shapes) -> bool:
    """Whether all cells of a column are numbers, some of which have their digits in groups with this mark between."""
    return _holds(mark, shapes) and _all(GROUPED[mark], shapes)


def _without(mark: str, shapes: Shapes) -> Shapes:
    found: Counter[str] = Counter()
    for shape, n in shapes.items():
        found[shape.replace(mark, "")] += n
    return found


def _vote(shapes: Shapes, separator: str) -> str | None:
    """The decimal mark that makes every cell of a column a number, EITHER, or None where the column says nothing.

    Between commas as separators a cell with a comma is in quotes: a column with few of them is none of such numbers,
    and 1,234 is a number of thousands.
    """
    if not (_holds(",", shapes) or _holds(".", shapes)):
        return None
    n_marked = sum(n for shape, n in shapes.items() if "," in shape or "." in shape)
    if separator == "," and 2 * n_marked < sum(shapes.values()):
        return None
    point, comma = _all(_POINT, shapes), _all(_COMMA, shapes)
    if point and comma:  # groups of three digits alone; points between them are taken for decimal ones
        return (EITHER if separator != "," else ".") if _holds(",", shapes) else None
    return "." if point else "," if comma else None


def _holds(mark: str, shapes: Shapes) -> bool:
    return any(mark in shape for shape in shapes)


def _all(pattern: re.Pattern[str], shapes: Shapes) -> bool:
    return all(any(map(str.isdigit, shape)) and pattern.fullmatch(shape) for shape in shapes)
