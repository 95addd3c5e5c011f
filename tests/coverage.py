"""How often the interval of the interquartile mean holds the true one: `make coverage-check`; a short run is a test.

A law is its quantile function. Values are drawn by it from uniform numbers, and the truth is its mean over the middle
half, 2 * the integral of q(u) for u from 1/4 to 3/4.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from scipy.special import ndtr, ndtri

from shoal.pipeline.statistics.intervals import interval

Law = Callable[[np.ndarray], np.ndarray]
SEED = 9001
LOWEST, HIGHEST = 0.90, 0.98


def mixture(share: float) -> Law:
    """Two clusters of log10 errors, as networks form that do and do not find a good minimum; `share` in the lower."""
    x = np.linspace(-6.0, 2.0, 100_001)
    law = share * ndtr((x + 3.0) / 0.2) + (1 - share) * ndtr((x + 1.0) / 0.3)
    return lambda u: np.interp(u, law, x)


def diverging(share: float) -> Law:
    """A normal law of which a share has diverged."""
    return lambda u: np.where(u < 1 - share, ndtri(np.minimum(u / (1 - share), 1.0)), np.inf)


LAWS: dict[str, Law] = {
    "normal": ndtri,
    "skewed: lognormal": lambda u: np.exp(ndtri(u)),
    "skewed: exponential": lambda u: -np.log1p(-u),
    "bimodal: 50 % and 50 %": mixture(0.5),
    "bimodal: 70 % and 30 %": mixture(0.7),
    "bimodal: 85 % and 15 %": mixture(0.85),
    "normal, 10 % diverged": diverging(0.1),
    "normal, 20 % diverged": diverging(0.2),
    "normal, 40 % diverged": diverging(0.4),
}


def truth(law: Law) -> float:
    """The interquartile mean of a law."""
    m = 200_000
    return float(law(0.25 + (np.arange(m) + 0.5) / (2 * m)).mean())


def in_range(share: float, law: Law) -> bool:
    """Whether a coverage is as it should be; an infinite truth is held by an interval that has no upper end at all."""
    return LOWEST <= share <= (HIGHEST if np.isfinite(truth(law)) else 1.0)


def coverage(law: Law, n: int, trials: int) -> float:
    """The share of `trials` intervals from n values each that hold the truth."""
    generator, target = np.random.default_rng([SEED, n]), truth(law)
    ends = (interval(law(generator.random(n)), SEED) for _ in range(trials))
    return sum(end is not None and end[0] <= target <= end[1] for end in ends) / trials


def main(trials: int) -> None:
    """Print the coverage of every law; exit status 1 where one is outside of its range."""
    bad = False
    for name, law in LAWS.items():
        found = [coverage(law, n, trials) for n in (10, 20)]
        bad |= not all(in_range(share, law) for share in found)
        print(f"{name:24s} n = 10: {found[0]:6.1%}   n = 20: {found[1]:6.1%}", flush=True)
    sys.exit(bad)


if __name__ == "__main__":
    main(10_000)
