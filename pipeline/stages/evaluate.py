"""Stage `evaluate`: the errors of every network on the three splits, and their summary per cell and per sweep."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pandas as pd

from kernels.architecture import Architecture
from kernels.ensemble import predict
from pipeline import config, data, progress, statistics, store
from pipeline.data import Dataset
from pipeline.paths import Paths
from pipeline.stages import _stage

SPLITS = ("train", "validation", "test")


def run(paths: Paths) -> dict[str, Any]:
    """Write evaluation/{networks,cells}.parquet and metrics/<sweep>.json; returns counts for the log."""
    sweeps = list(config.load(paths).sweeps)
    _forget_removed_sweeps(paths, sweeps)
    dataset = data.load(paths)
    runs = store.read_runs(paths, sweeps)
    networks = _network_table(paths, dataset, runs)
    cells = statistics.cell_table(runs, networks)
    store.write_table(paths.networks, networks)
    store.write_table(paths.cells, cells)
    for sweep in sweeps:
        store.write_json(paths.metrics(sweep), _metrics(networks[networks["sweep"] == sweep]))
    return {"networks": len(networks), "cells": len(cells)}


def _forget_removed_sweeps(paths: Paths, sweeps: list[str]) -> None:
    """Delete the result folders of sweeps that params.yaml no longer has, as DVC watches the folder above them."""
    for folder in paths.runs("any").parent.parent.iterdir():
        if folder.is_dir() and folder.name not in sweeps:
            shutil.rmtree(folder)


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


def _metrics(networks: pd.DataFrame) -> dict[str, Any]:
    """Counts, and median and quartiles of the test error over the sweep's networks and over its best cell's."""
    medians = networks.groupby("cell")["validation_mse"].median()
    best = str(medians.idxmin())
    return {
        "networks": len(networks),
        "diverged": int((networks["status"] == "diverged").sum()),
        "best_cell": best,
        "all": _ranks(networks),
        "best": _ranks(networks[networks["cell"] == best]),
    }


def _ranks(networks: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    test_mse = networks["test_mse"].to_numpy(np.float64)
    with np.errstate(divide="ignore"):
        columns = {"test_mse": test_mse, "log10_test_mse": np.log10(test_mse)}
    ranks = {name: statistics.summary(values) for name, values in columns.items()}
    return {
        name: {rank: value if np.isfinite(value) else None for rank, value in numbers.items() if rank != "min"}
        for name, numbers in ranks.items()
    }


if __name__ == "__main__":
    _stage.main("evaluate", run)
