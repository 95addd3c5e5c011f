"""Result files: JSON, tables and their digests, written and read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from shoal.pipeline.errors import DamagedFileError, OldFileError
from shoal.pipeline.store import seal
from shoal.pipeline.store.columns import HELD
from shoal.pipeline.store.whole import write_bytes, write_text, write_whole

ROWS = 1 << 20
"""Rows of a table that stand together in its file (a row group), Arrow's own number."""


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
    except (ValueError, RecursionError):
        raise DamagedFileError(path) from None
    if value is not None:  # which is a whole answer: no network was chosen
        held = value if isinstance(value, dict) else {}
        held.pop(seal.KEY, None)
        refuse_old(path, held, HELD.get(path.name, ()))
    return value


def refuse_broken(path: Path) -> None:
    """Raise DamagedFileError where a result file is not what was written; no more than a part of it is in memory."""
    if not seal.is_sound(path):
        raise DamagedFileError(path)


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
    write_parts(path, [table])


def write_parts(path: Path, parts: Iterable[pd.DataFrame | pa.Table]) -> None:
    """Write the rows of several parts, of which the first may have none, as `write_table` writes one table with all of
    them; no more than ROWS of them are in memory beside the part that is next."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            _write_groups(file, map(arrow_of, parts))
        seal.seal(temporary)

    write_whole(path, write)


def _write_groups(file: IO[bytes], parts: Iterator[pa.Table]) -> None:
    first = next(parts)
    with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
        waiting, n, n_written = [first], len(first), 0
        for part in parts:
            waiting, n = [*waiting, part.replace_schema_metadata(first.schema.metadata)], n + len(part)
            if n >= ROWS:
                table = pa.concat_tables(waiting).combine_chunks()
                whole = n // ROWS * ROWS
                writer.write_table(table.slice(0, whole), row_group_size=ROWS)
                waiting, n, n_written = [table.slice(whole)], n - whole, n_written + whole
        if n or not n_written:
            writer.write_table(pa.concat_tables(waiting).combine_chunks(), row_group_size=ROWS)
        writer.add_key_value_metadata({seal.KEY: seal.BLANK})


def arrow_of(table: pd.DataFrame | pa.Table) -> pa.Table:
    """The table for Arrow. Lists of numbers keep NaN, which the parameters of a diverged network may be: as a part of
    a pandas table it would become null, and come back as no number at all."""
    if isinstance(table, pa.Table):
        return table
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
    table: pd.DataFrame = arrow_table(content, path, columns).to_pandas()
    return table


def arrow_table(content: bytes, path: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        refuse_old(path, file.schema_arrow.names, dict.fromkeys([*HELD.get(path.name, ()), *(columns or ())]))
        return file.read(columns)
    except (pa.ArrowException, OSError):
        raise DamagedFileError(path) from None


def refuse_old(path: Path, held: Collection[str], needed: Collection[str]) -> None:
    """Raise OldFileError where columns or keys that are needed are not held."""
    if missing := [name for name in needed if name not in held]:
        raise OldFileError(path, missing)


def columns_of(path: Path) -> list[str]:
    """The names of the columns of a Parquet table; raises DamagedFileError."""
    refuse_broken(path)
    return list(_about(path).schema.names)


def count_rows(path: Path) -> int:
    """The number of rows of a Parquet table, of which nothing else is read; raises DamagedFileError."""
    return int(_about(path).num_rows)


def _about(path: Path) -> pq.FileMetaData:
    try:
        return pq.read_metadata(path)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError):
        raise DamagedFileError(path) from None


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, numbers with all the digits that tell them apart."""
    write_whole(path, lambda temporary: table.to_csv(temporary, index=False, lineterminator="\n"))
