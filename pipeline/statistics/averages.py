"""The median of all averages of two values, found without making all of them: there are n (n + 1) / 2."""

from __future__ import annotations

import numpy as np

from shoal.pipeline.statistics import quantile

MANY = 200_000
"""Averages that are made at once; more than these are narrowed down first."""


def median_of_averages(values: np.ndarray) -> float:
    """The median of (v_i + v_j) / 2 over all i <= j of values (n,); opposite infinities have the average 0."""
    halves = np.sort(values) / 2
    n = len(halves) * (len(halves) + 1) // 2
    middle = [_smallest(halves, rank) for rank in ((n - 1) // 2, n // 2)]
    return quantile(np.array(middle), 0.5)


def _smallest(halves: np.ndarray, rank: int) -> float:
    """The sum of this rank, from 0, among those of all pairs i <= j of ranked halves (n,).

    A row i of sums rises with j, so what is left of it lies between two columns. They close in on the wanted one around
    the weighted median of the middles of rows, which leaves three quarters at most (Johnson and Mizoguchi, SIAM Journal
    on Computing 7, 1978).
    """
    rows = np.arange(len(halves))
    low, high = rows.copy(), np.full(len(halves), len(halves))
    while (high - low).sum() > MANY:
        left = high > low
        middles = _sums(halves, rows[left], (low + high)[left] // 2)
        pivot = _weighted_median(middles, (high - low)[left])
        below, up_to = (_first(halves, low, high, pivot, side) for side in ("left", "right"))
        n_below, n_up_to = (below - low).sum(), (up_to - low).sum()
        if rank < n_below:
            high = below
        elif rank < n_up_to:
            return pivot
        else:
            rank, low = rank - int(n_up_to), up_to
    sizes = high - low
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    sums = _sums(halves, np.repeat(rows, sizes), np.arange(sizes.sum()) - first + np.repeat(low, sizes))
    return float(np.partition(sums, rank)[rank])


def _sums(halves: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        sums = halves[i] + halves[j]
    return np.where(np.isnan(sums), 0.0, sums)


def _first(halves: np.ndarray, low: np.ndarray, high: np.ndarray, pivot: float, side: str) -> np.ndarray:
    """The first column of each row in [low, high) whose sum is `pivot` or more (right: more); high if none is."""
    rows = np.arange(len(halves))
    low, high = low.copy(), high.copy()
    while (open_ := low < high).any():
        middle = (low + high) // 2
        sums = _sums(halves, rows[open_], middle[open_])
        is_before = np.zeros(len(rows), bool)
        is_before[open_] = sums < pivot if side == "left" else sums <= pivot
        low = np.where(is_before, middle + 1, low)
        high = np.where(open_ & ~is_before, middle, high)
    return low


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
