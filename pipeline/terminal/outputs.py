"""Files that a command writes where the user says: nothing of the study or of the user's input is ever replaced."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from shoal.pipeline import store
from shoal.pipeline.config import ConfigError, Fault
from shoal.pipeline.data import texts
from shoal.pipeline.data.readers import SUFFIXES
from shoal.pipeline.paths import Paths

OPTION = "--output"


def place(output: Path, paths: Paths, inputs: Iterable[Path]) -> Path:
    """The file that `output` leads to through symbolic links.

    Raises ConfigError, before any work, where it is one of `inputs`, belongs to the study, has another ending than
    SUFFIXES, or cannot be written. Whether two names lead to the same file is asked of the system, which knows of
    links and of upper and lower case.
    """
    target = Path(os.path.realpath(output))
    if fault := _fault(target, paths, inputs):
        found, allowed = fault
        raise ConfigError([Fault("", f"'{output}', {found}", allowed, OPTION)])
    return target


def _fault(target: Path, paths: Paths, inputs: Iterable[Path]) -> tuple[str, str] | None:
    """What is wrong with `target`, and what is allowed instead."""
    folder = target.parent
    another = f"another file, ending in {' or '.join(SUFFIXES)}"
    if any(_same(target, path) for path in inputs):
        return "which is read here", another
    for own in paths.own:
        if any(_same(path, own) for path in (target, *target.parents)):
            return f"which belongs to the study ({own.name})", another
    if target.is_dir():
        return "a folder", "the name of a file in it"
    if target.suffix.lower() not in SUFFIXES:
        return f"which ends in neither {' nor '.join(SUFFIXES)}", another
    if target.exists() and not target.is_file():
        return "which is no ordinary file", another
    if not folder.is_dir():
        return f"in '{folder}', which is no folder", "a file in a folder that exists"
    if not os.access(folder, os.W_OK | os.X_OK) or (target.exists() and not os.access(target, os.W_OK)):
        return "which may not be written", "a file and a folder with permission to write"
    return None


def _same(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)


def write(target: Path, parts: Iterable[pa.Table]) -> None:
    """Write a table, part after part, whole or not at all, as CSV or Parquet by the ending.

    Parquet keeps types and metadata, those of the first part. Raises ConfigError for a column that has no form in CSV.
    """
    form = _write_parquet if target.suffix.lower() == ".parquet" else _write_csv
    store.write_whole(target, lambda temporary: form(temporary, parts))


def _write_parquet(path: Path, parts: Iterable[pa.Table]) -> None:
    tables = iter(parts)
    first = next(tables)
    with pq.ParquetWriter(path, first.schema, compression="zstd") as file:
        for table in chain([first], tables):
            file.write_table(table)


def _texts(table: pa.Table) -> list[list[str | None]]:
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        try:
            columns.append(texts.text(column))
        except pa.ArrowException:
            found = f"column '{name}' of type {column.type}, which CSV has no form for"
            raise ConfigError([Fault("", found, "a file that ends in .parquet", OPTION)]) from None
    return columns


def _write_csv(path: Path, parts: Iterable[pa.Table]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(_Lines(file))
        for place, table in enumerate(parts):
            if place == 0:
                writer.writerow(table.column_names)
            writer.writerows(zip(*_texts(table), strict=True))


class _Lines:
    """Where `csv.writer` writes lines that are to end with a line feed.

    It quotes what has one of the signs in a line's end, so that a cell with a carriage return needs both of them there.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: str) -> None:
        self._file.write(line.removesuffix("\r\n") + "\n")
