"""Rows outside the range that networks were trained on: which, where, and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from shoal.pipeline.data import Dataset

SHOWN_COLUMNS = 5


@dataclass(frozen=True, eq=False)
class Outside:
    """Rows `x` (n, n_names) of features `names` beside the smallest and largest value of each in training.

    Categories have no range; `unknown` has, by their names, where a level is none that was trained on, bool (n,).
    """

    names: tuple[str, ...]
    x: np.ndarray
    low: np.ndarray
    high: np.ndarray
    unknown: Mapping[str, np.ndarray]

    @classmethod
    def training(cls, dataset: Dataset, x: np.ndarray, cells: Mapping[str, np.ndarray]) -> Outside:
        """Inputs `x` (n, n_inputs) and the cells (n,) of each feature, in original units, beside the training split."""
        places, seen = dataset.preparation.places, dataset.train.x
        columns = [column for column in dataset.preparation.columns if column.name not in places]
        unknown = {column.name: column.unknown(cells[column.name]) for column in columns}
        used = list(places.values())
        return cls(tuple(places), x[:, used], seen[:, used].min(axis=0), seen[:, used].max(axis=0), unknown)

    @property
    def cells(self) -> np.ndarray:
        """Which cells are outside: bool (n, n_names)."""
        outside: np.ndarray = (self.x < self.low) | (self.x > self.high)
        return outside

    def flags(self) -> list[str | None]:
        """For each row the names of the features that are outside, with semicolons between; None where none is."""
        names = [*self.names, *self.unknown]
        cells = np.column_stack([self.cells, *self.unknown.values()])
        return ["; ".join(names[j] for j in np.flatnonzero(row)) or None for row in cells]

    def remark(self, name: str) -> str:
        """One line on the rows of the table `name` that are outside; empty if none is."""
        cells = self.cells
        n_rows = int(cells.any(axis=1).sum())
        if not n_rows:
            return ""
        counts = cells.sum(axis=0)
        columns = [f"{self.names[j]} ({counts[j]})" for j in np.flatnonzero(counts)]
        more = len(columns) - SHOWN_COLUMNS
        listed = ", ".join(columns[:SHOWN_COLUMNS]) + (f" and {more} more columns" if more > 0 else "")
        where = f"{n_rows} of {len(cells)} rows lie outside the range of training: {listed}"
        return f"{name}: {where}; furthest out: {self._furthest()}"

    def _furthest(self) -> str:
        """The value that is furthest out, measured by the width of its feature's range."""
        with np.errstate(all="ignore"):  # a constant feature has no width: every other value is infinitely far
            distance = np.maximum(self.low - self.x, self.x - self.high) / (self.high - self.low)
        i, j = np.unravel_index(np.argmax(np.where(self.cells, distance, -1.0)), distance.shape)
        value, low, high = (str(float(a)).removesuffix(".0") for a in (self.x[i, j], self.low[j], self.high[j]))
        trained = f"{low} to {high}" if low != high else f"{low} alone"
        return f"{self.names[j]} = {value}, trained on {trained}"
