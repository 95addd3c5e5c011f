"""Trained networks in the result tables: their rows, their parameters, and any of them by its id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.cv_plus import OutOfFold
from shoal.pipeline.errors import OutOfDateError
from shoal.pipeline.hyperparameters import TRAINING
from shoal.pipeline.paths import Paths
from shoal.pipeline.predictor import Fitted, Predictor
from shoal.pipeline.preparation import Preparation
from shoal.pipeline.store.columns import FOLD, LATER_COLUMNS, RUN_COLUMNS, STOPPING_COLUMNS
from shoal.pipeline.store.files import arrow_table, read_bytes, read_json, read_table


@dataclass(frozen=True)
class StoredNetwork:
    """One trained network as the files have it: its row of runs.parquet and its flat parameter row."""

    run: dict[str, Any]
    architecture: Architecture
    params: np.ndarray


def runs_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows (one dict a network, None where a column does not apply) as a table with the columns of RUN_COLUMNS.

    Of LATER_COLUMNS, STOPPING_COLUMNS and FOLD it has those in which a row has a value that it would not have without
    being asked for.
    """
    others = LATER_COLUMNS | STOPPING_COLUMNS | {FOLD: "Int64"}
    unused = {name: (None, TRAINING[name].default, TRAINING[name].off) for name in LATER_COLUMNS}
    later = {name for row in rows for name in others if row.get(name) not in unused.get(name, (None,))}
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


def load_predictor(paths: Paths, members: Sequence[Mapping[str, Any]]) -> Predictor:
    """Networks by their `sweep` and `network_id`, in their order, in the user's units; raises what `sweep_of` does.

    Where rows are validated on in folds, by their `fold` too, and fold by fold.
    """
    fitted: dict[str, Fitted] = {}
    for sweep in dict.fromkeys(str(member["sweep"]) for member in members):
        weights = read_weights(paths, sweep)
        runs = read_table(paths.runs(sweep)).set_index("network_id")["architecture"]
        for network_id in (str(member["network_id"]) for member in members if member["sweep"] == sweep):
            if network_id not in runs.index:
                sweep_of(paths, [sweep], network_id)  # which says so
            fitted[network_id] = Fitted.of(str(runs[network_id]), weights[network_id])
    columns = read_json(paths.data / "data.json")
    if "folds" not in columns:
        return Predictor.of(columns, *(fitted[str(member["network_id"])] for member in members))
    own = [[fitted[str(one["network_id"])] for one in members if one[FOLD] == i] for i in range(len(columns["folds"]))]
    folds = [Predictor.of(fold, *some) for fold, some in zip(columns["folds"], own, strict=True)]
    return Predictor.in_folds(Preparation.from_json(columns), folds)


def answering(choice: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The networks that answer by a choice (predictions/chosen.json), the best of them first."""
    return list(choice["ensemble"]["networks"]) if "ensemble" in choice else [dict(choice)]


def load_chosen(paths: Paths, choice: Mapping[str, Any]) -> Predictor:
    """What answers by a choice, with its intervals; raises what `sweep_of` does."""
    predictor, interval = load_predictor(paths, answering(choice)), choice.get("interval", {})
    if "out_of_fold" in interval:
        return replace(predictor, out_of_fold=OutOfFold.from_json(interval["out_of_fold"]))
    return predictor.with_half_widths(interval["half_width"].values() if interval else None)
