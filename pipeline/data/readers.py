"""A user's file read as a table: delimited text as its dialect has it, or Parquet with its types."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from shoal.pipeline.config.faults import ConfigError, Fault, did_you_mean, shown
from shoal.pipeline.data import delimited, parquet
from shoal.pipeline.data.delimited import PACKED
from shoal.pipeline.data.dialect import PLAIN, Dialect, UnreadableError
from shoal.pipeline.data.user_table import UserTable, fault_at

PARQUET = ".parquet"
SUFFIXES = (".csv", PARQUET)
READ = (".csv", ".tsv", ".txt", f".csv{PACKED}", f".tsv{PACKED}", f".txt{PACKED}", PARQUET)
"""Endings of files that are written, and of those that are read."""
PART_ROWS = 50_000
"""Rows of a table that are read at a time where it need not be there as a whole."""


def read(root: Path, name: str, key: str, given: Dialect = PLAIN) -> UserTable:
    """Read the file `name` (as the user wrote it, relative to `root`) that the key of params.yaml at `key` asks for.

    An empty key stands for a file that is named elsewhere. What is not `given` of the
    form of text is found. Raises ConfigError where there is no such file, or it is
    no table at all; what is wrong with parts of the table is in the faults that the UserTable and its methods give.
    """
    path = root / name
    with _reading(path, name, key):
        return parquet.read(path, name) if _is_parquet(path) else delimited.read(path, name, given)


def parts(root: Path, name: str, key: str, given: Dialect = PLAIN) -> Iterator[UserTable]:
    """The table of `read` in parts of up to PART_ROWS rows, so that memory holds a table of any length; one at least.

    The first part says which columns there are, and what the decimal mark is. Raises what `read` does.
    """
    path = root / name
    with _reading(path, name, key):
        if _is_parquet(path):
            yield from parquet.parts(path, name, PART_ROWS)
        else:
            yield from delimited.parts(path, name, given, PART_ROWS)


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == PARQUET


@contextmanager
def _reading(path: Path, name: str, key: str) -> Iterator[None]:
    """Raise ConfigError where there is no such file, or it cannot be read."""
    try:
        _check_file(path, name, key)
        yield
    except UnreadableError as error:
        raise _refusal(error.where, error.found, error.allowed, name) from None
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise _refusal("", f"a file that cannot be read ({reason})", "a whole, readable file", name) from None


def _check_file(path: Path, name: str, key: str) -> None:
    ending = f"a file that ends in {', '.join(READ[:-1])} or {READ[-1]}"
    fault = None
    if path.is_dir():
        fault = fault_at(key, name, f"{shown(name)}, a folder", ending)
    elif not path.name.lower().endswith(READ):
        fault = fault_at(key, name, shown(name), f"{ending}; export the table to one of these")
    elif not path.exists():
        hint = did_you_mean(path.name, [other.name for other in path.parent.glob("*")])
        base = ", relative to the folder of params.yaml" if key else ""
        fault = fault_at(key, name, f"{shown(name)}, which does not exist", f"an existing file{base}{hint}")
    elif path.stat().st_size == 0:
        fault = Fault("", "an empty file", "a table with named columns", name)
    if fault:
        raise ConfigError([fault])


def _refusal(where: str, found: str, allowed: str, name: str) -> ConfigError:
    return ConfigError([Fault(where, found, allowed, name)])
