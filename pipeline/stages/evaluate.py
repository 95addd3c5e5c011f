"""Stage `evaluate`: the errors of every network on the three splits, and their summary per cell and per sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kernels.architecture import Architecture
from kernels.ensemble import predict
from pipeline import axes, config, data, made_from, progress, receipts, statistics, store
from pipeline.config import Config
from pipeline.data import Dataset
from pipeline.paths import Paths
from pipeline.stages import _stage
from pipeline.statistics.cells import cell_table, with_errors
from pipeline.statistics.contrasts import contrast_table, declared

SPLITS = ("train", "validation", "test")


@receipts.kept(made_from.evaluation)
def run(paths: Paths) -> dict[str, Any]:
    """Write evaluation/{networks,cells,contrasts}.parquet and metrics/<sweep>.json; returns counts for the log."""
    settings = config.load(paths)
    sweeps = list(settings.sweeps)
    dataset = data.load(paths)
    runs = store.read_runs(paths, sweeps)
    networks = _network_table(paths, dataset, runs)
    errors = with_errors(runs, networks)
    cells = cell_table(errors, settings.seed)
    contrasts = _contrasts(settings, dataset, cells, errors)
    store.write_table(paths.networks, networks)
    store.write_table(paths.cells, cells)
    store.write_table(paths.contrasts, contrasts)
    for sweep in sweeps:
        store.write_json(paths.metrics(sweep), _metrics(*(table[table["sweep"] == sweep] for table in (cells, errors))))
    receipts.forget_other_sweeps(paths, sweeps)
    return {"networks": len(networks), "cells": len(cells), "contrasts": len(contrasts)}


def _contrasts(settings: Config, dataset: Dataset, cells: pd.DataFrame, errors: pd.DataFrame) -> pd.DataFrame:
    """The declared contrasts of every sweep."""
    tables = []
    for name, sweep in settings.sweeps.items():
        prepared = axes.prepare(cells[cells["sweep"] == name], axes.architecture_names(sweep, dataset.n_outputs))
        paired = errors[errors["sweep"] == name].pivot(index="replicate", columns="cell", values="log10_test_mse")
        tables.append(contrast_table(name, declared(prepared), paired))
    return pd.concat(tables, ignore_index=True)


def _network_table(paths: Paths, dataset: Dataset, runs: pd.DataFrame) -> pd.DataFrame:
    errors: list[list[float]] = []
    with progress.bar("evaluate") as advance:
        for sweep, part in runs.groupby("sweep", sort=False):
            weights = store.read_weights(paths, str(sweep))
            for network, text, status in zip(part["network_id"], part["architecture"], part["status"], strict=True):
                errors.append(_errors(dataset, Architecture.parse(text), weights[network], status))
                advance(len(errors), len(runs))
    table = runs[["network_id", "sweep", "cell", "replicate", "status"]].copy()
    table[[f"{split}_mse" for split in SPLITS]] = np.array(errors)
    return table


def _errors(dataset: Dataset, architecture: Architecture, params: np.ndarray, status: str) -> list[float]:
    """mse = 1/(N K) sum (y_hat - y)^2 of one network on each split, in the targets' own units squared."""
    if status == "diverged":
        return [np.inf] * len(SPLITS)
    errors = []
    for split in (dataset.train, dataset.validation, dataset.test):
        y_hat = dataset.predictions(predict(architecture, params, dataset.inputs(split)))
        with np.errstate(over="ignore"):
            mse = float(np.mean((y_hat - split.y) ** 2))
        errors.append(mse if np.isfinite(mse) else np.inf)
    return errors


def _metrics(cells: pd.DataFrame, networks: pd.DataFrame) -> dict[str, Any]:
    """Counts, and the test error over the sweep's networks and over its best cell's; null where it is infinite."""
    best = cells.iloc[int(cells["validation_mse_median"].to_numpy().argmin())]
    n_diverged = int(cells["n_diverged"].sum())
    ranks = _ranks(networks[networks["cell"] == best["cell"]])
    ranks["log10_test_mse"] |= {name: _json(best[f"log10_test_mse_{name}"]) for name in ("iqm", "iqm_low", "iqm_high")}
    return {
        "networks": len(networks),
        "diverged": n_diverged,
        "diverged_fraction": n_diverged / len(networks),
        "best_cell": best["cell"],
        "all": _ranks(networks),
        "best": ranks,
    }


def _ranks(networks: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    ranks = {name: statistics.summary(networks[name].to_numpy(np.float64)) for name in ("test_mse", "log10_test_mse")}
    return {name: {rank: _json(numbers[rank]) for rank in ("median", "q1", "q3")} for name, numbers in ranks.items()}


def _json(value: Any) -> float | None:
    """A number as JSON has it: null where it is infinite or missing."""
    return None if pd.isna(value) or np.isinf(value) else float(value)


if __name__ == "__main__":
    _stage.main("evaluate", run)
