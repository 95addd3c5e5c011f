"""The interquartile mean of a cell's replicates, and the 95 % bootstrap interval of it.

The interquartile mean (IQM) is the mean of the middle half: it needs no law, uses more of the values than the median
does, and stays finite until more than a quarter of the networks have diverged. An interval says where the IQM of ever
more replicates would lie; the data and the split of it are the same for all of them.

The interval is BCa (Efron, Journal of the American Statistical Association 82, 1987), with one change. BCa takes the
ends from the bootstrap distribution at the levels Phi(z0 + (z0 + z) / (1 - a (z0 + z))), z = +-1.96, as if the spread
of the estimate were known. Ten values do not tell it well, and the plain interval covers 90.5 to 94 % instead of 95 %.
So z is Student's quantile with n - 1 degrees of freedom (`make coverage-check` has what it covers). This is half of the
expansion that Hesterberg gives for means (The American Statistician 69, 2015); the other half, a factor
sqrt(n / (n - 1)), is for a bootstrap too narrow by that factor. That of the IQM is not: with it, up to 97.5 % covered.

More than GROUPS values are ranked and cut into GROUPS groups, and each counts as the mean of its group. A resample then
is how often each group is drawn; what is lost is the spread within a thousandth of the values.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from shoal.kernels.entropy import stream
from shoal.pipeline.statistics import quantile

LEVEL = 0.95
FEWEST = 10
"""Replicates from which on there are intervals and claims."""
RESAMPLES = 10_000
GROUPS = 1000
"""Groups of neighbours in rank that more values than so many are taken in."""
FEWEST_ROWS = 30
"""Test rows below which errors are told with a warning: so few may be unlike others, whatever the intervals say."""
SCOPE = (
    "The interval is over random starts on this one split of the data; it does not say how the error varies with other "
    "rows."
)


def few_rows(n_test: int) -> str:
    """A warning where errors, and what beats what, rest on few test rows; else empty."""
    if n_test >= FEWEST_ROWS:
        return ""
    rows = "1 test row" if n_test == 1 else f"{n_test} test rows"
    return f"Errors and claims rest on {rows} only (fewer than {FEWEST_ROWS}): on other rows they may well differ."


def interquartile_mean(values: np.ndarray) -> float:
    """The mean of the middle half of values (n,), which may hold infinities but no NaN.

    A value on the edge of a quarter counts with the part of it that is inside, so that sum of weights is n / 2 for
    every n. The mean is infinite as soon as an infinite value has any weight, +infinity (diverged) before -infinity.
    """
    return float(_means(np.sort(values)[None])[0])


def interval(values: np.ndarray, seed: int) -> tuple[float, float] | None:
    """The LEVEL interval of the IQM of values (n,), n >= FEWEST, as of the root seed; None for fewer values.

    The IQMs of resamples are ranked with diverged networks as +infinity. So the upper end is infinite where as many as
    diverged could well be more than a quarter of all networks, and both ends are where that is hardly in doubt. Bias
    z0 and acceleration a are differences of IQMs; where one of these is infinite, both are taken as 0, which is
    the percentile interval.
    """
    n = len(values)
    if n < FEWEST:
        return None
    ranked = np.sort(values)
    estimate = interquartile_mean(ranked)
    resampled, left_out = _of_values(ranked, seed) if n <= GROUPS else _of_groups(ranked, seed)
    resampled = np.sort(resampled)
    finite = np.isfinite(estimate) and np.isfinite(left_out).all()
    z0, a = (_bias(resampled, estimate), _acceleration(left_out)) if finite else (0.0, 0.0)
    z = stdtrit(n - 1, (1 + LEVEL) / 2) * np.array([-1.0, 1.0])
    low, high = ndtr(z0 + (z0 + z) / (1 - a * (z0 + z)))
    return quantile(resampled, low), quantile(resampled, high)


def _of_values(ranked: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The IQM of each resample (RESAMPLES,), and without each of the ranked values (n,)."""
    n = len(ranked)
    inside, weights = _middle(n)
    others = np.arange(n - 1) + (np.arange(n - 1) >= np.arange(n)[:, np.newaxis])
    return _weighted(ranked[_resamples(seed, n)[:, inside]], weights), _means(ranked[others])


def _of_groups(ranked: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same of groups of neighbours; (GROUPS,) are the IQMs without each group."""
    sizes, starts = _groups(len(ranked))
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        means = np.add.reduceat(ranked, starts) / sizes
    means = np.where(np.isnan(means), np.inf, means)
    return _means_of_groups(_drawn(seed, len(ranked)), means), _means_of_groups(_left_out(len(ranked)), means)


def _groups(n: int) -> tuple[np.ndarray, np.ndarray]:
    """How many of n ranked values each group has, and where each begins, (GROUPS,)."""
    edges = np.arange(GROUPS + 1) * n // GROUPS
    return np.diff(edges), edges[:-1]


@lru_cache(maxsize=4)
def _resamples(seed: int, n: int) -> np.ndarray:
    """Ranks (RESAMPLES, n) drawn with replacement, each row sorted: the same for every cell of n replicates.

    So equal replicates have equal intervals, whichever sweep they are in and whatever else it holds.
    """
    ranks: np.ndarray = np.sort(stream(seed, "bootstrap", n).integers(0, n, (RESAMPLES, n)), axis=1)
    return ranks


@lru_cache(maxsize=1)
def _drawn(seed: int, n: int) -> np.ndarray:
    """The weight of each group in the IQM of n draws of one of n values, (RESAMPLES, GROUPS); as `_resamples`."""
    sizes, _ = _groups(n)
    draws, weights = stream(seed, "bootstrap", n), np.empty((RESAMPLES, GROUPS))
    for at in range(0, RESAMPLES, GROUPS):
        weights[at : at + GROUPS] = _weights(draws.multinomial(n, sizes / n, min(GROUPS, RESAMPLES - at)))
    return weights


def _means(ranked: np.ndarray) -> np.ndarray:
    """The IQM of each row of ranked (m, n)."""
    inside, weights = _middle(ranked.shape[1])
    return _weighted(ranked[:, inside], weights)


def _middle(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of n ranks are in the middle half, (n,), and their weights."""
    edges = np.clip(np.arange(n + 1), n / 4, 3 * n / 4)
    weights = np.diff(edges) / (n / 2)
    return weights > 0, weights[weights > 0]


def _weighted(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        means = (values * weights).sum(axis=1)
    return np.where(np.isnan(means), np.inf, means)


@lru_cache(maxsize=1)
def _left_out(n: int) -> np.ndarray:
    """The weight of each group in the IQM without one of them, (GROUPS, GROUPS)."""
    sizes, _ = _groups(n)
    return _weights(sizes - np.diag(sizes))


def _weights(counts: np.ndarray) -> np.ndarray:
    """The weight of each ranked value in the IQM of each row of counts (m, n), how often it has each."""
    n = counts.sum(axis=1, keepdims=True)
    edges = np.cumsum(np.hstack([np.zeros_like(n), counts]), axis=1)
    weights: np.ndarray = np.diff(np.clip(edges, n / 4, 3 * n / 4), axis=1) / (n / 2)
    return weights


def _means_of_groups(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The IQM by each row of weights (m, n) of the ranked values (n,)."""
    finite = np.isfinite(values)
    means: np.ndarray = np.einsum("ij,j->i", weights, np.where(finite, values, 0.0))
    for value in (-np.inf, np.inf):  # the last has the last word
        means[(weights[:, values == value] > 0).any(axis=1)] = value
    return means


def _bias(resampled: np.ndarray, estimate: float) -> float:
    """z0 = Phi^-1(share of the sorted resampled IQMs below the estimate, half of the equal ones counted)."""
    below, up_to = (np.searchsorted(resampled, estimate, side) for side in ("left", "right"))
    return float(ndtri((below + up_to) / 2 / len(resampled)))


def _acceleration(left_out: np.ndarray) -> float:
    """a = sum d^3 / (6 (sum d^2)^1.5), d = mean minus each IQM with one value left out; 0 where all are equal."""
    d = left_out.mean() - left_out
    scale = np.abs(d).max()
    if scale == 0:
        return 0.0
    d = d / scale  # so that no power of a small d vanishes
    return float((d**3).sum() / (6 * (d**2).sum() ** 1.5))
