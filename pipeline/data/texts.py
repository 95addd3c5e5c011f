"""Columns from text to numbers and back, where nothing is lost: CSV has text alone, Parquet has types."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from decimal import Decimal

import pyarrow as pa

_WHOLE = re.compile(r"0|-?[1-9]\d*", re.ASCII)
_PLAIN = re.compile(r"-?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
"""Numbers without leading zeros, which are names that are made of digits, such as 007."""
_INT64 = range(-(2**63), 2**63)


NUMBERS: dict[pa.DataType, Callable[[str], object]] = {pa.int64(): int, pa.float64(): float}
"""Types of numbers that text may become, the first that will do, and how a cell becomes one."""


def keeping(texts: pa.ChunkedArray) -> set[pa.DataType] | None:
    """The types of NUMBERS that keep every cell's number; None for a column, or a part of one, without a filled cell.

    A float64 keeps the number if, printed with as many digits as the cell has, it gives the cell's digits again.
    """
    filled = [text for cell in texts.to_pylist() if (text := cell.strip())]
    if not filled:
        return None
    tests = {pa.int64(): _is_whole, pa.float64(): _is_float64}
    return {kind for kind in NUMBERS if all(map(tests[kind], filled))}


def typed(texts: pa.ChunkedArray, kinds: Collection[pa.DataType]) -> pa.ChunkedArray:
    """A column of text as the first of NUMBERS that is among `kinds`, as it is if none is; empty cells are nulls."""
    kind = next((kind for kind in NUMBERS if kind in kinds), None)
    if kind is None:
        return texts
    cells = [cell.strip() or None for cell in texts.to_pylist()]
    return pa.chunked_array([pa.array([None if cell is None else NUMBERS[kind](cell) for cell in cells], kind)])


def text(column: pa.ChunkedArray) -> list[str | None]:
    """The cells of a column as CSV has them, None where there is none: all digits of a number, times in ISO 8601.

    Raises pa.ArrowException for what CSV has no text for: lists, structures, bytes that are not UTF-8.
    """
    if not pa.types.is_floating(column.type):
        cells: list[str | None] = column.cast(pa.string()).to_pylist()
        return cells
    numbers = column.to_numpy().astype(str).tolist()  # NumPy's have a point: 1.0 stays a float
    return [cell if valid else None for cell, valid in zip(numbers, column.is_valid().to_pylist(), strict=True)]


def _is_whole(cell: str) -> bool:
    return bool(_WHOLE.fullmatch(cell)) and len(cell) <= 20 and int(cell) in _INT64


def _is_float64(cell: str) -> bool:
    if not _PLAIN.fullmatch(cell):
        return False
    exact = Decimal(cell)
    return Decimal(f"{float(cell):.{len(exact.as_tuple().digits) - 1}e}") == exact
