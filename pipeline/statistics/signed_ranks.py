"""Paired comparison of two cells by signed ranks, tested by the ways to flip the signs of the differences.

Replicate r of both cells starts from the same random stream and sees the same data, so d_r = log10 e_a - log10 e_b
compares like with like. If neither cell is better, d_r is as likely as -d_r. Signs are flipped on ranks, not on the
differences, as these are infinite where one of two networks diverged.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr

from shoal.pipeline.statistics.averages import median_of_averages

EXACT = 300
"""Differences up to which the test counts every choice of signs, in about n^3 steps."""


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
    ranks: np.ndarray = np.sign(d) * pd.Series(np.abs(d)).rank().to_numpy()
    return ranks


def p_value(d: np.ndarray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test: the share of the 2^n ways to choose signs with |T| as large.

    T = sum of the signed ranks (Wilcoxon, Biometrics Bulletin 1, 1945). Exact for up to EXACT differences, an
    approximation for more.
    """
    ranks = signed_ranks(d)
    if len(d) > EXACT:
        return _approximate_p(ranks)
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


def _approximate_p(ranks: np.ndarray) -> float:
    """The share of the ways to choose signs of ranks (n,) with |T| as large, relative error below 1e-3 from EXACT on.

    P(T >= t) by the saddlepoint s with K'(s) = t - step / 2, K(s) = sum log cosh(s r): Lugannani and Rice (Advances in
    Applied Probability 12, 1980), corrected for a T that moves in steps as in Daniels (International Statistical Review
    55, 1987). A step is twice the largest number that divides all ranks.
    """
    sizes, total = np.abs(ranks[ranks != 0]), abs(float(ranks.sum()))
    step = float(np.gcd.reduce(np.rint(2 * sizes).astype(int))) if len(sizes) else 1.0
    t = total - step / 2
    if t <= 0:
        return 1.0
    from scipy.optimize import brentq  # takes 0.2 s, which only tests over so many pairs need

    s = float(brentq(lambda s: (sizes * np.tanh(s * sizes)).sum() - t, 0.0, _beyond(sizes, t), xtol=1e-300, rtol=1e-14))
    logs = np.logaddexp(s * sizes, -s * sizes) - np.log(2)
    w = np.sqrt(2 * (s * t - logs.sum()))
    u = 2 / step * np.sinh(s * step / 2) * np.sqrt((sizes**2 * (1 - np.tanh(s * sizes) ** 2)).sum())
    one_sided = ndtr(-w) + np.exp(-(w**2) / 2) / np.sqrt(2 * np.pi) * (1 / u - 1 / w)
    return min(2 * float(one_sided), 1.0)


def _beyond(sizes: np.ndarray, t: float) -> float:
    """A number with K' beyond t, which is below the largest sum there is."""
    s = 1 / float(sizes.max())
    while (sizes * np.tanh(s * sizes)).sum() <= t:
        s *= 2
    return s


def smallest_p(n: int) -> float:
    """The least p that n pairs can give: all differences of one sign, that is 2 of 2^n ways."""
    return min(2.0 ** (1 - n), 1.0)


def shift(d: np.ndarray) -> float:
    """The estimate that belongs to the test: the median of (d_i + d_j) / 2 over all i <= j.

    Hodges and Lehmann, Annals of Mathematical Statistics 34, 1963. Opposite infinities cancel, as their ranks do.
    """
    return median_of_averages(d)


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
