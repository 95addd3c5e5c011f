"""Result files: their columns in one place, written whole or not at all, read back, and any network by its id."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline import seal
from shoal.pipeline.errors import DamagedFileError, OldFileError, OutOfDateError
from shoal.pipeline.paths import Paths

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

CONTRAST_COLUMNS: dict[str, str] = {
    "sweep": "string",
    "axis": "string",  # what a and b differ in: series (activation or architecture), depth, width, ...
    "a": "string",  # names of the two cells, and their levels on the axis
    "b": "string",
    "level_a": "string",
    "level_b": "string",
    "n_pairs": "Int64",  # replicates; in how many of them each cell has the smaller error
    "a_smaller": "Int64",
    "b_smaller": "Int64",
    "log10_ratio": "Float64",  # typical log10 of error a / error b; infinite where one typically diverged or is 0
    "p": "Float64",  # of the signed-rank test; null for fewer than 10 replicates, as is p_holm
    "p_holm": "Float64",  # adjusted for all contrasts of the sweep
    "p_smallest": "Float64",  # the least p_holm that so many replicates could have given
    "verdict": "string",
}
"""Columns of contrasts.parquet and their pandas types; errors are those that decide, on the test split."""

HELD: dict[str, Collection[str]] = {
    "runs.parquet": RUN_COLUMNS,
    "curves.parquet": ["network_id", "step", "half_mse"],
    "weights.parquet": ["network_id", "params"],
    "networks.parquet": [
        "network_id", "sweep", "cell", "replicate", "status", "train_mse", "validation_mse", "test_mse",
    ],
    "cells.parquet": [
        *CELL_COLUMNS, "n_networks", "n_diverged", "diverged_fraction",
        *(
            f"{error}_{rank}"
            for error in ("train_mse", "validation_mse", "test_mse", "log10_test_mse", "train_half_mse")
            for rank in ("median", "q1", "q3", "min", "max")
        ),
    ],
    "contrasts.parquet": CONTRAST_COLUMNS,
    "gradcheck.parquet": [
        "architecture", "activation", "tensor", "n_coordinates", "max_difference", "max_gradient", "relative_error",
    ],
    "data.json": ["feature_names", "target_names", "x_scaling", "y_scaling", "data_hash"],
    "chosen.json": ["network_id", "sweep", "cell", "architecture", "test_mse", "why"],
}  # fmt: skip
"""Columns or keys that are read of a result file, by its name: one that lacks any is of an older version."""

A_BEATS_B, B_BEATS_A, NOT_SHOWN, UNTESTABLE = "a beats b", "b beats a", "not shown", "untestable"
"""Verdicts: shown at 5 % over the whole sweep, not shown, or not to be shown with so few replicates."""


@dataclass(frozen=True)
class StoredNetwork:
    """One trained network as the files have it: its row of runs.parquet and its flat parameter row."""

    run: dict[str, Any]
    architecture: Architecture
    params: np.ndarray


def refuse_unwritable(*paths: Path) -> None:
    """Raise OSError where files could not be written at these paths: known before the work, not after it."""
    for path in paths:
        folder = next(parent for parent in path.parents if parent.exists())
        if not folder.is_dir():
            raise OSError(errno.ENOTDIR, "a file", str(folder))
        if path.is_dir():
            raise OSError(errno.EISDIR, "a folder", str(path))
        if path.exists() and not path.is_file():  # renaming a file to a device would remove the device
            raise OSError(errno.ENODEV, "a device", str(path))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))


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
    """Call `write` on a temporary file beside `path` and rename it: readers see the old file or the new one.

    Raises OSError with the name of `path` where it cannot be written.
    """
    refuse_unwritable(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        if look := _before_rename.get(None):
            look(temporary, path)
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes, whole or not at all."""
    write_whole(path, lambda temporary: temporary.write_bytes(content))


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all, with the same line ends everywhere."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: object) -> None:
    """Write JSON with two spaces of indent; raises ValueError for NaN and infinity, which JSON lacks."""
    write_text(path, _json(value))


def write_sealed_json(path: Path, value: dict[str, Any] | None) -> None:
    """Write JSON as `write_json` does, with a digest of the file in it; null has room for none."""
    if value is None:
        write_json(path, None)
        return
    write_bytes(path, seal.sealed(_json(value | {seal.KEY: seal.BLANK}).encode()))


def _json(value: object) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """Read a JSON file, without its digest; raises DamagedFileError and OldFileError."""
    try:
        value = json.loads(read_bytes(path))
    except ValueError:
        raise DamagedFileError(path) from None
    if value is not None:  # which is a whole answer: no network was chosen
        held = value if isinstance(value, dict) else {}
        held.pop(seal.KEY, None)
        _refuse_old(path, held, HELD.get(path.name, ()))
    return value


def read_bytes(path: Path) -> bytes:
    """Read a result file as it is; raises DamagedFileError where it is not what was written."""
    content = path.read_bytes()
    if seal.is_broken(content):
        raise DamagedFileError(path)
    return content


def file_hash(path: Path) -> str:
    """16 hex digits of SHA-256 over the bytes of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def sha256(path: Path) -> str | None:
    """SHA-256 over the bytes of a file in hex; None where there is no ordinary file that can be read.

    A file is read again only if its time stamp, size or inode has changed.
    """
    if not path.is_file():  # a pipe or a device may have no end
        return None
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
    """Write a table as Parquet (no index), with a digest of the file in it.

    The bytes depend on its contents and the library version alone.
    """
    content, buffer = _arrow(table), pa.BufferOutputStream()
    with pq.ParquetWriter(buffer, content.schema, compression="zstd") as writer:
        writer.write_table(content)
        writer.add_key_value_metadata({seal.KEY: seal.BLANK})
    write_bytes(path, seal.sealed(buffer.getvalue().to_pybytes()))


def _arrow(table: pd.DataFrame) -> pa.Table:
    """The table for Arrow. Lists of numbers keep NaN, which the parameters of a diverged network may be: as a part of
    a pandas table it would become null, and come back as no number at all."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    for i, field in enumerate(arrow.schema):
        if pa.types.is_list(field.type):
            arrow = arrow.set_column(i, field, pa.array(table[field.name].tolist(), field.type, from_pandas=False))
    return arrow


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a Parquet table, or only some of its columns; raises DamagedFileError and OldFileError."""
    return table_of(read_bytes(path), path, columns)


def table_of(content: bytes, path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """The table that a file's content holds; `path` is its name in errors."""
    table: pd.DataFrame = _arrow_table(content, path, columns).to_pandas()
    return table


def _arrow_table(content: bytes, path: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        _refuse_old(path, file.schema_arrow.names, columns or HELD.get(path.name, ()))
        return file.read(columns)
    except (pa.ArrowException, OSError):
        raise DamagedFileError(path) from None


def _refuse_old(path: Path, held: Collection[str], needed: Collection[str]) -> None:
    if missing := [name for name in needed if name not in held]:
        raise OldFileError(path, missing)


def count_rows(path: Path) -> int:
    """The number of rows of a Parquet table, of which nothing else is read."""
    return int(pq.read_metadata(path).num_rows)


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
    path = paths.weights(sweep)
    table = _arrow_table(read_bytes(path), path)
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
