"""Rows outside the range that networks were trained on: which, where, and by how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shoal.pipeline.data import Dataset

SHOWN_COLUMNS = 5


@dataclass(frozen=True, eq=False)
class Outside:
    """Rows `x` (n, n_features) of features `names` beside the smallest and largest value of each in training."""

    names: tuple[str, ...]
    x: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def training(cls, dataset: Dataset, x: np.ndarray) -> Outside:
        """`x`, in original units, beside the training split."""
        return cls(dataset.feature_names, x, dataset.train.x.min(axis=0), dataset.train.x.max(axis=0))

    @property
    def cells(self) -> np.ndarray:
        """Which cells are outside: bool (n, n_features)."""
        outside: np.ndarray = (self.x < self.low) | (self.x > self.high)
        return outside

    def flags(self) -> list[str | None]:
        """For each row the names of the features that are outside, with semicolons between; None where none is."""
        flags: list[str | None] = [None] * len(self.x)
        for i in np.flatnonzero(self.cells.any(axis=1)):
            flags[i] = "; ".join(self.names[j] for j in np.flatnonzero(self.cells[i]))
        return flags

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
