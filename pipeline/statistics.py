"""Rank summaries over the replicates of a cell. A diverged network counts as +infinity and is never dropped."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.store import CELL_COLUMNS

SUMMARISED = ("train_mse", "validation_mse", "test_mse", "log10_test_mse", "train_half_mse")
RANKS = {"median": 0.5, "q1": 0.25, "q3": 0.75, "min": 0.0}


def quantile(values: np.ndarray, q: float) -> float:
    """The q-quantile of values (n,), which may hold infinities; NaN is not allowed.

    Between neighbours in rank it is interpolated linearly (type 7 of Hyndman and Fan, The American Statistician 50,
    1996); it is infinite as soon as an infinite neighbour has any weight, +infinity (diverged) before -infinity (the
    logarithm of no error at all).
    """
    lower, higher = (float(np.quantile(values, q, method=method)) for method in ("lower", "higher"))
    if lower == higher or np.isinf(higher):
        return higher
    return lower if np.isinf(lower) else float(np.quantile(values, q))


def summary(values: np.ndarray) -> dict[str, float]:
    """Median, quartiles and minimum of values (n,)."""
    return {name: quantile(values, q) for name, q in RANKS.items()}


def with_errors(runs: pd.DataFrame, networks: pd.DataFrame) -> pd.DataFrame:
    """Runs with the errors of evaluation/networks.parquet beside them; float64, +infinity where a network diverged.

    Raises ValueError where a run has no errors: then the evaluation is older than the runs.
    """
    errors = ["train_mse", "validation_mse", "test_mse"]
    table = runs.merge(networks[["sweep", "network_id", *errors]], on=["sweep", "network_id"], validate="one_to_one")
    if len(table) < len(runs):
        raise ValueError(f"{len(runs) - len(table)} networks have not been evaluated; run `dvc repro`")
    table["train_half_mse"] = table["train_half_mse"].astype("float64").fillna(np.inf)
    with np.errstate(divide="ignore"):
        table["log10_test_mse"] = np.log10(table["test_mse"].to_numpy(np.float64))
    return table


def cell_table(runs: pd.DataFrame, networks: pd.DataFrame) -> pd.DataFrame:
    """One row a cell, in the order of the runs: its description, counts, and a summary of each of SUMMARISED."""
    table = with_errors(runs, networks)
    rows = []
    for _, cell in table.groupby(["sweep", "cell"], sort=False):
        row = {name: cell[name].iloc[0] for name in CELL_COLUMNS}
        row |= {"n_networks": len(cell), "n_diverged": int((cell["status"] == "diverged").sum())}
        for column in SUMMARISED:
            numbers = summary(cell[column].to_numpy(np.float64))
            row |= {f"{column}_{name}": value for name, value in numbers.items()}
        rows.append(row)
    return pd.DataFrame(rows).astype({name: runs.dtypes[name] for name in CELL_COLUMNS})
