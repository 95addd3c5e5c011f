"""Trained networks in the result tables: their rows, their parameters, and any of them by its id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.errors import OutOfDateError
from shoal.pipeline.hyperparameters import TRAINING
from shoal.pipeline.paths import Paths
from shoal.pipeline.predictor import Fitted, Predictor
from shoal.pipeline.store.columns import LATER_COLUMNS, RUN_COLUMNS, STOPPING_COLUMNS
from shoal.pipeline.store.files import arrow_table, read_bytes, read_json, read_table


@dataclass(frozen=True)
class StoredNetwork:
    """One trained network as the files have it: its row of runs.parquet and its flat parameter row."""

    run: dict[str, Any]
    architecture: Architecture
    params: np.ndarray


def runs_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows (one dict a network, None where a column does not apply) as a table with the columns of RUN_COLUMNS.

    Of LATER_COLUMNS and STOPPING_COLUMNS it has those in which a row has a value that it would not have without being
    asked for.
    """
    others = LATER_COLUMNS | STOPPING_COLUMNS
    defaults = {name: TRAINING[name].default for name in LATER_COLUMNS}
    later = {name for row in rows for name in others if row.get(name) not in (None, defaults.get(name))}
    types = RUN_COLUMNS | {name: kind for name, kind in others.items() if name in later}
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def read_runs(paths: Paths, sweeps: list[str]) -> pd.DataFrame:
    """The runs tables of the named sweeps, one below the other."""
    return pd.concat([read_table(paths.runs(sweep)) for sweep in sweeps], ignore_index=True)


def read_weights(paths: Paths, sweep: str) -> dict[str, np.ndarray]:
    """Flat parameter rows of a sweep's networks, shape (n_params,) each, by network_id."""
    path = paths.weights(sweep)
    table = arrow_table(read_bytes(path), path)
    rows = (row.values.to_numpy() for row in table["params"])
    return dict(zip(table["network_id"].to_pylist(), rows, strict=True))


def sweep_of(paths: Paths, sweeps: Sequence[str], network_id: str) -> str:
    """The first of the named sweeps with a network of this id; raises OutOfDateError naming the id and the sweeps."""
    for sweep in sweeps:
        if network_id in read_table(paths.runs(sweep), ["network_id"])["network_id"].array:
            return sweep
    raise OutOfDateError(
        f"no network '{network_id}' in the results of {', '.join(sweeps)}; `dvc repro` brings them up to date"
    )


def load_network(paths: Paths, sweeps: Sequence[str], network_id: str) -> StoredNetwork:
    """Find a network in the named sweeps by its id; raises what `sweep_of` does."""
    sweep = sweep_of(paths, sweeps, network_id)
    runs = read_table(paths.runs(sweep))
    row = runs[runs["network_id"] == network_id].iloc[0]
    run = {str(key): None if pd.isna(value) else value for key, value in row.items()}
    return StoredNetwork(run, Architecture.parse(str(run["architecture"])), read_weights(paths, sweep)[network_id])


def load_predictor(paths: Paths, sweep: str, network_id: str) -> Predictor:
    """A network of a sweep in the user's units; raises what `sweep_of` does."""
    network = load_network(paths, [sweep], network_id)
    return Predictor.of(read_json(paths.data / "data.json"), Fitted(network.architecture, network.params))
