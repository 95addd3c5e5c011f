"""Stage `predict`: the network chosen on the validation split, and the test-set predictions to hand in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kernels.architecture import Architecture
from kernels.ensemble import predict
from pipeline import config, data, made_from, receipts, store
from pipeline.data import Dataset
from pipeline.paths import Paths
from pipeline.stages import _stage


@receipts.kept(made_from.predictions)
def run(paths: Paths) -> dict[str, Any]:
    """Write predictions/{test_predictions.csv,chosen.json,all_cells.parquet}; returns the choice for the log."""
    sweeps = list(config.load(paths).sweeps)
    dataset = data.load(paths)
    best = _best_of_cells(store.read_table(paths.networks))
    architectures = store.read_runs(paths, sweeps).drop_duplicates("network_id").set_index("network_id")["architecture"]
    tables = []
    for sweep, winners in best.groupby("sweep", sort=False):
        weights = store.read_weights(paths, str(sweep))
        for _, winner in winners.iterrows():
            key = winner["network_id"]
            table = _long(dataset, _y_hat(dataset, Architecture.parse(architectures[key]), weights[key]))
            tables.append(table.assign(**{name: winner[name] for name in ("sweep", "cell", "network_id", "replicate")}))
    chosen = best.iloc[int(best["validation_mse"].to_numpy().argmin())]
    network = store.load_network(paths, [chosen["sweep"]], chosen["network_id"])
    choice = _choice(chosen, best, len(store.read_table(paths.networks, ["network_id"])), str(network.architecture))
    store.write_table(paths.all_cells, pd.concat(tables, ignore_index=True))
    store.write_csv(paths.test_predictions, _predictions(dataset, network.architecture, network.params))
    store.write_json(paths.chosen, choice)
    return {"chosen": choice["network_id"]}


def _best_of_cells(networks: pd.DataFrame) -> pd.DataFrame:
    """Per cell, in order, the replicate with the smallest validation error; the smaller id where two are equal."""
    ranked = networks.sort_values(["validation_mse", "network_id"], kind="stable")
    return ranked.groupby(["sweep", "cell"], sort=False).head(1).sort_index().reset_index(drop=True)


def _predictions(dataset: Dataset, architecture: Architecture, params: np.ndarray) -> pd.DataFrame:
    """Test inputs, targets, and a column <target>_predicted for each target, in original units."""
    y_hat = _y_hat(dataset, architecture, params)
    names = [*dataset.feature_names, *dataset.target_names, *(f"{name}_predicted" for name in dataset.target_names)]
    return pd.DataFrame(np.hstack([dataset.test.x, dataset.test.y, y_hat]), columns=names)


def _long(dataset: Dataset, y_hat: np.ndarray) -> pd.DataFrame:
    """One row a test sample and target: sample (its row in data/test.parquet), target (its name), y, y_hat."""
    n, n_outputs = y_hat.shape
    columns = {
        "sample": np.repeat(np.arange(n), n_outputs),
        "target": np.tile(np.array(dataset.target_names, object), n),
        "y": dataset.test.y.ravel(),
        "y_hat": y_hat.ravel(),
    }
    return pd.DataFrame(columns)


def _y_hat(dataset: Dataset, architecture: Architecture, params: np.ndarray) -> np.ndarray:
    """Predictions (n_test, n_outputs) for the test split, in original units."""
    return dataset.predictions(predict(architecture, params, dataset.inputs(dataset.test)))


def _choice(chosen: pd.Series, best: pd.DataFrame, n_networks: int, architecture: str) -> dict[str, Any]:
    if not np.isfinite(chosen["validation_mse"]):
        raise ValueError("every network of every sweep diverged, so that none can be chosen: lower the learning rates")
    return {
        "network_id": chosen["network_id"],
        "sweep": chosen["sweep"],
        "cell": chosen["cell"],
        "replicate": int(chosen["replicate"]),
        "architecture": architecture,
        "validation_mse": float(chosen["validation_mse"]),
        "test_mse": float(chosen["test_mse"]),
        "candidates": n_networks,
        "why": f"smallest validation mse of all {n_networks} networks in {len(best)} cells; the test split had no say",
    }


if __name__ == "__main__":
    _stage.main("predict", run)
