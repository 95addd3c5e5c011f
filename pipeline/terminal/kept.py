"""`shoal store`: the networks that are kept once trained, counted, verified, and reduced to those in use."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable

from shoal.pipeline import store
from shoal.pipeline.errors import REFUSED, OutOfDateError, ShoalError
from shoal.pipeline.paths import Paths
from shoal.pipeline.store.entries import Store, folder_of


class StoreError(ShoalError):
    """The store cannot be read or written."""


def _command(call: Callable[[Paths, Store], int]) -> Callable[[Paths], int]:
    @functools.wraps(call)
    def run(paths: Paths) -> int:
        kept = Store(folder_of(paths))
        if not kept.folder.is_dir():
            print(f"{kept.folder}: no network is kept here; a sweep begins with it")
            return 0
        try:
            return call(paths, kept)
        except sqlite3.Error as error:
            raise StoreError(f"{kept.index.path}: found {error}; allowed: a folder that can be written") from None

    return run


@_command
def info(paths: Paths, kept: Store) -> int:
    """Print how many networks there are, and how many of them the results name."""
    blocks, named = kept.blocks(), _named(paths)
    in_use = {name.decode() for block in blocks for name in block.ids.tolist()} & named
    n = sum(len(block.ids) for block in blocks)
    print(f"{kept.folder}: {n} networks in {_size(kept)}; results here name {len(named)}, "
          f"of which {len(in_use)} are kept")  # fmt: skip
    return 0


@_command
def verify(paths: Paths, kept: Store) -> int:
    """Read every network, and set aside what is damaged."""
    n, n_sound = kept.set_damaged_aside()
    if n == n_sound:
        print(f"{kept.folder}: {n} networks, all as they were written")
        return 0
    print(f"{kept.folder}: {n - n_sound} of {n} networks are damaged and set aside; the next sweep trains them again")
    return REFUSED


@_command
def prune(paths: Paths, kept: Store) -> int:
    """Remove what no result names, or what was trained anew since."""
    named = _named(paths)
    if not named:
        raise OutOfDateError(f"{paths.results}: found no results, which say what to keep; run `dvc repro` first")
    before = _size(kept)
    n, n_kept = kept.prune(named)
    print(f"{kept.folder}: {n - n_kept} networks removed, {n_kept} kept; {_size(kept)} instead of {before}")
    return 0


COMMANDS = {"info": info, "verify": verify, "prune": prune}


def _named(paths: Paths) -> set[str]:
    """The ids in the result tables that are there; raises DamagedFileError."""
    tables = sorted(paths.results.glob("*/runs.parquet"))
    return {str(name) for table in tables for name in store.read_table(table, ["network_id"])["network_id"]}


def _size(kept: Store) -> str:
    files = kept.index.segments()
    return f"{len(files)} files of {sum(path.stat().st_size for path in files) / 1e6:.1f} MB"
