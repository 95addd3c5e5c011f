"""Trained networks in the result tables: their rows, their parameters, and any of them by its id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.cv_plus import OutOfFold
from shoal.pipeline.errors import DamagedFileError, OutOfDateError
from shoal.pipeline.hyperparameters import TRAINING
from shoal.pipeline.paths import Paths
from shoal.pipeline.predictor import Fitted, Predictor
from shoal.pipeline.preparation import Preparation
from shoal.pipeline.store.columns import FOLD, HELD, LATER_COLUMNS, RUN_COLUMNS, STOPPING_COLUMNS
from shoal.pipeline.store.files import (
    arrow_of,
    arrow_table,
    read_bytes,
    read_json,
    read_table,
    refuse_broken,
    refuse_old,
    write_parts,
)

WEIGHTS = 1 << 14
"""Networks whose parameters are looked through at once."""


@dataclass(frozen=True)
class StoredNetwork:
    """One trained network as the files have it: its row of runs.parquet and its flat parameter row."""

    run: dict[str, Any]
    architecture: Architecture
    params: np.ndarray


def text_column(ids: np.ndarray) -> pa.Array:
    """Ids (n,) of 16 bytes each as Arrow has text."""
    ends = np.arange(len(ids) + 1) * ids.itemsize
    buffers = (pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(ids).view(np.uint8)))
    return pa.LargeStringArray.from_buffers(len(ids), *buffers)


def runs_table(rows: list[dict[str, Any]], own: Sequence[Mapping[str, np.ndarray]] | None = None) -> pd.DataFrame:
    """Rows (one dict a network, None where a column does not apply) as a table with the columns of RUN_COLUMNS.

    Of LATER_COLUMNS, STOPPING_COLUMNS and FOLD it has those in which a row has a value that it would not have without
    being asked for. With `own`, rows[i] is that of several networks, and own[i] has what each of these has of its own,
    (n,) by columns: ids of 16 bytes, steps of which -1 is none, costs of which NaN is none.
    """
    columns = {} if own is None else {name: _column([one[name] for one in own]) for name in own[0]}
    others = LATER_COLUMNS | STOPPING_COLUMNS | {FOLD: "Int64"}
    unused = {name: (None, TRAINING[name].default, TRAINING[name].off) for name in LATER_COLUMNS}
    later = {name for row in rows for name in others if row.get(name) not in unused.get(name, (None,))}
    later |= {name for name in STOPPING_COLUMNS if name in columns and not columns[name].isna().all()}
    types = RUN_COLUMNS | {name: kind for name, kind in others.items() if name in later}
    table = pd.DataFrame(rows, columns=list(types)).astype(types)
    if own is None:
        return table
    sizes = [len(one["network_id"]) for one in own]
    table = table.take(np.repeat(np.arange(len(rows)), sizes)).reset_index(drop=True)
    return table.assign(**{name: column for name, column in columns.items() if name in types}).astype(types)


def _column(parts: Sequence[np.ndarray]) -> Any:
    """The parts of a column of networks' own, one behind the other, as pandas has it."""
    values = np.concatenate(parts)
    if values.dtype.kind == "S":
        return pd.StringDtype().__from_arrow__(text_column(values))  # type: ignore[attr-defined]
    if values.dtype.kind == "U":
        return pd.array(values.astype(object), "string")
    if values.dtype.kind == "i":
        return pd.arrays.IntegerArray(values, values < 0)
    return pd.arrays.FloatingArray(values, np.isnan(values))


def write_weights(path: Path, ids: Sequence[np.ndarray], params: Sequence[np.ndarray]) -> None:
    """Write the parameters (n, n_params) of groups of networks by their ids, (n,) of 16 bytes each."""
    head = arrow_of(pd.DataFrame({"network_id": [ids[0][0].decode()], "params": [params[0][0]]}))

    def part(names: np.ndarray, rows: np.ndarray) -> pa.Table:
        offsets = np.arange(len(rows) + 1) * rows.shape[1]
        lists = pa.LargeListArray.from_arrays(offsets, pa.array(rows.ravel())).cast(head.schema.field("params").type)
        return pa.Table.from_arrays([text_column(names), lists], schema=head.schema)

    write_parts(path, map(part, ids, params))


def read_runs(paths: Paths, sweeps: list[str], columns: list[str] | None = None) -> pd.DataFrame:
    """The runs tables of the named sweeps, or some columns of them, one below the other."""
    return pd.concat([read_table(paths.runs(sweep), columns) for sweep in sweeps], ignore_index=True)


def read_weights(paths: Paths, sweep: str) -> StoredWeights:
    """The parameters of a sweep's networks, in one array."""
    path = paths.weights(sweep)
    table = arrow_table(read_bytes(path), path)
    lists = table["params"].combine_chunks()
    starts = lists.offsets.to_numpy()
    return StoredWeights(table["network_id"], starts - starts[0], lists.flatten().to_numpy(zero_copy_only=False))


def weights_of(paths: Paths, sweep: str, network_ids: Iterable[str]) -> dict[str, np.ndarray]:
    """Those of some networks alone, by network_id: no more than a part of the file is in memory at once."""
    path, wanted, found = paths.weights(sweep), pa.array([*network_ids], pa.string()), dict[str, np.ndarray]()
    if not len(wanted):
        return found
    refuse_broken(path)
    try:
        file = pq.ParquetFile(path)
        refuse_old(path, file.schema_arrow.names, HELD["weights.parquet"])
        for batch in file.iter_batches(WEIGHTS):
            own = batch.filter(pc.is_in(batch["network_id"].cast(pa.string()), wanted))
            rows = (row.values.to_numpy(zero_copy_only=False) for row in own["params"])
            found |= zip(own["network_id"].to_pylist(), rows, strict=True)
    except (pa.ArrowException, OSError):
        raise DamagedFileError(path) from None
    return found


class StoredWeights(Mapping[str, np.ndarray]):
    """Flat parameter rows of networks, shape (n_params,) each, by network_id; those of the i-th id begin at starts[i]
    of `params`, (n + 1,)."""

    def __init__(self, ids: pa.ChunkedArray, starts: np.ndarray, params: np.ndarray) -> None:
        self._ids, self._starts, self._params = ids, starts, params

    def __getitem__(self, network_id: str) -> np.ndarray:
        place = pc.index(self._ids, network_id).as_py()
        if place < 0:
            raise KeyError(network_id)
        row: np.ndarray = self._params[self._starts[place] : self._starts[place + 1]]
        return row

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids.to_pylist())

    def __len__(self) -> int:
        return len(self._ids)

    def places(self, network_ids: pd.Series) -> np.ndarray:
        """Where some networks are, (n,)."""
        places: np.ndarray = pc.index_in(pa.array(network_ids), self._ids).to_numpy(zero_copy_only=False)
        return places

    def rows(self, places: np.ndarray) -> np.ndarray:
        """The parameters of those at some places, which have equally many, (n, n_params)."""
        n_params = int(self._starts[places[0] + 1] - self._starts[places[0]])
        rows: np.ndarray = self._params[self._starts[places][:, np.newaxis] + np.arange(n_params)]
        return rows


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
    params = weights_of(paths, sweep, [network_id])[network_id]
    return StoredNetwork(run, Architecture.parse(str(run["architecture"])), params)


def load_predictor(paths: Paths, members: Sequence[Mapping[str, Any]]) -> Predictor:
    """Networks by their `sweep` and `network_id`, in their order, in the user's units; raises what `sweep_of` does.

    Where rows are validated on in folds, by their `fold` too, and fold by fold.
    """
    fitted: dict[str, Fitted] = {}
    for sweep in dict.fromkeys(str(member["sweep"]) for member in members):
        wanted = [str(member["network_id"]) for member in members if member["sweep"] == sweep]
        weights = weights_of(paths, sweep, wanted)
        runs = read_table(paths.runs(sweep), ["network_id", "architecture"]).set_index("network_id")["architecture"]
        for network_id in wanted:
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
