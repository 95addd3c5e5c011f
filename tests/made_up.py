"""Made-up results of sweeps, and what a tracking store holds of them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.statistics.cells import cell_table
from shoal.pipeline.statistics.errors import with_errors
from shoal.pipeline.tracking import destination
from shoal.pipeline.tracking.runs import MlflowClient, Run
from tests import studies

SMALL = {"relu-d1-w005": 0, "tanh-d1-w005": 0}
"""Cells of a sweep, and how many of their three networks diverged."""

DIVERGING = {"relu-d1-w005": 1, "tanh-d1-w005": 2, "linear-d1-w005": 3}
STEPS = 200
WRITES = (
    "create_experiment", "restore_experiment", "set_experiment_tag", "create_run", "delete_run",
    "log_batch", "log_inputs", "log_artifact", "set_tag", "set_terminated", "create_logged_model",
    "log_model_artifacts", "finalize_logged_model", "log_outputs",
)  # fmt: skip


def write_results(root: Path, sweeps: dict[str, dict[str, int]], error: float = 0.1) -> Paths:
    """Write made-up results of three networks a cell, by gradient descent but for the sweeps `adam` and `ridge`."""
    paths, runs, networks = Paths(root), [], []
    for sweep, cells in sweeps.items():
        rows = [_row(sweep, cell, n, n >= 3 - bad, error) for cell, bad in cells.items() for n in range(3)]
        runs.append(store.runs_table(rows))
        store.write_table(paths.runs(sweep), runs[-1])
        store.write_table(paths.curves(sweep), _curves(runs[-1]))
        mse = 2 * runs[-1]["train_cost"].astype(float).fillna(np.inf)
        columns = runs[-1][["network_id", "sweep", "cell", "replicate", "status"]]
        networks.append(columns.assign(error="mse", train_error=mse, validation_error=mse, test_error=3 * mse))
        figure = paths.figures / sweep / "test_mse.svg"
        store.write_text(figure, f"<svg xmlns='http://www.w3.org/2000/svg'><!-- {sweep} --></svg>")
    cells_table = cell_table(with_errors(pd.concat(runs), pd.concat(networks)), 9001)
    store.write_table(paths.cells, cells_table)
    store.write_table(paths.networks, pd.concat(networks))
    _write_data(paths, list(sweeps))
    _write_choice(paths, runs[0].iloc[0])
    return paths


def _write_data(paths: Paths, sweeps: list[str]) -> None:
    """What the data stage and the user wrote, as far as tracking reads it, and the log of the training of `sizes`."""
    unit = {"mean": [0.5], "scale": [2.0]}
    names = {"feature_names": ["x"], "target_names": ["y"], "x_scaling": unit, "y_scaling": unit}
    store.write_json(paths.data / "data.json", {"data_hash": "0123", **names})
    store.write_table(paths.data / "train.parquet", pd.DataFrame({"x": np.arange(8.0), "y": np.arange(8.0)}))
    params = {"seed": 1, "dtype": "float64", "tracking": studies.TRACKING, "sweeps": {name: {} for name in sweeps}}
    store.write_json(paths.params, params)
    if "sizes" in sweeps:
        facts = {"training_seconds": 2.5, "gflop_per_second": 40.0, "instruction_set": "avx2", "threads": 3}
        facts |= {"libraries": {"numpy": "2.0"}, "results": store.file_hash(paths.runs("sizes"))}
        store.write_json(paths.log("sweep-sizes"), facts)


def _write_choice(paths: Paths, run: pd.Series) -> None:
    """The first network of all is the chosen one; its parameters are 0.1, 0.2, ..."""
    params = pd.DataFrame({"network_id": [run["network_id"]], "params": [np.arange(1, 17) / 10]})
    store.write_table(paths.weights(run["sweep"]), params)
    choice = {name: run[name] for name in ("network_id", "sweep", "cell", "architecture")}
    store.write_json(paths.chosen, choice | {"test_mse": 0.5, "why": "smallest validation mse of all"})


def _row(sweep: str, cell: str, replicate: int, diverged: bool, error: float) -> dict[str, Any]:
    activation, ridge = cell.split("-")[0], sweep == "ridge"
    optimizer = sweep if sweep in ("adam", "ridge") else "gd"
    return {
        "network_id": f"{sweep}-{cell}-{replicate}", "sweep": sweep, "cell": cell,
        "architecture": f"dense 5 > {activation} > dense 1", "activation": activation, "depth": 1, "width": 5,
        "hidden_sizes": "5", "n_features": 1, "n_outputs": 1, "optimizer": optimizer,
        "learning_rate": None if ridge else 0.02, "batch_size": None, "steps": None if ridge else STEPS,
        "alpha": 0.1 if ridge else None, "replicate": replicate, "dtype": "float64",
        "status": "diverged" if diverged else "ok", "diverged_step": 7 if diverged else None,
        "train_cost": None if diverged else error * (replicate + 1),
    }  # fmt: skip


def _curves(runs: pd.DataFrame) -> pd.DataFrame:
    """Every step of a descent to train_cost, 7 steps where a network diverged, none of a ridge readout."""
    parts = [pd.DataFrame({"network_id": [], "step": [], "cost": []}).astype({"network_id": str, "step": int})]
    for run in runs[runs["optimizer"] != "ridge"].itertuples():
        steps = np.arange(8 if run.status == "diverged" else STEPS + 1)
        final = 1.0 if run.status == "diverged" else float(run.train_cost)
        parts.append(pd.DataFrame({"network_id": run.network_id, "step": steps, "cost": final + STEPS - steps}))
    return pd.concat(parts, ignore_index=True)


def copy_store(database: Path, to: Path) -> None:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def client_of(paths: Paths) -> MlflowClient:
    return MlflowClient(destination.tracking_uri(paths))


def runs_of(paths: Paths, sweep: str, client: MlflowClient | None = None) -> list[Run]:
    """The runs of an experiment that are not deleted."""
    client = client or client_of(paths)
    experiment = client.get_experiment_by_name(sweep)
    assert experiment is not None and experiment.lifecycle_stage == "active"
    return list(client.search_runs([experiment.experiment_id]))


def assert_whole(paths: Paths, sweeps: Sequence[str], receipt: dict[str, Any]) -> None:
    """Every run of the receipt is there once, finished, the cells below the run of their sweep, with its files."""
    for sweep in sweeps:
        runs = runs_of(paths, sweep)
        current = [run for run in runs if run.data.tags["shoal.state"] == receipt["sweeps"][sweep]["state"]]
        keys = Counter(run.data.tags["shoal.key"] for run in current)
        assert keys == Counter(receipt["sweeps"][sweep]["runs"])
        assert {run.info.status for run in current} == {"FINISHED"}
        assert "RUNNING" not in {run.info.status for run in runs}
        (parent,) = (run for run in current if "mlflow.parentRunId" not in run.data.tags)
        cells = [run for run in current if run is not parent]
        assert {run.data.tags["mlflow.parentRunId"] for run in cells} == {parent.info.run_id}
        for run in cells:
            assert {"test_mse", "log10_test_mse_q3", "diverged_fraction"} <= set(run.data.metrics)
            assert ("half_mse" in run.data.metrics) == (run.data.params["optimizer"] != "ridge")
        files = client_of(paths).list_artifacts(parent.info.run_id)
        assert [file.path for file in files] == ["cells.csv", "figures"]


def parent_of(paths: Paths, sweep: str) -> Run:
    (parent,) = (run for run in runs_of(paths, sweep) if run.data.tags["shoal.kind"] == "sweep")
    return parent
