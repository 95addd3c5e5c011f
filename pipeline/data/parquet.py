"""A Parquet file as a user's table: its columns with their types, and what pandas noted of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shoal.pipeline.data.user_table import UserTable, name_faults


def read(path: Path, name: str) -> UserTable:
    """The table of a Parquet file, which messages call `name`; raises OSError and pyarrow's errors."""
    return _table(pq.ParquetFile(path).read(), name)


def parts(path: Path, name: str, part_rows: int) -> Iterator[UserTable]:
    """The table of `read` in parts of up to so many rows; one at least."""
    with pq.ParquetFile(path) as file:
        if file.metadata.num_rows <= part_rows:
            yield _table(file.read(), name)
            return
        n_rows = 0
        for batch in file.iter_batches(part_rows):
            yield _table(pa.Table.from_batches([batch], file.schema_arrow), name, n_rows)
            n_rows += batch.num_rows


def _table(table: pa.Table, name: str, n_before: int = 0) -> UserTable:
    """What a Parquet file has, or a part of it behind so many rows."""
    kept = [i for i, column in enumerate(table.column_names) if not column.startswith("__index_level_")]
    columns = [table.column_names[i] for i in kept]
    cells = [table.column(i).to_pylist() for i in kept]
    rows = range(n_before + 1, n_before + table.num_rows + 1)
    faults = name_faults(name, columns)
    resolutions, index = _resolutions(table.schema), _index(table.schema)
    return UserTable(name, columns, rows, cells, faults, table, resolutions=resolutions, index=index)


def _resolutions(schema: pa.Schema) -> dict[str, float]:
    floating = (part for part in schema if pa.types.is_floating(part.type))
    return {part.name: float(np.finfo(part.type.to_pandas_dtype()).eps) for part in floating}


def _index(schema: pa.Schema) -> list[str]:
    """Names in the index of the pandas table that a Parquet file was made of; an index that only counts has none."""
    try:
        described = schema.pandas_metadata or {}
    except ValueError:  # the note of another program under pandas' name
        return []
    return [name for name in described.get("index_columns", ()) if isinstance(name, str)]
