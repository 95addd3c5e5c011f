"""What a new study predicts: the columns that the user names, and whether they hold numbers or classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from shoal.pipeline.config import ConfigError, Fault
from shoal.pipeline.config.faults import cut
from shoal.pipeline.data.user_table import BLANKS, UserTable, in_all
from shoal.pipeline.preparation import truth

MOST_CLASSES = 20
LAST = "last"
"""Stands for the last column, unless a column has this name."""
OPTION = "--target"
SHOWN_CLASSES = 3


def chosen(table: UserTable, wanted: Sequence[str]) -> list[str]:
    """The columns to predict; raises ConfigError with the faults of the table's form, of the words and of cells."""
    names = [table.columns[-1] if name == LAST and LAST not in table.columns else name for name in wanted]
    targets = list(dict.fromkeys(names))
    faults = [*table.faults, *(replace(fault, file=OPTION) for fault in table.missing("", targets))]
    if not targets:
        allowed = f"one or several columns of {table.name} ({cut(', '.join(table.columns))}), or {LAST}"
        faults.append(Fault("", "nothing", allowed, OPTION))
    for name in (name for name in targets if name in table.columns):
        faults += _cell_faults(table, name, len(targets) == 1)
    if faults:
        raise ConfigError(in_all(faults))
    return targets


def classes(table: UserTable, name: str) -> str:
    """What says that a column holds classes, which is text, true and false, or 0, 1 and so on; empty for nothing."""
    cells, numbers = table.cells_of(name), table.numbers_of(name)
    filled = np.flatnonzero(~BLANKS.missing(cells, numbers)).tolist()
    values = np.unique(numbers[filled])
    if not np.isnan(values).any():
        is_counted = 2 <= len(values) <= MOST_CLASSES and np.array_equal(values, np.arange(len(values)))
        return f"the whole numbers from 0 to {len(values) - 1}" if is_counted else ""
    if not np.isnan(numbers[filled]).all():
        return ""
    if all(truth(cells[i]) is not None for i in filled):
        return "true and false"
    texts = list(dict.fromkeys(str(cells[i]).strip() for i in filled))
    return f"text ({cut(', '.join(texts[:SHOWN_CLASSES]) + ', …' * (len(texts) > SHOWN_CLASSES))})"


def task(table: UserTable, targets: Sequence[str]) -> str:
    """What says that the target holds classes; empty for numbers, which several targets always are."""
    return classes(table, targets[0]) if len(targets) == 1 else ""


def n_outputs(table: UserTable, targets: Sequence[str]) -> int:
    """How many outputs networks have: one a target, or a class."""
    if not task(table, targets):
        return len(targets)
    return len({str(cell).strip() for cell in table.cells_of(targets[0])})


def _cell_faults(table: UserTable, name: str, is_alone: bool) -> list[Fault]:
    """Faults of a target's cells: one where it holds classes beside other targets, none where it does alone."""
    faults = table.numbers([name])[1]
    found = classes(table, name) if faults else ""
    if not found:
        return faults
    allowed = f"numbers, as there are several targets; classes are predicted of one alone: {OPTION} {name}"
    return [] if is_alone else [Fault(f"column '{name}'", found, allowed, table.name)]
