"""What the columns of a table look like: features, or something that is none, with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from shoal.pipeline.config.faults import cut
from shoal.pipeline.data import notices
from shoal.pipeline.data.user_table import UserTable
from shoal.pipeline.scaling import FLOAT64

NUMBERS, GAPS, LOGICAL, CATEGORIES, DATES, TEXT, EMPTY = (
    "numbers", "numbers with gaps", "true and false", "categories", "dates", "text", "empty",
)  # fmt: skip
"""Kinds of columns."""
USABLE = {NUMBERS}
"""Kinds that networks can be trained on."""
GAP = {"", "na", "n/a", "nan", "null", "none", "?"}
"""What a cell without a value holds, in small letters."""
MOST_CATEGORIES = 20
"""Different values of a column of categories, each of them twice on average at least."""
SHOWN_CATEGORIES = 3
DATE = re.compile(r"\d{4}-\d\d?-\d\d?([ T].*)?|\d\d?[./]\d\d?[./]\d{2,4}([ T].*)?")
ID = re.compile(r"(.*[ _.-])?(id|ids|guid|uuid)|.*[a-z](Id|ID)", re.DOTALL)
"""Names that people give to what tells rows, or groups of rows, apart."""


@dataclass(frozen=True)
class Column:
    """A column that is no target: its kind, and why it is no feature, which is empty where it is one."""

    name: str
    kind: str
    reason: str


def look(table: UserTable, targets: Sequence[str]) -> list[Column]:
    """Every column but the targets, in the table's order; these hold numbers, and names are each there once."""
    found = [Column(name, *_kind(table, name)) for name in table.columns if name not in targets]
    usable = [column.name for column in found if column.kind in USABLE]
    suspects = notices.suspicions(_used(table, usable), _used(table, targets))
    suspects = {name: reason for name in usable if (reason := _identity(table, name))} | suspects
    return [
        Column(column.name, column.kind, suspects.get(column.name, "") if column.kind in USABLE else column.reason)
        for column in found
    ]


def _used(table: UserTable, names: Sequence[str]) -> list[notices.UsedColumn]:
    values, _ = table.numbers(names)
    return [
        notices.UsedColumn(name, column, column, table.resolutions.get(name, FLOAT64), name in table.index)
        for name, column in zip(names, values.T, strict=True)
    ]


def _identity(table: UserTable, name: str) -> str:
    """Why a column of numbers looks like an id: by its name, and whole numbers."""
    if not ID.fullmatch(name):
        return ""
    values = table.numbers([name])[0][:, 0]
    return "" if np.any(values % 1) else f"is named like an id ({len(np.unique(values)):,} different numbers)"


def _kind(table: UserTable, name: str) -> tuple[str, str]:
    """The kind of a column, and what was found in it."""
    cells = ["" if cell is None else str(cell).strip() for cell in table.cells[table.columns.index(name)]]
    is_number = np.isfinite(table.numbers([name])[0][:, 0])
    if is_number.all():
        return NUMBERS, ""
    others = [cell for cell, number in zip(cells, is_number, strict=True) if not number]
    texts = [cell for cell in others if cell.lower() not in GAP]
    gaps = len(others) - len(texts)
    if not texts:
        empty = f"{gaps:,} of {len(cells):,} cells are empty"
        return (GAPS, f"numbers, but {empty}") if is_number.any() else (EMPTY, "every cell is empty")
    if is_number.any():
        return TEXT, f"{len(texts):,} of {len(cells):,} cells are no numbers, such as {cut(repr(texts[0]))}"
    kind, found = _text(texts)
    return kind, ", ".join([found, *([f"{gaps:,} of {len(cells):,} cells are empty"] if gaps else [])])


def _text(texts: Sequence[str]) -> tuple[str, str]:
    """The kind of a column whose filled cells are no numbers."""
    values = list(dict.fromkeys(texts))
    if {value.lower() for value in values} <= {"true", "false"}:
        return LOGICAL, "true and false; 1 and 0 would be numbers"
    if all(map(DATE.fullmatch, values)):
        return DATES, "dates"
    if len(values) == len(texts):
        return TEXT, "text, no two cells alike: names or ids"
    if len(values) > min(MOST_CATEGORIES, len(texts) / 2):
        return TEXT, f"text, {len(values):,} different values"
    shown = ", ".join(map(cut, values[:SHOWN_CATEGORIES])) + (", …" if len(values) > SHOWN_CATEGORIES else "")
    return CATEGORIES, f"text, {len(values)} different values ({shown})"


def counts(columns: Sequence[Column]) -> Iterator[str]:
    """How many columns there are of each kind, in the order in which kinds first come."""
    kinds = [column.kind for column in columns]
    for kind in dict.fromkeys(kinds):
        yield f"{kinds.count(kind)} of {kind}" if kind != EMPTY else f"{kinds.count(kind)} empty"
