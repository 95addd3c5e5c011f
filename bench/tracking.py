"""What tracking costs: whole sweeps on a new SQLite store, and one run by `track` beside one by MLflow's fluent API.

    python -m bench.tracking [--short]

Start-up (imports, and making the tables of a new database) is not counted. The results that are tracked are made up:
20 networks a cell, 501 recorded steps each.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.statistics.cells import cell_table
from shoal.pipeline.statistics.errors import with_errors
from shoal.pipeline.tracking import database, track

REPLICATES, STEPS = 20, 500
SWEEPS = {24: 3.0, 1000: 60.0}
"""Cells of a sweep, and the seconds that tracking it may take."""


def study(root: Path, n_cells: int) -> Paths:
    """Results of one sweep, as the stages before `track` would have written them."""
    paths, rng = Paths(root), np.random.default_rng(0)
    names = [f"relu-d1-w{n:04d}" for n in range(n_cells)]
    ids = [f"{name}-{n}" for name in names for n in range(REPLICATES)]
    final = rng.lognormal(-6, 1, len(ids))
    rows = {
        "network_id": ids, "sweep": "made", "cell": np.repeat(names, REPLICATES), "activation": "relu", "depth": 1,
        "architecture": "dense 5 > relu > dense 1", "width": np.repeat(np.arange(n_cells), REPLICATES),
        "hidden_sizes": "5", "n_features": 1, "n_outputs": 1, "optimizer": "gd", "learning_rate": 0.02, "steps": STEPS,
        "replicate": np.tile(np.arange(REPLICATES), n_cells), "dtype": "float64", "status": "ok",
        "train_cost": final,
    }  # fmt: skip
    runs = pd.DataFrame(rows).reindex(columns=list(store.RUN_COLUMNS)).astype(store.RUN_COLUMNS)
    networks = runs[["network_id", "sweep", "cell", "replicate", "status"]]
    networks = networks.assign(error="mse", train_error=2 * final, validation_error=2.1 * final, test_error=2.2 * final)
    store.write_table(paths.runs("made"), runs)
    store.write_table(paths.curves("made"), curves(ids, final))
    store.write_table(paths.weights("made"), pd.DataFrame({"network_id": ids[:1], "params": [np.ones(16)]}))
    store.write_table(paths.networks, networks)
    store.write_table(paths.cells, cell_table(with_errors(runs, networks), 0))
    write_inputs(paths, ids[0], names[0])
    return paths


def curves(ids: list[str], final: np.ndarray) -> pd.DataFrame:
    """A descent to each network's final cost, every step recorded."""
    steps = np.arange(STEPS + 1)
    costs = final[:, np.newaxis] + np.exp(-steps / 50)
    columns = {"network_id": np.repeat(ids, len(steps)), "step": np.tile(steps, len(ids)), "cost": costs.ravel()}
    return pd.DataFrame(columns)


def write_inputs(paths: Paths, network_id: str, cell: str) -> None:
    """Parameters, data and the choice of a network."""
    unit = {"mean": [0.0], "scale": [1.0]}
    names = {"feature_names": ["x"], "target_names": ["y"], "x_scaling": unit, "y_scaling": unit}
    store.write_json(paths.params, {"seed": 1, "dtype": "float64", "sweeps": {"made": {}}})
    store.write_json(paths.data / "data.json", {"data_hash": "0" * 64, **names})
    store.write_table(paths.data / "train.parquet", pd.DataFrame({"x": np.arange(9.0), "y": np.arange(9.0)}))
    choice = {"network_id": network_id, "sweep": "made", "cell": cell, "architecture": "dense 5 > relu > dense 1"}
    store.write_json(paths.chosen, choice | {"test_mse": 0.5, "why": "benchmark"})


def tracked(n_cells: int) -> tuple[float, float]:
    """Seconds to make a store, and to track a sweep into it."""
    with tempfile.TemporaryDirectory() as folder:
        paths = study(Path(folder), n_cells)
        begin = time.perf_counter()
        database.prepare(paths)
        made = time.perf_counter()
        track(paths, ["made"])
        return made - begin, time.perf_counter() - made


def fluent(n_runs: int, batched: bool) -> float:
    """Seconds a run by MLflow's fluent API: 11 parameters, 15 metrics and a curve of 501 points."""
    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        experiment = mlflow.create_experiment("made", artifact_location=f"file://{folder}/artifacts")
        begin = time.perf_counter()
        for run in range(n_runs):
            with mlflow.start_run(experiment_id=experiment, run_name=f"cell {run}") as active:
                mlflow.set_tags({f"tag{n}": "a tag of some length" for n in range(15)})
                mlflow.log_params({f"param{n}": n for n in range(11)})
                mlflow.log_metrics({f"metric{n}": 0.1 * n for n in range(15)})
                log_curve(active.info.run_id, batched)
        return (time.perf_counter() - begin) / n_runs


def log_curve(run_id: str, batched: bool) -> None:
    """Every step by a call of its own, as tutorials do, or all in one."""
    values = [(step, float(np.exp(-step / 50))) for step in range(STEPS + 1)]
    if batched:
        metrics = [mlflow.entities.Metric("half_mse", value, 0, step) for step, value in values]
        mlflow.MlflowClient().log_batch(run_id, metrics)
        return
    for step, value in values:
        mlflow.log_metric("half_mse", value, step=step)


def main() -> None:
    """Print the table; with --short, without the thousand cells."""
    short = "--short" in sys.argv
    rows: list[tuple[str, str, str]] = []
    made = per_run = 0.0
    for n_cells, target in SWEEPS.items():
        if short and n_cells > 100:
            continue
        made, seconds = tracked(n_cells)
        per_run = seconds / n_cells
        label = f"{n_cells} cells, {n_cells * REPLICATES} networks"
        rows.append((label, f"{seconds:.2f} s", f"target {target:g} s: {'met' if seconds < target else 'MISSED'}"))
    rows.insert(0, ("tables of a new database", f"{made:.2f} s", ""))
    rows.append(("a run by track, 3 curves of 50 points", f"{1e3 * per_run:.0f} ms", ""))
    for label, n_runs, batched in (("step by step", 3, False), ("curve in one call", 10, True)):
        cost = fluent(n_runs, batched)
        rows.append((f"a run by the fluent API, {label}", f"{1e3 * cost:.0f} ms", f"{cost / per_run:.1f} times track"))
    print("\n".join(f"{name:<48}{value:>10}   {remark}".rstrip() for name, value, remark in rows))


if __name__ == "__main__":
    main()
