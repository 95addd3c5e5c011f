"""Stage `evaluate`: the errors of every network on the three splits, and their summary per cell and per sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from shoal.pipeline import baselines, config, data, progress, statistics, store
from shoal.pipeline.config import Config
from shoal.pipeline.data import Dataset
from shoal.pipeline.paths import Paths
from shoal.pipeline.predictor import Predictor
from shoal.pipeline.provenance import made_from, receipts
from shoal.pipeline.stages import _stage
from shoal.pipeline.statistics import axes
from shoal.pipeline.statistics.cells import cell_table, with_errors
from shoal.pipeline.statistics.contrasts import contrast_table, declared
from shoal.pipeline.statistics.errors import best_cell, bounded, deciding, errors_of
from shoal.pipeline.statistics.resampled import Splits
from shoal.pipeline.tasks import SPLITS

Ranks = dict[str, dict[str, float | None]]


@receipts.kept(made_from.evaluation)
def run(paths: Paths) -> dict[str, Any]:
    """Write evaluation/*.parquet (networks, cells, contrasts, baselines), metrics/<sweep>.json; counts for the log."""
    settings = config.load(paths)
    sweeps = list(settings.sweeps)
    tables = (paths.networks, paths.cells, paths.contrasts, paths.baselines)
    store.refuse_unwritable(*tables, *map(paths.metrics, sweeps))
    dataset = data.load(paths)
    runs = store.read_runs(paths, sweeps)
    networks = _network_table(paths, dataset, runs)
    errors = with_errors(runs, networks)
    cells = cell_table(errors, settings.seed)
    contrasts = _contrasts(settings, dataset, cells, errors)
    store.write_table(paths.networks, networks)
    store.write_table(paths.cells, cells)
    store.write_table(paths.contrasts, contrasts)
    store.write_table(paths.baselines, baselines.table(dataset))
    for sweep in sweeps:
        store.write_json(paths.metrics(sweep), _metrics(*(table[table["sweep"] == sweep] for table in (cells, errors))))
    receipts.forget_other_sweeps(paths, sweeps)
    return {"networks": len(networks), "cells": len(cells), "contrasts": len(contrasts)}


def _contrasts(settings: Config, dataset: Dataset, cells: pd.DataFrame, errors: pd.DataFrame) -> pd.DataFrame:
    """The declared contrasts of every sweep."""
    tables = []
    for name, sweep in settings.sweeps.items():
        samples = dataset.n_train if sweep.duration == "epochs" else None
        names = axes.architecture_names(sweep, dataset.n_outputs)
        prepared = axes.prepare(cells[cells["sweep"] == name], names, samples)
        own = errors[errors["sweep"] == name]
        paired = own.pivot(index="replicate", columns="cell", values=deciding(errors).log10)
        tables.append(contrast_table(name, declared(prepared), paired, Splits.of(own)))
    return pd.concat(tables, ignore_index=True)


def _network_table(paths: Paths, dataset: Dataset, runs: pd.DataFrame) -> pd.DataFrame:
    errors: list[dict[str, float]] = []
    with progress.bar("evaluate", "networks") as advance:
        for sweep, part in runs.groupby("sweep", sort=False):
            weights = store.read_weights(paths, str(sweep))
            columns = (part[name] for name in ("network_id", "architecture", "status", "replicate"))
            for network, text, status, replicate in zip(*columns, strict=True):
                own, diverged = dataset.part_of(replicate), status == "diverged"
                errors.append({} if diverged else _errors(dataset, own, own.predictor(text, weights[network])))
                advance(len(errors), len(runs))
    folded = [store.FOLD] if dataset.folds else []
    table = runs[["network_id", "sweep", "cell", "replicate", *folded, "status"]].assign(error=dataset.task.error.name)
    table = table.astype({"error": "string"})
    if dataset.folds:
        held_out = np.array([len(part.validation.x) / len(part.train.x) for part in dataset.folds])
        table[store.HELD_OUT] = held_out[table[store.FOLD].to_numpy(int)]
    found = pd.DataFrame(errors, table.index, [*_error_columns(dataset), *_measure_columns(dataset)], np.float64)
    lost = table["status"] == "diverged"
    found.loc[lost, _error_columns(dataset)] = np.inf
    found.loc[lost, _measure_columns(dataset)] = 0.0
    return pd.concat([table, found], axis=1)


def _error_columns(dataset: Dataset) -> list[str]:
    """Columns of networks.parquet that hold errors; only there each target has one, beside no name of a statistic."""
    columns = [column for error in dataset.task.reported(dataset.n_outputs) for column in error.columns]
    return [*columns, *_of_targets(dataset)]


def _measure_columns(dataset: Dataset) -> list[str]:
    """Columns of what networks have beside their errors; 0, the worst, where they diverged, NaN where undefined."""
    beside = dataset.task.in_units.beside(dataset.n_outputs)
    return [measure.of(split) for measure in beside for split in SPLITS]


def _errors(dataset: Dataset, own: Dataset, predictor: Predictor) -> dict[str, float]:
    """Errors of a network on each split of its `own` data, by their columns, and what is beside them.

    With several targets also the test error of each.
    """
    errors: dict[str, float] = {}
    measured, beside = dataset.task.reported(dataset.n_outputs), dataset.task.in_units.beside(dataset.n_outputs)
    with np.errstate(over="ignore", invalid="ignore"):
        for name in SPLITS:
            y, y_hat = (split := getattr(own, name)).y, predictor.predict(split.x)
            errors |= {error.of(name): bounded(error.measure(y_hat, y, dataset.error_scale)) for error in measured}
            errors |= {measure.of(name): measure.measure(y_hat, y) for measure in beside}
        for k, column in enumerate(_of_targets(dataset)):  # y_hat and y are those of the test split
            of_target = dataset.task.error.measure(y_hat[:, [k]], y[:, [k]], dataset.error_scale[[k]])
            errors[column] = bounded(of_target)
    return errors


def _of_targets(dataset: Dataset) -> list[str]:
    """The column of each target's test error; none for a single target."""
    names = dataset.target_names if len(dataset.target_names) > 1 else ()
    return [f"{dataset.task.error.of('test')}_{name}" for name in names]


def _metrics(cells: pd.DataFrame, networks: pd.DataFrame) -> dict[str, Any]:
    """Counts, and the test errors over the sweep's networks and over its best cell's; null where infinite.

    There is no best cell where the median network of every cell diverged.
    """
    place = best_cell(cells)
    best = cells.iloc[place or 0]
    of_best = _ranks_of_cell(best, networks[networks["cell"] == best["cell"]])
    n_diverged = int(cells["n_diverged"].sum())
    return {
        "networks": len(networks),
        "diverged": n_diverged,
        "diverged_fraction": n_diverged / len(networks),
        "best_cell": None if place is None else best["cell"],
        "all": _ranks(networks),
        "best": {name: dict.fromkeys(ranks) if place is None else ranks for name, ranks in of_best.items()},
    }


def _ranks_of_cell(cell: pd.Series, networks: pd.DataFrame) -> Ranks:
    ranks, error = _ranks(networks), deciding(networks)
    ranks[error.log10_metric] |= {
        name.removeprefix(f"{error.log10}_"): _json(cell[name]) for name in error.interval_columns
    }
    return ranks


def _ranks(networks: pd.DataFrame) -> Ranks:
    columns: dict[str, str] = {}
    for error in errors_of(networks):
        columns |= {error.metric("test"): error.of("test"), error.log10_metric: error.log10}
    ranks = {name: statistics.summary(networks[column].to_numpy(np.float64)) for name, column in columns.items()}
    return {name: {rank: _json(numbers[rank]) for rank in ("median", "q1", "q3")} for name, numbers in ranks.items()}


def _json(value: Any) -> float | None:
    """A number as JSON has it: null where it is infinite or missing."""
    return None if pd.isna(value) or np.isinf(value) else float(value)


if __name__ == "__main__":
    _stage.main("evaluate", run)
