"""Learning curves of a sweep as arrays, read part after part: there may be more of them than memory has room for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from shoal.pipeline.errors import DamagedFileError
from shoal.pipeline.store.columns import HELD
from shoal.pipeline.store.files import refuse_broken, refuse_old


class LearningCurves:
    """The curves in a file, by network; its parts (row groups) are read as their networks are asked for.

    Raises DamagedFileError and OldFileError.
    """

    def __init__(self, path: Path) -> None:
        refuse_broken(path)
        self._path = path
        try:
            self._file = pq.ParquetFile(path, read_dictionary=["network_id"])
            self.columns = self._file.schema_arrow.names
            refuse_old(path, self.columns, HELD["curves.parquet"])
            names = [_names(self._file.read_row_group(k, ["network_id"])) for k in range(self._file.num_row_groups)]
        except (pa.ArrowException, OSError):
            raise DamagedFileError(path) from None
        parts = np.repeat(np.arange(len(names)), [len(own) for own in names])
        every = np.concatenate([np.zeros(0, "S1"), *names])
        order = np.argsort(every, kind="stable")
        self._names, self._parts = every[order], parts[order]
        self._read_last: tuple[int, str, _Part] | None = None

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def of(self, networks: Iterable[str], column: str = "cost") -> tuple[np.ndarray, np.ndarray]:
        """The steps (m,) at which any of these networks has a cost, and the costs (n, m), NaN where one has none."""
        wanted = np.array([*networks], "S")
        order = np.argsort(wanted)
        pieces = [_found(self._part(k, column), wanted, order) for k in self._parts_with(wanted)]
        nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        rows, steps, costs = (np.concatenate(own) for own in zip(nothing, *pieces, strict=True))
        own = np.sort(pd.unique(steps))
        values = np.full((len(wanted), len(own)), np.nan)
        values[rows, np.searchsorted(own, steps)] = costs
        return own, values

    def _parts_with(self, wanted: np.ndarray) -> list[int]:
        """The parts of the file in which these networks are."""
        first, end = (np.searchsorted(self._names, wanted, side) for side in ("left", "right"))
        own = np.unique(np.stack([first, end], axis=1)[end > first], axis=0)
        return sorted({int(part) for start, stop in own.tolist() for part in self._parts[start:stop]})

    def _part(self, k: int, column: str) -> _Part:
        if not self._read_last or self._read_last[:2] != (k, column):
            try:
                table = self._file.read_row_group(k, ["network_id", "step", column])
            except (pa.ArrowException, OSError):
                raise DamagedFileError(self._path) from None
            codes = table["network_id"].combine_chunks().indices.to_numpy()
            steps, costs = table["step"].to_numpy(), table[column].to_numpy().astype(np.float64)
            if (np.diff(codes) < 0).any():
                order = np.argsort(codes, kind="stable")
                codes, steps, costs = codes[order], steps[order], costs[order]
            names = _names(table)
            self._read_last = k, column, _Part(names, np.searchsorted(codes, np.arange(len(names) + 1)), steps, costs)
        return self._read_last[2]


class _Part(NamedTuple):
    """Rows of a part of a file, network by network: those of the i-th of `names` begin at `starts`[i], (n + 1,)."""

    names: np.ndarray
    starts: np.ndarray
    steps: np.ndarray
    costs: np.ndarray


def _names(table: pa.Table) -> np.ndarray:
    """The networks of a part, each once."""
    return np.array(table["network_id"].combine_chunks().dictionary.to_pylist(), "S")


def _found(part: _Part, wanted: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the rows of a part that are of wanted networks and have a cost: places of these, steps, and costs."""
    at = order[np.minimum(np.searchsorted(wanted, part.names, sorter=order), len(order) - 1)]
    there = np.flatnonzero(wanted[at] == part.names)
    sizes = part.starts[there + 1] - part.starts[there]
    own = np.arange(sizes.sum()) + np.repeat(part.starts[there] - np.cumsum(sizes) + sizes, sizes)
    own, places = own[has := ~np.isnan(part.costs[own])], np.repeat(at[there], sizes)
    return places[has], part.steps[own], part.costs[own]
