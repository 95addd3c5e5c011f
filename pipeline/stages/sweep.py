"""Stage `sweep@NAME`: train every network of one sweep."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd

from kernels.ensemble import NetworkSpec, Trained, compiled_before, train
from pipeline import progress, store
from pipeline.check import load
from pipeline.grid import Cell, cells, network_id
from pipeline.paths import Paths
from pipeline.stages import _stage


def run(paths: Paths, name: str) -> dict[str, Any]:
    """Write results/<name>/{runs,curves,weights}.parquet; returns counts for the log.

    Raises ConfigError where params.yaml is bad, or asks for what the data cannot give.
    """
    settings, dataset = load(paths)
    grid = cells(settings.sweeps[name], dataset.n_outputs, len(dataset.train.x))
    networks = [(cell, spec) for cell in grid for spec in cell.specs()]
    if not compiled_before():
        progress.note("compiling the kernels for this machine: about a minute, once")
    with progress.bar(f"sweep {name}") as advance:
        results = train(
            [spec for _, spec in networks],
            dataset.inputs(dataset.train),
            dataset.outputs(dataset.train),
            seed=settings.seed,
            dtype=settings.dtype,
            progress=advance,
        )
    ids = [network_id(s, seed=settings.seed, dtype=settings.dtype, data_hash=dataset.data_hash) for _, s in networks]
    half_mses = [result.costs @ dataset.y_scaling.scale**2 for result in results]  # in the targets' own units
    common = {"sweep": name, "n_features": dataset.n_features, "n_outputs": dataset.n_outputs, "dtype": settings.dtype}
    rows = [
        {"network_id": key, **common, **_row(cell, spec, result, half_mse)}
        for key, (cell, spec), result, half_mse in zip(ids, networks, results, half_mses, strict=True)
    ]
    store.write_table(paths.runs(name), store.runs_table(rows))
    store.write_table(paths.curves(name), _curves(ids, networks, results, half_mses))
    params = pd.DataFrame({"network_id": ids, "params": [result.params for result in results]})
    store.write_table(paths.weights(name), params)
    return {"networks": len(rows), "diverged": sum(row["status"] == "diverged" for row in rows)}


def _row(cell: Cell, spec: NetworkSpec, result: Trained, half_mse: np.ndarray) -> dict[str, Any]:
    diverged = result.diverged_step is not None
    return {
        **cell.columns(),
        "replicate": spec.replicate,
        "status": "diverged" if diverged else "ok",
        "diverged_step": result.diverged_step,
        "train_half_mse": None if diverged else float(half_mse[-1]),
    }


def _curves(
    ids: list[str], networks: list[tuple[Cell, NetworkSpec]], results: list[Trained], half_mses: list[np.ndarray]
) -> pd.DataFrame:
    """Long table of the learning curves; a ridge readout has none."""
    curves = [
        pd.DataFrame({"network_id": key, "step": result.recorded_steps, "half_mse": half_mse})
        for key, (_, spec), result, half_mse in zip(ids, networks, results, half_mses, strict=True)
        if spec.optimizer == "gd"
    ]
    types = {"network_id": "string", "step": "int64", "half_mse": "float64"}
    table = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=list(types))
    return table.astype(types)


if __name__ == "__main__":
    _stage.main(f"sweep-{sys.argv[1]}", run, sys.argv[1])
