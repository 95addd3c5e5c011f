"""Stage `predict`: the network chosen on the validation split, and the test-set predictions to hand in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from shoal.pipeline import config, data, store
from shoal.pipeline.data import Dataset, naming
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import made_from, receipts
from shoal.pipeline.stages import _stage
from shoal.pipeline.statistics.errors import best_first, best_networks, deciding, errors_of


@receipts.kept(made_from.predictions)
def run(paths: Paths) -> dict[str, Any]:
    """Write predictions/{test_predictions.csv,chosen.json,all_cells.parquet}; returns the choice for the log.

    Where all networks diverged, nothing is chosen: chosen.json is null, and the predictions are empty.
    """
    sweeps = list(config.load(paths).sweeps)
    store.refuse_unwritable(paths.all_cells, paths.test_predictions, paths.chosen)
    dataset = data.load(paths)
    networks = store.read_table(paths.networks)
    best = best_networks(networks)
    architectures = store.read_runs(paths, sweeps).drop_duplicates("network_id").set_index("network_id")["architecture"]
    tables, outputs = [], {}
    for sweep, winners in best.groupby("sweep", sort=False):
        weights = store.read_weights(paths, str(sweep))
        for _, winner in winners.iterrows():
            key = str(winner["network_id"])
            outputs[key] = _y_hat(dataset, architectures[key], weights[key], winner["status"])
            table = _long(dataset, outputs[key])
            tables.append(table.assign(**{name: winner[name] for name in ("sweep", "cell", "network_id", "replicate")}))
    chosen = best_first(best).iloc[0]
    choice = None
    if chosen["status"] != "diverged":
        choice = _choice(chosen, len(best), len(networks), architectures[chosen["network_id"]])
    store.write_table(paths.all_cells, pd.concat(tables, ignore_index=True))
    store.write_csv(paths.test_predictions, _predictions(dataset, outputs[chosen["network_id"]]))
    store.write_sealed_json(paths.chosen, choice)
    return {"chosen": choice["network_id"]} if choice else {"not_chosen": len(networks)}


def _predictions(dataset: Dataset, y_hat: np.ndarray) -> pd.DataFrame:
    """Row numbers, what names rows, features, targets, and <target>_predicted for each target, in original units.

    Where another column has one of the names that are added, these have a prefix.
    """
    own = [*dataset.test.ids, *dataset.feature_names, *dataset.target_names]
    added = [naming.ROW, *naming.predicted(dataset.target_names)]
    prefix = naming.free_prefix(added, own)
    row, *predicted = (f"{prefix}{name}" for name in added)
    parts = [pd.DataFrame({row: dataset.test.rows}), dataset.test.ids, dataset.features(dataset.test)]
    numbers = pd.DataFrame(np.hstack([dataset.test.y, y_hat]), columns=[*dataset.target_names, *predicted])
    return pd.concat([*parts, numbers], axis=1)


def _long(dataset: Dataset, y_hat: np.ndarray) -> pd.DataFrame:
    """One row a test sample and target: sample (its index in data/test.parquet), row (see Split), target, y, y_hat."""
    n, n_outputs = y_hat.shape
    columns = {
        "sample": np.repeat(np.arange(n), n_outputs),
        "row": np.repeat(dataset.test.rows, n_outputs),
        "target": np.tile(np.array(dataset.target_names, object), n),
        "y": dataset.test.y.ravel(),
        "y_hat": y_hat.ravel(),
    }
    return pd.DataFrame(columns)


def _y_hat(dataset: Dataset, architecture: str, params: np.ndarray, status: str) -> np.ndarray:
    """Predictions (n_test, n_outputs) for the test split, in original units; NaN from a network that diverged."""
    if status == "diverged":
        return np.full_like(dataset.test.y, np.nan)
    return dataset.predictor(architecture, params).predict(dataset.test.x)


def _choice(chosen: pd.Series, n_cells: int, n_networks: int, architecture: str) -> dict[str, Any]:
    error = deciding(chosen)
    numbers = {kind.metric(split): kind.of(split) for kind in errors_of(chosen) for split in ("validation", "test")}
    smallest = f"smallest {error.label('validation')} of all {n_networks} networks in {n_cells} cells"
    return {
        "network_id": chosen["network_id"],
        "sweep": chosen["sweep"],
        "cell": chosen["cell"],
        "replicate": int(chosen["replicate"]),
        "architecture": architecture,
        **{name: float(chosen[column]) for name, column in numbers.items()},
        "candidates": n_networks,
        "why": f"{smallest}; the test split had no say",
    }


if __name__ == "__main__":
    _stage.main("predict", run)
