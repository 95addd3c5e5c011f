"""Networks -> one row a cell: how many diverged, rank summaries of their errors, interquartile mean and interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from shoal.pipeline.statistics import summaries
from shoal.pipeline.statistics.errors import deciding, errors_of, measures_of
from shoal.pipeline.statistics.intervals import FEWEST, interquartile_mean, interval
from shoal.pipeline.statistics.resampled import Resampling
from shoal.pipeline.store import CELL_COLUMNS, HELD_OUT, LATER_COLUMNS, N_FOLDS


def summarised(networks: pd.DataFrame) -> list[str]:
    """The columns of a table of networks that a row of a cell has the ranks of."""
    first, *others = ([*error.columns, error.log10] for error in errors_of(networks))
    return [*first, "train_cost", *(column for columns in others for column in columns), *measures_of(networks)]


def power(log10: float) -> float:
    """10 to this power, infinite where that is beyond float64."""
    with np.errstate(over="ignore"):
        return float(np.float64(10.0) ** log10)


def cell_table(networks: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One row a cell, in the order of `networks`, a table as `with_errors` makes it; `seed` is the root seed."""
    rows = [_row(cell, seed) for _, cell in networks.groupby(["sweep", "cell"], sort=False)]
    types = {name: networks.dtypes[name] for name in _described(networks)} | deciding(networks).interval_columns
    return pd.DataFrame(rows).astype(types)


def _described(networks: pd.DataFrame) -> list[str]:
    """Columns of a table of networks that describe their cells."""
    return [*CELL_COLUMNS, *(name for name in LATER_COLUMNS if name in networks), "error"]


def _row(cell: pd.DataFrame, seed: int) -> dict[str, Any]:
    row = {name: cell[name].iloc[0] for name in _described(cell)}
    n_diverged = int((cell["status"] == "diverged").sum())
    splits = Resampling.of(cell)
    row |= {N_FOLDS: splits.n, HELD_OUT: splits.held_out} if splits else {}
    row |= {"n_networks": len(cell), "n_diverged": n_diverged, "diverged_fraction": n_diverged / len(cell)}
    columns = summarised(cell)
    for column, numbers in zip(columns, summaries(cell[columns].to_numpy(np.float64)), strict=True):
        row |= {f"{column}_{name}": value for name, value in numbers.items()}
    error = deciding(cell)
    values = cell.sort_values("replicate")[error.log10].to_numpy(np.float64)
    if np.isnan(values).any():  # the test rows have no targets
        return row | dict.fromkeys(error.interval_columns)
    centre, ends = typical_of(values, splits, seed)
    return row | dict(zip(error.interval_columns, (centre, *(ends or (None, None))), strict=True))


def typical_of(values: np.ndarray, splits: Resampling | None, seed: int) -> tuple[float, tuple[float, float] | None]:
    """What is typical of the replicates of a cell (n,), in their order, and its interval, None where they are too few.

    The interquartile mean; of several splits of the rows, the mean over those.
    """
    if splits:
        return splits.mean(values), splits.interval(values)
    return interquartile_mean(values), interval(values, seed)


def has_interval(cells: pd.DataFrame) -> pd.Series[bool]:
    """Which cells have enough replicates for an interval; of several splits of the rows, all."""
    enough: pd.Series[bool] = (cells["n_networks"] >= FEWEST) | (N_FOLDS in cells)
    return enough


def typical(cell: pd.Series[Any]) -> tuple[float, float, float]:
    """A cell's typical error, 10^(interquartile mean of its log10), and the ends of its interval (or NaN)."""
    columns = deciding(cell).interval_columns
    values = [np.nan if pd.isna(cell[name]) else float(cell[name]) for name in columns]
    centre, low, high = (float(10.0**value) for value in values)
    return centre, low, high
