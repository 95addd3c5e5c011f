"""What varies in a sweep, found in its table of cells: the axes that tables and figures are laid out by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any

import numpy as np
import pandas as pd

from shoal.pipeline.config import Sweep
from shoal.pipeline.hyperparameters import HYPERPARAMETERS, TRAINING, taking
from shoal.pipeline.statistics.errors import best_cell, deciding

LABELS = {name: row.label for name, row in HYPERPARAMETERS.items()}
"""Axes beside the series (activation or architecture) in the order in which they lay out a table, and their names."""

TEXTS = [name for name, row in HYPERPARAMETERS.items() if row.column == "string"]
"""Axes whose levels are no numbers."""

NAMES = [name for name in TEXTS if name in TRAINING]
"""Those whose levels are in no order."""

FULL_BATCH = np.inf
"""Level of the batch size that stands for the full batch: it sorts behind every number of samples."""


def architecture_names(sweep: Sweep, n_outputs: int) -> dict[str, str]:
    """The name of each architecture (notation) that a sweep lists."""
    listed = sweep.architecture or {}
    return {str(architecture.with_output(n_outputs)): name for name, architecture in listed.items()}


def prepare(cells: pd.DataFrame, names: Mapping[str, str], samples_in_epoch: int | None = None) -> pd.DataFrame:
    """A sweep's cells with the column `series` (its activation or the name of its architecture) and plain axis levels.

    `names` are the sweep's `architecture_names`; `samples_in_epoch` is given where the sweep counts epochs. Levels are
    float64, or text on the axes TEXTS; the full batch is FULL_BATCH, and epochs are NaN where nobody counts them.
    """
    cells = cells.assign(epochs=epochs(cells, samples_in_epoch) if samples_in_epoch else np.nan)
    numbers = {axis: _numbers(cells, axis) for axis in LABELS if axis not in TEXTS}
    in_batches = cells["optimizer"].isin(taking("batch_size")).to_numpy(bool)
    numbers["batch_size"] = np.where(in_batches & np.isnan(numbers["batch_size"]), FULL_BATCH, numbers["batch_size"])
    missing = {axis: None for axis in TEXTS if axis not in cells}
    series = cells["activation"].astype(object).where(cells["activation"].notna(), cells["architecture"].map(names))
    return cells.assign(**numbers, **missing, series=series.astype(str)).reset_index(drop=True)


def epochs(cells: pd.DataFrame, n_train: int) -> np.ndarray:
    """Passes over n_train samples that the steps of each cell make, (n_cells,)."""
    batches = cells["batch_size"].astype("Float64").to_numpy(np.float64, na_value=n_train)
    numbers: np.ndarray = cells["steps"].to_numpy(np.float64) / np.ceil(n_train / batches)
    return numbers


def _numbers(cells: pd.DataFrame, axis: str) -> np.ndarray:
    """Levels of an axis (n_cells,); NaN where a cell has none, which goes for all where the table has no column."""
    column = cells[axis] if axis in cells else pd.Series(None, cells.index, "Float64")
    numbers: np.ndarray = column.astype("Float64").to_numpy(np.float64, na_value=np.nan)
    return numbers


def series_of(cells: pd.DataFrame) -> list[str]:
    """Activations or architectures of prepared cells, in the order of the table."""
    return list(dict.fromkeys(cells["series"]))


def varying(cells: pd.DataFrame) -> list[str]:
    """Axes that vary among the cells of a series and are no function of the axes before them."""
    rectangle = cells["hidden_sizes"].nunique() == cells["depth"].nunique() * cells["width"].nunique()
    shape = ["depth", "width"] if rectangle else ["hidden_sizes"]
    found: list[str] = []
    for axis in [*shape, *TRAINING]:
        groups = cells.groupby(["series", *found], dropna=False)[axis]
        if cells[axis].nunique(dropna=False) > 1 and groups.nunique(dropna=False).max() > 1:  # the first is quick
            found.append(axis)
    return found


def levels(cells: pd.DataFrame, axis: str) -> list[Any]:
    """Levels of an axis: numbers in ascending order, text in the order of the table."""
    found = list(dict.fromkeys(cells[axis]))
    return found if axis in TEXTS else sorted(found)


def level_text(axis: str, level: Any) -> str:
    """A level as tables and figures write it."""
    if axis == "batch_size" and level == FULL_BATCH:
        return "full"
    return str(level) if isinstance(level, str) else f"{level:.10g}"


@dataclass(frozen=True)
class Fixed:
    """Levels at which axes are held that a figure has no room for, why there, and how many of how many cells have
    them."""

    levels: dict[str, Any]
    why: str
    n_shown: int
    n_cells: int

    @classmethod
    def at_best(cls, cells: pd.DataFrame, axes: Sequence[str]) -> Fixed:
        """The levels of `axes` in the cell whose median validation error is smallest; of the first if all diverge."""
        best = best_cell(cells)
        why = "" if best is None else f", as in the cell with the smallest {deciding(cells).label('validation')}"
        held = {axis: cells[axis].iloc[best or 0] for axis in axes}
        return cls(held, why, len(at_levels(cells, held)), len(cells))

    def select(self, cells: pd.DataFrame) -> pd.DataFrame:
        """The cells at these levels."""
        return at_levels(cells, self.levels)

    @property
    def note(self) -> str:
        """What is held fixed, as the end of a caption."""
        held = [f"{LABELS[axis]} {level_text(axis, level)}" for axis, level in self.levels.items()]
        if not held:
            return ""
        return f" Shown at {', '.join(held)}{self.why} ({self.n_shown} of {self.n_cells} cells)."


@dataclass(frozen=True)
class Facets:
    """Panels of a figure: a row per level of one axis, a column per level of another, further axes held fixed."""

    row_axis: str | None
    column_axis: str | None
    rows: list[Any]
    columns: list[Any]
    fixed: Fixed
    all_levels: dict[str, int]

    def select(self, cells: pd.DataFrame, row: Any, column: Any) -> pd.DataFrame:
        """The cells of one panel: one per series, or none."""
        wanted = {axis: level for axis, level in ((self.row_axis, row), (self.column_axis, column)) if axis}
        return at_levels(self.fixed.select(cells), wanted)

    def shown(self, cells: pd.DataFrame) -> pd.DataFrame:
        """The cells of all panels."""
        return pd.concat([self.select(cells, row, column) for row in self.rows for column in self.columns])

    @property
    def row_titles(self) -> list[str]:
        """What each row of panels shows; empty where there is only one."""
        return [_title(self.row_axis, level) for level in self.rows]

    @property
    def column_titles(self) -> list[str]:
        """What each column of panels shows; empty where there is only one."""
        return [_title(self.column_axis, level) for level in self.columns]

    @property
    def note(self) -> str:
        """Which of the panels there could be are shown, and what is held fixed, as the end of a caption."""
        chosen = ((self.row_axis, self.rows), (self.column_axis, self.columns))
        thinned = [
            f"{LABELS[axis]} at {len(found)} of {self.all_levels[axis]} levels"
            for axis, found in chosen
            if axis and len(found) < self.all_levels[axis]
        ]
        if not thinned:
            return self.fixed.note
        rule = f"{' and '.join(thinned)}, the ends and others at even distances"
        count = f"{len(self.rows) * len(self.columns)} of {math.prod(self.all_levels.values())} panels"
        return f" {count} are shown: {rule}.{self.fixed.note}"


def facets(cells: pd.DataFrame, axes: Sequence[str], most: int = 4) -> Facets:
    """Panels for the first two of `axes`, at most `most` each way; the other axes stay where the best cell has them."""
    row_axis, column_axis = (axes[0], axes[1]) if len(axes) > 1 else (None, axes[0] if axes else None)
    rows = _thinned(levels(cells, row_axis), most) if row_axis else [None]
    columns = _thinned(levels(cells, column_axis), most) if column_axis else [None]
    all_levels = {axis: len(levels(cells, axis)) for axis in axes}
    return Facets(row_axis, column_axis, rows, columns, Fixed.at_best(cells, axes[2:]), all_levels)


def at_levels(cells: pd.DataFrame, wanted: Mapping[str, Any]) -> pd.DataFrame:
    """The cells whose axes (or series) are at the wanted levels."""
    masks = [cells[axis] == level for axis, level in wanted.items()]
    return cells[reduce(and_, masks)] if masks else cells  # at once: to take rows of so many columns takes longest


def _title(axis: str | None, level: Any) -> str:
    return f"{LABELS[axis]}: {level_text(axis, level)}" if axis else ""


def _thinned(found: list[Any], most: int) -> list[Any]:
    """At most `most` of the levels: the first, the last, and others at even distances."""
    if len(found) <= most:
        return found
    return [found[i] for i in np.rint(np.linspace(0, len(found) - 1, most)).astype(int)]
