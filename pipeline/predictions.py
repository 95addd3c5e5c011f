"""Predictions of a stored network for a table of the user's."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from kernels.ensemble import predict
from pipeline import data, store
from pipeline.config import ConfigError, Fault
from pipeline.data import tables
from pipeline.paths import Paths
from pipeline.store import StoredNetwork


def predict_file(paths: Paths, sweeps: list[str], source: str, output: Path, network_id: str | None) -> int:
    """Write `output`, a CSV: the columns of `source` as they are, and a <target>_predicted each. Returns its rows.

    Without `network_id`, the network chosen by the predict stage answers. Features and predictions are in original
    units. Raises ConfigError with every fault of the table, or for an unknown network.
    """
    dataset = data.load(paths)
    network = _network(paths, sweeps, network_id)
    table = tables.read(Path(), source, "")
    faults = [*table.faults, *table.missing("", dataset.feature_names)]
    present = [name for name in dataset.feature_names if name in table.columns]
    values, bad_cells = table.numbers(present)
    if faults := [*faults, *bad_cells]:
        raise ConfigError(faults)
    y_hat = dataset.predictions(predict(network.architecture, network.params, dataset.x_scaling.apply(values)))
    columns = pd.DataFrame(dict(zip(table.columns, table.cells, strict=True)))
    columns[[f"{name}_predicted" for name in dataset.target_names]] = y_hat
    store.write_csv(output, columns)
    return len(values)


def _network(paths: Paths, sweeps: list[str], network_id: str | None) -> StoredNetwork:
    place, allowed = "--network", "a network_id from results/<sweep>/runs.parquet or the MLflow UI"
    if network_id is None:
        place, allowed = paths.below_root(paths.chosen), "a network of these results; run `dvc repro`"
        chosen = store.read_json(paths.chosen)
        sweeps, network_id = [chosen["sweep"]], chosen["network_id"]
    try:
        return store.load_network(paths, sweeps, network_id)
    except KeyError as error:
        raise ConfigError([Fault("", str(error.args[0]), allowed, place)]) from None
