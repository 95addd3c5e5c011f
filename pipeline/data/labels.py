"""The target of a classification in a user's table: the label of each row, the classes, and every fault of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shoal.pipeline.classes import Classes
from shoal.pipeline.config import DataConfig
from shoal.pipeline.config.faults import Fault, cut
from shoal.pipeline.data.user_table import FILL, UserTable
from shoal.pipeline.preparation import Blanks, truth

MOST_CLASSES = 100
REGRESSION = "task: regression below data predicts numbers"
_NAME = re.compile(r"[-+]?0\d")
"""The beginning of a name that is made of digits, such as 007."""
_EXACT = 2.0**53
"""Whole numbers of this size on are not all numbers of float64."""


@dataclass(frozen=True, eq=False)
class Labels:
    """The label of each row (n_rows,), objects of one kind, and the faults that keep cells from being labels."""

    cells: np.ndarray
    faults: list[Fault]

    @property
    def strata(self) -> np.ndarray | None:
        """A whole number for each row (n_rows,), the same where labels are the same; None where some are none."""
        if self.faults:
            return None
        found: np.ndarray = np.unique(self.cells, return_inverse=True)[1]
        return found


def read(table: UserTable, settings: DataConfig) -> Labels | None:
    """The labels of the one target: whole numbers if all cells are, else true and false if all are, else text.

    None where the table has no such column.
    """
    target = settings.targets[0]
    if target not in table.columns:
        return None
    cells, numbers = table.cells_of(target), table.numbers_of(target)
    missing = Blanks.of(settings.missing_values or ()).missing(cells, numbers)
    if missing.any():
        faults = table.bad_cells(target, missing, lambda i, text: f"the class of the row; {FILL}", "empty")
        return Labels(np.array(cells, object), faults)
    found, bad = _labels(cells, numbers)
    allowed = f"text, true and false, or whole numbers, as data.task is classification; {REGRESSION}"
    return Labels(found, table.bad_cells(target, bad, lambda i, text: allowed, "no such class"))


def _labels(cells: Sequence[object], numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels (n,) of cells that are all there, and which cells can be none, bool (n,)."""
    texts = [cell.strip() if isinstance(cell, str) else None for cell in cells]
    all_text = None not in texts
    is_name = any(text is not None and _NAME.match(text) for text in texts)
    if np.isfinite(numbers).all() and not (all_text and (is_name or (np.abs(numbers) >= _EXACT).any())):
        bad = (numbers % 1 != 0) | (np.abs(numbers) >= _EXACT)
        return np.array([0 if wrong else int(a) for a, wrong in zip(numbers, bad, strict=True)], object), bad
    truths = [truth(cell) for cell in cells]
    if None not in truths:
        return np.array(truths, object), np.zeros(len(cells), bool)
    return np.array(texts, object), np.array([text is None for text in texts])


def fitted(table: UserTable, labels: Labels, target: str, train: np.ndarray) -> tuple[Classes, list[Fault]]:
    """The classes, which are the labels of the rows at the places `train`; a fault where they are too few or too many,
    or where another row has a label that is none of them."""
    known = set(labels.cells[train].tolist())
    classes = Classes(tuple(sorted(known)))
    if not 2 <= len(classes) <= MOST_CLASSES:
        found = f"{len(classes)} class{'es' * (len(classes) != 1)} in the {len(train)} rows to train on"
        allowed = (
            f"2 to {MOST_CLASSES}, as data.task is classification; another column in data.targets, or {REGRESSION}"
        )
        return classes, [Fault(f"column '{target}'", found, allowed, table.name)]
    unknown = np.array([cell not in known for cell in labels.cells], bool)
    trained = f"a class that rows to train on have ({cut(', '.join(classes.names))})"
    allowed = f"{trained}; add rows of it, remove this one, or try another data.split_seed"
    return classes, table.bad_cells(target, unknown, lambda i, text: allowed, "of classes that are not trained on")
