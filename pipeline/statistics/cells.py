"""Networks -> one row a cell: how many diverged, rank summaries of their errors, interquartile mean and interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import OutOfDateError
from pipeline.statistics import summary
from pipeline.statistics.intervals import interquartile_mean, interval
from pipeline.store import CELL_COLUMNS, INTERVAL_COLUMNS

SUMMARISED = ("train_mse", "validation_mse", "test_mse", "log10_test_mse", "train_half_mse")


def with_errors(runs: pd.DataFrame, networks: pd.DataFrame) -> pd.DataFrame:
    """Runs with the errors of evaluation/networks.parquet beside them; float64, +infinity where a network diverged.

    Raises OutOfDateError where a run has no errors: then the evaluation is older than the runs.
    """
    errors = ["train_mse", "validation_mse", "test_mse"]
    table = runs.merge(networks[["sweep", "network_id", *errors]], on=["sweep", "network_id"], validate="one_to_one")
    if len(table) < len(runs):
        raise OutOfDateError(f"{len(runs) - len(table)} networks have not been evaluated; run `dvc repro`")
    table["train_half_mse"] = table["train_half_mse"].astype("float64").fillna(np.inf)
    table["log10_test_mse"] = log10(table["test_mse"])
    return table


def log10(errors: pd.Series) -> np.ndarray:
    """log10 of errors (n,), infinite ones included; -infinity for no error at all."""
    with np.errstate(divide="ignore"):
        logarithms: np.ndarray = np.log10(errors.to_numpy(np.float64))
    return logarithms


def cell_table(networks: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One row a cell, in the order of `networks`, a table as `with_errors` makes it; `seed` is the root seed."""
    rows = [_row(cell, seed) for _, cell in networks.groupby(["sweep", "cell"], sort=False)]
    types = {name: networks.dtypes[name] for name in CELL_COLUMNS} | INTERVAL_COLUMNS
    return pd.DataFrame(rows).astype(types)


def _row(cell: pd.DataFrame, seed: int) -> dict[str, Any]:
    row = {name: cell[name].iloc[0] for name in CELL_COLUMNS}
    n_diverged = int((cell["status"] == "diverged").sum())
    row |= {"n_networks": len(cell), "n_diverged": n_diverged, "diverged_fraction": n_diverged / len(cell)}
    for column in SUMMARISED:
        numbers = summary(cell[column].to_numpy(np.float64))
        row |= {f"{column}_{name}": value for name, value in numbers.items()}
    values = cell["log10_test_mse"].to_numpy(np.float64)
    ends = interval(values, seed) or (None, None)
    return row | dict(zip(INTERVAL_COLUMNS, (interquartile_mean(values), *ends), strict=True))


def typical(cell: pd.Series[Any]) -> tuple[float, float, float]:
    """A cell's typical test mse, 10^(interquartile mean of log10 test mse), and the ends of its interval (or NaN)."""
    values = [np.nan if pd.isna(cell[name]) else float(cell[name]) for name in INTERVAL_COLUMNS]
    centre, low, high = (float(10.0**value) for value in values)
    return centre, low, high
