"""Stage `sweep@NAME`: train every network of one sweep."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from shoal.kernels.ensemble import ENGINE, NetworkSpec, Trained, train
from shoal.pipeline import progress, store
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import machine, made_from, receipts
from shoal.pipeline.stages import _stage
from shoal.pipeline.study.check import load
from shoal.pipeline.study.flops import sweep_flops
from shoal.pipeline.study.grid import Cell, cells
from shoal.pipeline.study.identity import network_id
from shoal.pipeline.tasks import Task


@receipts.kept(made_from.sweep)
def run(paths: Paths, name: str) -> dict[str, Any]:
    """Write results/<name>/{runs,curves,weights}.parquet; returns counts, time and machine for the log.

    Raises ConfigError where params.yaml is bad, or asks for what the data cannot give.
    """
    settings, dataset = load(paths)
    grid = cells(settings.sweep(name), dataset.n_outputs, len(dataset.train.x))
    store.refuse_unwritable(paths.runs(name), paths.curves(name), paths.weights(name))
    networks = [(cell, spec) for cell in grid for spec in cell.specs()]
    start = time.perf_counter()
    with progress.bar(f"sweep {name}", "networks") as advance:
        results = train(
            [spec for _, spec in networks],
            dataset.inputs(dataset.train),
            dataset.outputs(dataset.train),
            seed=settings.seed,
            dtype=settings.dtype,
            progress=advance,
            note=progress.note,
        )
    seconds = time.perf_counter() - start
    identify = partial(network_id, seed=settings.seed, dtype=settings.dtype, data_hash=dataset.data_hash, engine=ENGINE)
    ids = [identify(spec) for _, spec in networks]
    outcomes = [outcome(result, dataset.task, dataset.y_scaling.scale) for result in results]
    common = {"sweep": name, "n_features": dataset.n_inputs, "n_outputs": dataset.n_outputs, "dtype": settings.dtype}
    rows = [
        {"network_id": key, **common, **_row(cell, spec, end)}
        for key, (cell, spec), end in zip(ids, networks, outcomes, strict=True)
    ]
    store.write_table(paths.runs(name), store.runs_table(rows))
    store.write_table(paths.curves(name), _curves(ids, networks, outcomes))
    params = pd.DataFrame({"network_id": ids, "params": [result.params for result in results]})
    store.write_table(paths.weights(name), params)
    steps = [_steps_taken(spec, end) for (_, spec), end in zip(networks, outcomes, strict=True)]
    specs = (spec for _, spec in networks)
    flops = sweep_flops(zip(specs, steps, strict=True), dataset.n_inputs, len(dataset.train.x))
    return {
        "networks": len(rows),
        "diverged": sum(row["status"] == "diverged" for row in rows),
        "training_seconds": round(seconds, 4),
        "gflop": round(flops / 1e9, 6),
        "gflop_per_second": round(flops / 1e9 / seconds, 4),
        "results": store.file_hash(paths.runs(name)),
        **machine.facts(),
    }


@dataclass(frozen=True)
class Outcome:
    """The learning curve of a network in the targets' own units: `cost` (n,) at `steps` (n,), all of it finite."""

    steps: np.ndarray
    cost: np.ndarray
    diverged_step: int | None


def outcome(result: Trained, task: Task, scale: np.ndarray) -> Outcome:
    """Undo the standardisation of targets with `scale` (n_outputs,), as the task does that of its cost.

    A cost that float64 holds only in standardised units is not finite in the user's own: there the network diverged.
    """
    with np.errstate(over="ignore"):
        cost = task.cost.in_units(result.costs, scale)
    bad = np.flatnonzero(~np.isfinite(cost))
    n = int(bad[0]) if bad.size else len(cost)
    diverged_step = int(result.recorded_steps[n]) if bad.size else result.diverged_step
    return Outcome(result.recorded_steps[:n], cost[:n], diverged_step)


def _steps_taken(spec: NetworkSpec, end: Outcome) -> int:
    return (spec.steps or 0) if end.diverged_step is None else end.diverged_step


def _row(cell: Cell, spec: NetworkSpec, end: Outcome) -> dict[str, Any]:
    diverged = end.diverged_step is not None
    return {
        **cell.columns(),
        "replicate": spec.replicate,
        "status": "diverged" if diverged else "ok",
        "diverged_step": end.diverged_step,
        "train_cost": None if diverged else float(end.cost[-1]),
    }


def _curves(ids: list[str], networks: list[tuple[Cell, NetworkSpec]], outcomes: list[Outcome]) -> pd.DataFrame:
    """Long table of the learning curves; what takes no steps has none."""
    curves = [
        pd.DataFrame({"network_id": key, "step": end.steps, "cost": end.cost})
        for key, (_, spec), end in zip(ids, networks, outcomes, strict=True)
        if spec.steps is not None
    ]
    types = {"network_id": "string", "step": "int64", "cost": "float64"}
    table = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=list(types))
    return table.astype(types)


if __name__ == "__main__":
    _stage.main("-".join(["sweep", *sys.argv[1:]]), run, *sys.argv[1:])
