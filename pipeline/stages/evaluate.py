"""Stage `evaluate`: the errors of every network on the three splits, and their summary per cell and per sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from shoal.pipeline import baselines, config, data, progress, statistics, store
from shoal.pipeline.config import Config
from shoal.pipeline.data import Dataset
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import made_from, receipts
from shoal.pipeline.stages import _stage
from shoal.pipeline.statistics import axes
from shoal.pipeline.statistics.cells import cell_table
from shoal.pipeline.statistics.contrasts import contrast_table, declared
from shoal.pipeline.statistics.errors import best_cell, bounded, deciding, errors_of, with_errors
from shoal.pipeline.statistics.resampled import Resampling
from shoal.pipeline.tasks import SPLITS

TOGETHER = 1000
"""Networks of an architecture between two reports of progress."""
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
        contrasts = declared(prepared) if dataset.is_tested else []
        tables.append(contrast_table(name, contrasts, paired, Resampling.of(own)))
    return pd.concat(tables, ignore_index=True)


def _network_table(paths: Paths, dataset: Dataset, runs: pd.DataFrame) -> pd.DataFrame:
    columns = [*_error_columns(dataset), *_measure_columns(dataset)]
    lost = (runs["status"] == "diverged").to_numpy(bool)
    errors = np.full((len(runs), len(columns)), np.nan)
    errors[lost] = [*(np.inf for _ in _error_columns(dataset)), *(0.0 for _ in _measure_columns(dataset))]
    n_done = int(lost.sum())
    with progress.bar("evaluate", "networks") as advance:
        for sweep, part in runs[~lost].groupby("sweep", sort=False):
            weights = store.read_weights(paths, str(sweep))
            of, places = part["replicate"] % len(dataset.parts), weights.places(part["network_id"])
            for _, networks in part.assign(place=places).groupby(["architecture", of.rename("part")], sort=False):
                text, trained_on = networks["architecture"].iloc[0], dataset.part_of(networks["replicate"].iloc[0])
                for at in range(0, len(networks), TOGETHER):
                    own = networks["place"].iloc[at : at + TOGETHER]
                    errors[own.index] = _errors(dataset, trained_on, text, weights.rows(own.to_numpy()), columns)
                    n_done += len(own)
                    advance(n_done, len(runs))
    folded = [store.FOLD] if dataset.folds else []
    table = runs[["network_id", "sweep", "cell", "replicate", *folded, "status"]].assign(error=dataset.task.error.name)
    table = table.astype({"error": "string"})
    if dataset.folds:
        held_out = np.array([len(part.validation.x) / len(part.train.x) for part in dataset.folds])
        table[store.HELD_OUT] = held_out[table[store.FOLD].to_numpy(int)]
    if not dataset.is_tested:
        errors[:, [name.startswith("test") for name in columns]] = np.nan
    return pd.concat([table, pd.DataFrame(errors, table.index, columns)], axis=1)


def _error_columns(dataset: Dataset) -> list[str]:
    """Columns of networks.parquet that hold errors; only there each target has one, beside no name of a statistic."""
    columns = [column for error in dataset.task.reported(dataset.n_outputs) for column in error.columns]
    return [*columns, *_of_targets(dataset)]


def _measure_columns(dataset: Dataset) -> list[str]:
    """Columns of what networks have beside their errors; 0, the worst, where they diverged, NaN where undefined."""
    beside = dataset.task.in_units.beside(dataset.n_outputs)
    return [measure.of(split) for measure in beside for split in SPLITS]


def _errors(
    dataset: Dataset, part: Dataset, architecture: str, params: np.ndarray, columns: Sequence[str]
) -> np.ndarray:
    """Errors of networks of this notation and parameters (n, n_params) on each split of the part of the data that they
    were trained on, and what is beside them, as (n, n_columns).

    With several targets also the test error of each.
    """
    found = {name: np.full(len(params), np.nan) for name in columns}
    predictor = part.predictor(architecture, params[0])
    measured, beside = dataset.task.reported(dataset.n_outputs), dataset.task.in_units.beside(dataset.n_outputs)
    with np.errstate(over="ignore", invalid="ignore"):
        for name in SPLITS:
            y = (split := getattr(part, name)).y
            at = 0
            for y_hat in predictor.of_each(split.x, params):
                own, at = slice(at, at + len(y_hat)), at + len(y_hat)
                for error in measured:
                    found[error.of(name)][own] = bounded(error.measure(y_hat, y, dataset.error_scale))
                for measure in beside:
                    found[measure.of(name)][own] = [measure.measure(one, y) for one in y_hat]
                for k, column in enumerate(_of_targets(dataset) if name == "test" else ()):
                    of_target = dataset.task.error.measure(y_hat[..., [k]], y[:, [k]], dataset.error_scale[[k]])
                    found[column][own] = bounded(of_target)
    return np.stack([found[name] for name in columns], axis=1)


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
