"""The errors of networks, and the one that decides: it chooses networks, ranks cells and is what tests compare.

With one target that is the mse. With several, the mse would be that of the target with the largest numbers alone, so
each target's squared error is divided by the variance of that target on the training rows: the score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

SPLITS = ("train", "validation", "test")
LARGEST = 1e308
"""What an error beyond float64 counts as, of a network that did not diverge: +infinity is for networks that did."""


@dataclass(frozen=True)
class Error:
    """An error that evaluation reports: the ending of its columns, and what it is, in words."""

    name: str
    definition: str

    def of(self, split: str) -> str:
        """Its column for a split, in tables of networks; those of cells have the ranks of it."""
        return f"{split}_{self.name}"

    def label(self, split: str) -> str:
        """What tables, figures and sentences call it."""
        return f"{split} {self.name}"

    @property
    def columns(self) -> list[str]:
        """Its columns for the three splits."""
        return [self.of(split) for split in SPLITS]

    @property
    def log10(self) -> str:
        """The column of log10 of the test error, which intervals and tests are made of."""
        return f"log10_{self.of('test')}"

    @property
    def interval_columns(self) -> dict[str, str]:
        """Columns of cells.parquet: the interquartile mean of log10, and the ends of its 95 % interval.

        The ends are null for fewer than 10 replicates.
        """
        return {f"{self.log10}_{name}": "Float64" for name in ("iqm", "iqm_low", "iqm_high")}


MSE = Error("mse", "mean of (y_hat - y)^2")
SCORE = Error("score", "mean over targets of mse / variance of the target on the training rows")


Table = pd.DataFrame | pd.Series
"""A table of networks or of cells, or a row of one."""


def errors_of(table: Table) -> list[Error]:
    """The errors that a table has: the mse, and, of several targets, the score."""
    columns = table.columns if isinstance(table, pd.DataFrame) else table.index
    has_score = any(str(column).startswith(SCORE.of("test")) for column in columns)
    return [MSE, SCORE] if has_score else [MSE]


def deciding(table: Table) -> Error:
    """The error that decides in a table."""
    return errors_of(table)[-1]


def best_cell(cells: pd.DataFrame) -> int | None:
    """Row of the cell with the smallest median validation error; None where every median is of a diverged network."""
    medians = cells[f"{deciding(cells).of('validation')}_median"].to_numpy(np.float64)
    best = int(medians.argmin())
    return None if np.isposinf(medians[best]) else best


def best_networks(networks: pd.DataFrame) -> pd.DataFrame:
    """Per sweep and cell, in order, the network with the smallest validation error; the smaller id of equal ones."""
    ranked = networks.sort_values([deciding(networks).of("validation"), "network_id"], kind="stable")
    return ranked.drop_duplicates(["sweep", "cell"]).sort_index()
