"""What probabilities hold: how often what is said to be so probable is so, and what they tell apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

N_BINS = 10
Z = float(ndtri(0.975))


@dataclass(frozen=True)
class Bin:
    """The rows whose probability is from `start` on, below `end`: how many, their mean probability, and the share of
    them where it is so, with its 95 % interval."""

    start: float
    end: float
    n: int
    mean: float
    share: float
    low: float
    high: float


def bins(probabilities: np.ndarray, is_so: np.ndarray) -> list[Bin]:
    """The bins, of N_BINS of equal width, that have rows; of probabilities (n,) and whether it is so, bool (n,).

    A probability of 1 is in the last one.
    """
    places = np.minimum((probabilities * N_BINS).astype(np.int64), N_BINS - 1)
    found = []
    for k in np.unique(places).tolist():
        inside = places == k
        n, share = int(inside.sum()), float(is_so[inside].mean())
        mean = float(probabilities[inside].mean())
        found.append(Bin(k / N_BINS, (k + 1) / N_BINS, n, mean, share, *wilson(share, n)))
    return found


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share p of n: (p + z²/2n ± z √(p (1 - p) / n + z²/4n²)) / (1 + z²/n).

    Wilson, Journal of the American Statistical Association 22, 1927: it has a width where p is 0 or 1, too.
    """
    middle, half = share + Z**2 / (2 * n), Z * np.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2)
    low, high = (middle - half) / (1 + Z**2 / n), (middle + half) / (1 + Z**2 / n)
    return float(max(low, 0.0)), float(min(high, 1.0))


def roc(probabilities: np.ndarray, is_so: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shares of rows where it is not so, and where it is so, whose probability is at least a threshold.

    From no rows to all, a point for each probability that occurs; both kinds of rows occur.
    """
    order = np.argsort(-probabilities, kind="stable")
    last = np.append(np.flatnonzero(np.diff(probabilities[order])), len(order) - 1)
    found = np.append(0, np.cumsum(is_so[order])[last])
    others = np.append(0, last + 1) - found
    return others / others[-1], found / found[-1]
