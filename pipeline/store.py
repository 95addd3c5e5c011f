"""Result files: their columns in one place, written whole or not at all, read back, and any network by its id."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from kernels.architecture import Architecture
from pipeline.paths import Paths

RUN_COLUMNS: dict[str, str] = {
    "network_id": "string",
    "sweep": "string",
    "cell": "string",
    "architecture": "string",
    "activation": "string",
    "depth": "Int64",
    "width": "Int64",
    "hidden_sizes": "string",
    "n_features": "Int64",
    "n_outputs": "Int64",
    "optimizer": "string",
    "learning_rate": "Float64",
    "batch_size": "Int64",
    "steps": "Int64",
    "alpha": "Float64",
    "replicate": "Int64",
    "dtype": "string",
    "status": "string",
    "diverged_step": "Int64",
    "train_half_mse": "Float64",
}
"""Columns of runs.parquet and their pandas types; what does not apply to a network is null."""

CELL_COLUMNS = [
    "sweep", "cell", "architecture", "activation", "depth", "width", "hidden_sizes",
    "optimizer", "learning_rate", "batch_size", "steps", "alpha", "dtype",
]  # fmt: skip
"""Columns that describe a cell: the same for all its replicates."""

INTERVAL_COLUMNS = {
    "log10_test_mse_iqm": "Float64",
    "log10_test_mse_iqm_low": "Float64",
    "log10_test_mse_iqm_high": "Float64",
}
"""The interquartile mean of a cell and the ends of its 95 % interval, which are null for fewer than 10 replicates."""

CONTRAST_COLUMNS: dict[str, str] = {
    "sweep": "string",
    "axis": "string",  # what a and b differ in: series (activation or architecture), depth, width, ...
    "a": "string",  # names of the two cells, and their levels on the axis
    "b": "string",
    "level_a": "string",
    "level_b": "string",
    "n_pairs": "Int64",  # replicates; in how many of them each cell has the smaller test mse
    "a_smaller": "Int64",
    "b_smaller": "Int64",
    "log10_ratio": "Float64",  # typical log10 of mse_a / mse_b; infinite where one of them typically diverged
    "p": "Float64",  # of the signed-rank test; null for fewer than 10 replicates, as is p_holm
    "p_holm": "Float64",  # adjusted for all contrasts of the sweep
    "p_smallest": "Float64",  # the least p_holm that so many replicates could have given
    "verdict": "string",
}
"""Columns of contrasts.parquet and their pandas types; errors are test mse."""

A_BEATS_B, B_BEATS_A, NOT_SHOWN, UNTESTABLE = "a beats b", "b beats a", "not shown", "untestable"
"""Verdicts: shown at 5 % over the whole sweep, not shown, or not to be shown with so few replicates."""


@dataclass(frozen=True)
class StoredNetwork:
    """One trained network as the files have it: its row of runs.parquet and its flat parameter row."""

    run: dict[str, Any]
    architecture: Architecture
    params: np.ndarray


Look = Callable[[Path, Path], object]
_before_rename: ContextVar[Look] = ContextVar("before_rename")


@contextmanager
def before_rename(look: Look) -> Iterator[None]:
    """Within this block `write_whole` calls look(temporary, path) first; what that raises leaves `path` as it was."""
    token = _before_rename.set(look)
    try:
        yield
    finally:
        _before_rename.reset(token)


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` on a temporary file beside `path` and rename it: readers see the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        if look := _before_rename.get(None):
            look(temporary, path)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all, with the same line ends everywhere."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))


def write_json(path: Path, value: object) -> None:
    """Write JSON with two spaces of indent; raises ValueError for NaN and infinity, which JSON lacks."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def file_hash(path: Path) -> str:
    """16 hex digits of SHA-256 over the bytes of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def sha256(path: Path) -> str | None:
    """SHA-256 over the bytes of a file in hex; None where there is no file that can be read.

    A file is read again only if its time stamp, size or inode has changed.
    """
    try:
        found = path.stat()
        return _sha256(path.absolute(), found.st_mtime_ns, found.st_size, found.st_ino)
    except OSError:
        return None


@cache
def _sha256(path: Path, *_: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet (no index); the bytes depend on its contents and the library version alone."""
    write_whole(path, lambda temporary: table.to_parquet(temporary, engine="pyarrow", index=False, compression="zstd"))


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a Parquet table, or only some of its columns."""
    return pd.read_parquet(path, engine="pyarrow", columns=columns)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, numbers with all the digits that tell them apart."""
    write_whole(path, lambda temporary: table.to_csv(temporary, index=False, lineterminator="\n"))


def runs_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows (one dict a network, None where a column does not apply) as a table with the columns of RUN_COLUMNS."""
    return pd.DataFrame(rows, columns=list(RUN_COLUMNS)).astype(RUN_COLUMNS)


def read_runs(paths: Paths, sweeps: list[str]) -> pd.DataFrame:
    """The runs tables of the named sweeps, one below the other."""
    return pd.concat([read_table(paths.runs(sweep)) for sweep in sweeps], ignore_index=True)


def read_weights(paths: Paths, sweep: str) -> dict[str, np.ndarray]:
    """Flat parameter rows of a sweep's networks, shape (n_params,) each, by network_id."""
    table = pq.read_table(paths.weights(sweep))
    rows = (row.values.to_numpy() for row in table["params"])
    return dict(zip(table["network_id"].to_pylist(), rows, strict=True))


def sweep_of(paths: Paths, sweeps: Sequence[str], network_id: str) -> str:
    """The first of the named sweeps that has a network of this id; raises KeyError naming the id and the sweeps."""
    for sweep in sweeps:
        if network_id in read_table(paths.runs(sweep), ["network_id"])["network_id"].array:
            return sweep
    raise KeyError(f"no network '{network_id}' in the results of {', '.join(sweeps)}")


def load_network(paths: Paths, sweeps: Sequence[str], network_id: str) -> StoredNetwork:
    """Find a network in the named sweeps by its id; raises KeyError naming the id and the sweeps searched."""
    sweep = sweep_of(paths, sweeps, network_id)
    row = read_table(paths.runs(sweep)).set_index("network_id", drop=False).loc[network_id]
    run = {str(key): None if pd.isna(value) else value for key, value in row.items()}
    return StoredNetwork(run, Architecture.parse(str(run["architecture"])), read_weights(paths, sweep)[network_id])
