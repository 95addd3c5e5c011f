"""Which rows of the user's table are trained on, validated on and tested on; no number to predict has a say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate

import numpy as np

from shoal.kernels.entropy import stream
from shoal.pipeline.config import DataConfig, Fractions
from shoal.pipeline.config.data_block import Splits
from shoal.pipeline.config.faults import Fault, shown
from shoal.pipeline.data.user_table import UserTable

RANDOM = Splits(kind="random")
PARTS = ("train", "validation", "calibration", "test")


def split(
    table: UserTable, settings: DataConfig, strata: np.ndarray | None = None
) -> tuple[dict[str, np.ndarray], list[Fault]]:
    """Indices of the rows of each part, in the order of the table, and the faults that keep rows from being split.

    random: any row anywhere; where rows are in `strata` (n_rows,), whole numbers, each of these is spread over the
    parts in proportion. ordered: the first rows, or those with the smallest values of a column, are trained on,
    the last are tested on; rows of one value stay in their order. group: rows of one value of a column stay together.
    kfold: as random, with all that are not tested on in the part `train`, of which `in_folds` makes folds.
    """
    n = len(table.rows)
    sizes = _sizes(n, settings.fractions)
    parts, faults = _parts(table, settings, list(sizes.values()), strata)
    return dict(zip(sizes, parts, strict=True)), faults


def _parts(
    table: UserTable, settings: DataConfig, sizes: Sequence[int], strata: np.ndarray | None
) -> tuple[list[np.ndarray], list[Fault]]:
    splits, n = settings.splits or RANDOM, len(table.rows)
    if splits.column is None:
        shuffled = stream(settings.split_seed, "split", 0).permutation(n)
        if strata is not None:
            shuffled = spread(shuffled, strata[shuffled])
        return _cut(np.arange(n) if splits.kind == "ordered" else shuffled, sizes), []
    if faults := table.missing("data.splits.column", splits.column) or _empty(table, splits.column):
        return _cut(np.arange(n), sizes), faults
    cells = table.cells[table.columns.index(splits.column)]
    if splits.kind == "group":
        return _grouped(cells, sizes, settings.split_seed), []
    values, faults = in_order(table, splits.column)
    return _cut(np.argsort(values, kind="stable"), sizes), faults


def spread(order: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """An order (n,) in which the rows of each of K strata, `strata` (n,) in that order, are at even distances.

    The j-th of m rows of a stratum goes to (j + 1/2) / m, equal ones stay in their order. Among the first i of all n
    rows, each stratum has its share m i / n, up to 1/2 + m K / 2 n.
    """
    _, stratum, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    place = np.empty(len(order))
    place[np.argsort(stratum, kind="stable")] = np.concatenate([(np.arange(m) + 0.5) / m for m in sizes])
    even: np.ndarray = order[np.argsort(place, kind="stable")]
    return even


def in_folds(pool: np.ndarray, settings: DataConfig, strata: np.ndarray | None = None) -> list[dict[str, np.ndarray]]:
    """The rows of `pool` (n,) that each fold is trained and validated on, in the order of the pool; none unless kfold.

    Where all rows of the table are in `strata` (n_rows,), each of these is spread over the folds in proportion.
    """
    splits = settings.splits or RANDOM
    if splits.folds is None:
        return []
    own = None if strata is None else strata[pool]
    parts = held_out(len(pool), splits.folds, splits.repeats or 1, settings.split_seed, own)
    return [{"train": np.delete(pool, part), "validation": pool[part]} for part in parts]


def held_out(n: int, folds: int, repeats: int, seed: int, strata: np.ndarray | None = None) -> list[np.ndarray]:
    """The places among n rows that each fold holds out, in increasing order: `folds` parts of each of `repeats` orders.

    Sizes are those of scikit-learn's KFold: the first n mod `folds` have one row more. `strata` (n,) as in `split`.
    """
    orders = [stream(seed, "folds", repeat).permutation(n) for repeat in range(repeats)]
    if strata is not None:
        orders = [spread(order, strata[order]) for order in orders]
    return [np.sort(part) for order in orders for part in np.array_split(order, folds)]


def _sizes(n: int, fractions: Fractions) -> dict[str, int]:
    """Rows of each part of n, in the order in which time goes: running sums are rounded, so that no row is lost."""
    given = fractions.shares
    if fractions.is_of_folds:
        given["train"] = 1 - given["test"]
    shares = {name: given[name] for name in PARTS if name in given}
    ends = [round(n * share) for share in accumulate(shares.values())]
    ends[-1] = n
    return {name: end - start for name, start, end in zip(shares, [0, *ends], ends, strict=False)}


def _cut(order: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    """The parts of an order of rows, so many rows in each."""
    return [np.sort(part) for part in np.split(order, np.cumsum(sizes)[:-1])]


def _grouped(cells: Sequence[object], sizes: Sequence[int], seed: int) -> list[np.ndarray]:
    """Parts of whole groups: shuffled and laid end to end, each goes to the part that its middle row falls into."""
    names, group, counts = np.unique([str(cell).strip() for cell in cells], return_inverse=True, return_counts=True)
    order = stream(seed, "split", 0).permutation(len(names))
    middles = np.empty(len(names))
    middles[order] = np.cumsum(counts[order]) - counts[order] / 2
    part = np.searchsorted(np.cumsum(sizes)[:-1], middles, side="right")[group]
    return [np.flatnonzero(part == i) for i in range(len(sizes))]


def in_order(table: UserTable, column: str) -> tuple[np.ndarray, list[Fault]]:
    """The values of a column that can be ordered (n,): numbers, or dates as ISO 8601 has them."""
    cells = table.cells_of(column)
    numbers, faults = table.numbers([column])
    if not faults:
        return numbers[:, 0], []
    seconds = np.array([_seconds(cell) for cell in cells])
    if np.isnan(seconds).any():
        first = int(np.flatnonzero(np.isnan(seconds))[0])
        place, found = f"column '{column}', row {table.rows[first]}", shown(cells[first])
        allowed = "numbers, or dates such as 2026-11-28 or 2026-11-28 14:30, to order the rows by (data.splits.column)"
        return np.arange(len(cells)), [Fault(place, found, allowed, table.name)]
    return seconds, []


def _seconds(cell: object) -> float:
    """A moment as seconds since 1970 (UTC where it names no zone); NaN where the cell holds none."""
    try:
        moment = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell).strip())
    except ValueError:
        return float("nan")
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return zoned.timestamp()


def _empty(table: UserTable, column: str) -> list[Fault]:
    """A fault for a column with cells that say nothing about their row."""
    cells = table.cells[table.columns.index(column)]
    bad = [row for row, cell in zip(table.rows, cells, strict=True) if cell is None or not str(cell).strip()]
    if not bad:
        return []
    found = "an empty cell" + (f" (and {len(bad) - 1} more)" if len(bad) > 1 else "")
    allowed = "a value in each row of the column of data.splits; fill the cells or remove the rows"
    return [Fault(f"column '{column}', row {bad[0]}", found, allowed, table.name)]
