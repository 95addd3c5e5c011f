"""Rows outside the range that networks were trained on: which, where, and by how much."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from shoal.pipeline.data import Dataset
from shoal.pipeline.preparation import Cells, Preparation

SHOWN_COLUMNS = 5


@dataclass(eq=False)
class Outside:
    """The smallest and largest value in training of each feature with a range, and what has been seen outside so far.

    Of the rows that were seen, it keeps counts and the value `furthest` out alone: by how much, in widths of its
    feature's range, which feature, and the value. Categories have no range: a level that was not trained on is flagged.
    """

    names: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    preparation: Preparation
    n_rows: int = 0
    n_outside: int = 0
    counts: np.ndarray = field(init=False)
    furthest: tuple[float, int, float] = (-1.0, 0, np.nan)

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.names), np.int64)

    @classmethod
    def training(cls, dataset: Dataset) -> Outside:
        """Nothing seen yet, beside the training split."""
        places = dataset.preparation.places
        seen = dataset.train.x[:, list(places.values())]
        return cls(tuple(places), seen.min(axis=0), seen.max(axis=0), dataset.preparation)

    def see(self, inputs: np.ndarray, cells: Cells) -> list[str | None]:
        """Count rows: their inputs (n, n_inputs) and the cells (n,) of each feature, in original units.

        Returns for each row the names of the features that are outside, with semicolons between; None where none is.
        """
        x = inputs[:, list(self.preparation.places.values())]
        outside = (x < self.low) | (x > self.high)
        self.n_rows += len(x)
        self.n_outside += int(outside.any(axis=1).sum())
        self.counts += outside.sum(axis=0)
        if outside.any():
            self.furthest = max(self.furthest, self._furthest(x, outside), key=lambda found: found[0])
        categories = [column for column in self.preparation.columns if column.name not in self.names]
        unknown = [column.unknown(cells[column.name]) for column in categories]
        names, flagged = [*self.names, *(column.name for column in categories)], np.column_stack([outside, *unknown])
        flags: list[str | None] = [None] * len(x)
        for i in np.flatnonzero(flagged.any(axis=1)):
            flags[i] = "; ".join(names[j] for j in np.flatnonzero(flagged[i]))
        return flags

    def _furthest(self, x: np.ndarray, cells: np.ndarray) -> tuple[float, int, float]:
        with np.errstate(all="ignore"):  # a constant feature has no width: every other value is infinitely far
            distance = np.maximum(self.low - x, x - self.high) / (self.high - self.low)
        distance = np.where(cells, distance, -1.0)
        i, j = np.unravel_index(np.argmax(distance), distance.shape)
        return float(distance[i, j]), int(j), float(x[i, j])

    def remark(self, name: str) -> str:
        """One line on the rows of the table `name` that are outside; empty if none is."""
        if not self.n_outside:
            return ""
        columns = [f"{self.names[j]} ({self.counts[j]})" for j in np.flatnonzero(self.counts)]
        more = len(columns) - SHOWN_COLUMNS
        listed = ", ".join(columns[:SHOWN_COLUMNS]) + (f" and {more} more columns" if more > 0 else "")
        where = f"{self.n_outside} of {self.n_rows} rows lie outside the range of training: {listed}"
        _, j, furthest = self.furthest
        value, low, high = (str(float(a)).removesuffix(".0") for a in (furthest, self.low[j], self.high[j]))
        trained = f"{low} to {high}" if low != high else f"{low} alone"
        return f"{name}: {where}; furthest out: {self.names[j]} = {value}, trained on {trained}"
