"""Paired comparison of two cells by signed ranks, tested by every way to flip the signs of the differences.

Replicate r of both cells starts from the same random stream and sees the same data, so d_r = log10 e_a - log10 e_b
compares like with like. If neither cell is better, d_r is as likely as -d_r. Signs are flipped on ranks, not on the
differences, as these are infinite where one of two networks diverged.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from shoal.pipeline.statistics import quantile


class Comparison(NamedTuple):
    """Cells a and b over their paired replicates: how often each has the smaller error, and the test of the two.

    `log10_ratio` is the typical log10 of e_a / e_b, `favours_a` whether ranks are on the side of a.
    """

    n_pairs: int
    a_smaller: int
    b_smaller: int
    log10_ratio: float
    p: float
    favours_a: bool


def compare(a: np.ndarray, b: np.ndarray) -> Comparison:
    """Compare paired log10 errors a, b (n,), +infinity where a network diverged."""
    d = differences(a, b)
    favours_a = bool(signed_ranks(d).sum() < 0)
    return Comparison(len(d), int((d < 0).sum()), int((d > 0).sum()), shift(d), p_value(d), favours_a)


def differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a - b for paired values (n,), 0 where both are infinite and of one sign (both diverged: no difference)."""
    with np.errstate(invalid="ignore"):
        d = a - b
    return np.where(a == b, 0.0, d)


def signed_ranks(d: np.ndarray) -> np.ndarray:
    """sign(d) times the rank of |d| among all n; equal ones share their ranks, and 0 takes a rank but has no sign.

    Infinite differences have the highest rank. The treatment of 0 is Pratt's (Journal of the American Statistical
    Association 54, 1959).
    """
    ranks: np.ndarray = np.sign(d) * rankdata(np.abs(d))
    return ranks


def p_value(d: np.ndarray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test: the share of the 2^n ways to choose signs with |T| as large, exactly.

    T = sum of the signed ranks (Wilcoxon, Biometrics Bulletin 1, 1945).
    """
    ranks = signed_ranks(d)
    doubled = np.rint(2 * np.abs(ranks[ranks != 0])).astype(int)
    law, centre = _law(tuple(sorted(doubled.tolist()))), doubled.sum()
    positive = np.rint(2 * ranks[ranks > 0].sum())
    as_far = np.abs(2 * np.arange(len(law)) - centre) >= abs(2 * positive - centre)
    return min(float(law[as_far].sum()), 1.0)


@lru_cache(maxsize=64)
def _law(doubled: tuple[int, ...]) -> np.ndarray:
    """The probability of each sum of those of the doubled ranks that come out positive, every sign +1 or -1 with 1/2.

    Rank by rank: law(s) <- (law(s) + law(s - rank)) / 2. It counts all 2^n choices in about n^3 steps.
    """
    law = np.zeros(sum(doubled) + 1)
    law[0] = 1.0
    for rank in doubled:
        law[rank:] = (law[rank:] + law[:-rank]) / 2
        law[:rank] /= 2
    return law


def smallest_p(n: int) -> float:
    """The least p that n pairs can give: all differences of one sign, that is 2 of 2^n ways."""
    return min(2.0 ** (1 - n), 1.0)


def shift(d: np.ndarray) -> float:
    """The estimate that belongs to the test: the median of (d_i + d_j) / 2 over all i <= j.

    Hodges and Lehmann, Annals of Mathematical Statistics 34, 1963. Opposite infinities cancel, as their ranks do.
    """
    i, j = np.triu_indices(len(d))
    with np.errstate(invalid="ignore"):
        sums = d[i] / 2 + d[j] / 2
    return quantile(np.where(np.isnan(sums), 0.0, sums), 0.5)


def holm(p: Sequence[float]) -> np.ndarray:
    """Holm's adjusted p (Scandinavian Journal of Statistics 6, 1979), in the order given; tests may be dependent.

    The k-th smallest of m (from 0) becomes the largest of (m - i) p_i over i <= k, at most 1.
    """
    values = np.asarray(p, float)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate((len(values) - np.arange(len(values))) * values[order])
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
