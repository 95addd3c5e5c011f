"""What the columns of a new table are: features, names of rows, or neither, with the reason; told by the cells alone.

What a feature can be is decided by data/features.py, as it will be whenever the study runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from unicodedata import category

import numpy as np
import pandas as pd

from shoal.pipeline.config import DataConfig, Fault
from shoal.pipeline.data import features, notices, splitting
from shoal.pipeline.data.features import DATES, Features
from shoal.pipeline.data.user_table import UserTable
from shoal.pipeline.preparation import CATEGORY, NUMBER, Column, is_none
from shoal.pipeline.scaling import FLOAT64

FEATURE, NAMES, IGNORED = "feature", "names of rows", "ignored"
"""What a column is used for."""
NAME = re.compile(r"(.*[ _.-])?(id|ids|guid|uuid)|.*[a-z](Id|ID)", re.DOTALL)
"""Names that people give to what tells rows, or groups of rows, apart."""


@dataclass(frozen=True)
class Seen:
    """A column that is no target: its use, and the reason where that is not a feature.

    A feature has `n_inputs`, and `n_gaps` cells without a value; dates `in_order` rise, or fall, with the rows.
    """

    name: str
    kind: str
    use: str = FEATURE
    reason: str = ""
    n_inputs: int = 0
    n_gaps: int = 0
    in_order: bool = False


def look(table: UserTable, settings: DataConfig, train: np.ndarray) -> list[Seen]:
    """Every column but the targets and the one that rows are split by, in the table's order; `train` are the places of
    the rows to train on.

    Targets hold numbers, names are each there once, and `settings` take missing cells.
    """
    others = {*settings.targets, settings.splits.column if settings.splits else None}
    names = [name for name in table.columns if name not in others]
    seen = {name: _seen(table, name, features.fitted(table, [name], settings, train)) for name in names}
    used = features.fitted(table, [name for name in names if seen[name].use == FEATURE], settings, train)
    for name, reason in _suspicions(table, used, settings.targets, train).items():
        seen[name] = replace(seen[name], use=IGNORED, reason=reason)
    return list(seen.values())


def of_use(columns: Sequence[Seen], use: str) -> list[Seen]:
    """The columns of one use."""
    return [column for column in columns if column.use == use]


def gaps(columns: Sequence[Seen]) -> Iterator[str]:
    """The features that have cells without a value, and how many: age 149."""
    for column in columns:
        if column.use == FEATURE and column.n_gaps:
            yield f"{column.name} {column.n_gaps:,}"


def _seen(table: UserTable, name: str, alone: Features) -> Seen:
    """A column by itself, as `features.fitted` has it; others have no say yet."""
    [column], cells = alone.preparation.columns, alone.cells[name]
    if alone.faults:
        if column.kind == CATEGORY and (sign := _sign(table, cells)):
            return Seen(name, column.kind, IGNORED, f"numbers with a sign, {sign}: write them without it")
        if column.kind == CATEGORY and not any(map(is_none, cells)) and len(set(cells)) == len(cells):
            return Seen(name, column.kind, NAMES, "text, no two alike")
        return Seen(name, column.kind, IGNORED, _reason(alone.faults[0]), in_order=_is_in_order(table, column))
    n_gaps = int(pd.isna(cells).sum())
    if column.kind == NUMBER and NAME.fullmatch(name) and not n_gaps and not np.any(cells % 1):
        n = len(np.unique(cells))
        use = NAMES if n == len(cells) else IGNORED
        return Seen(name, column.kind, use, f"is named like an id ({n:,} different numbers)")
    return Seen(name, column.kind, n_inputs=len(column.inputs), n_gaps=n_gaps)


def _sign(table: UserTable, cells: Iterable[object]) -> str:
    """The first cell of a column of numbers that have signs of currencies or percent; empty for any other."""
    filled = [str(cell).strip() for cell in cells if not is_none(cell)]
    bare = ("".join(letter for letter in cell if category(letter) != "Sc" and letter not in "%‰") for cell in filled)
    signed = not any(np.isnan(table.number(number.strip())) for number in bare)
    return filled[0] if signed and filled else ""


def _reason(fault: Fault) -> str:
    """Why a column is no feature: what was found in it, and in which row."""
    row = fault.where.partition(", ")[2]
    return f"{row} has {fault.found} (if that stands for no value: missing_values)" if row else fault.found


def _is_in_order(table: UserTable, column: Column) -> bool:
    """Whether a column has dates that rise, or fall, with the rows."""
    if column.kind != DATES:
        return False
    values, faults = splitting.in_order(table, column.name)
    steps = np.diff(values)
    return not faults and bool(np.any(steps)) and bool(np.all(steps >= 0) or np.all(steps <= 0))


def _suspicions(table: UserTable, used: Features, targets: Sequence[str], train: np.ndarray) -> dict[str, str]:
    """Why features look like none, beside each other and the targets, by their names."""
    preparation = used.preparation
    if not preparation.columns:
        return {}
    x = preparation.matrix(pd.DataFrame(used.cells))
    numbers = {name: x[:, place] for name, place in preparation.places.items()}
    outcomes = {name: values for name in targets if not np.isnan(values := table.numbers_of(name)).any()}
    categories = {column.name: column.inputs for column in preparation.columns if column.name not in numbers}
    found = notices.suspicions(_used(table, numbers, train), _used(table, outcomes, train))
    return found | notices.single_levels(categories)


def _used(table: UserTable, columns: dict[str, np.ndarray], train: np.ndarray) -> list[notices.UsedColumn]:
    return [
        notices.UsedColumn(name, values, values[train], table.resolutions.get(name, FLOAT64), name in table.index)
        for name, values in columns.items()
    ]
