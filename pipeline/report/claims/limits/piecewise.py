"""How well piecewise-linear functions can follow sin: the least error of one hidden layer of relu.

Such a network with W units is continuous and piecewise linear with at most W + 1 pieces. The best function of that kind
on x uniform on [-pi, pi], by the mean squared error, is found here numerically: least squares for the values at the
knots, and a descent over where the knots are. A network need not be able to reach it: with W units its outermost slope
is not free.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.linalg import solveh_banded
from threadpoolctl import threadpool_limits


@lru_cache
def least_error(n_knots: int) -> float:
    """The least error of n_knots + 1 linear pieces: the best of descents with more or fewer knots at x > 0.

    On one thread: those of SciPy's libraries wait for each other over matrices of so few numbers for most of the time.
    """
    right = (n_knots // 2, n_knots // 2 + 1) if n_knots > 1 else (n_knots,)
    with threadpool_limits(1):
        return min(_descend(_start(n_knots - k, k)) for k in right)


def _start(n_left: int, n_right: int) -> np.ndarray:
    """Logarithms of the gaps between knots as dense as curvature asks for, |sin x|^(2/5), on either side of 0."""
    x = np.linspace(0.0, np.pi, 1001)
    share = np.cumsum(np.sin(x) ** 0.4)
    left, right = (np.interp((np.arange(n) + 0.75) / (n + 0.25), share / share[-1], x) for n in (n_left, n_right))
    return np.log(np.diff([-np.pi, *-left[::-1], *right, np.pi]))


def _descend(start: np.ndarray) -> float:
    from scipy.optimize import minimize  # takes 0.2 s, which only sin needs

    found = minimize(_log_error, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-12})
    return float(np.exp(found.fun))


def _log_error(log_gaps: np.ndarray) -> tuple[float, np.ndarray]:
    """log error for gaps in proportion to exp(log_gaps), and its gradient; the proportions always fill [-pi, pi]."""
    share = np.exp(log_gaps - log_gaps.max())
    share /= share.sum()
    error, by_knot = fit(-np.pi + 2 * np.pi * np.cumsum(share)[:-1])
    by_gap = 2 * np.pi * np.append(np.cumsum(by_knot[::-1])[::-1], 0.0)
    return float(np.log(error)), share * (by_gap - by_gap @ share) / error


def fit(knots: np.ndarray) -> tuple[float, np.ndarray]:
    """The error of the best continuous function that is linear between ascending knots, and its gradient in the knots.

    The values v at the knots and at both ends solve M v = m: M has the integrals of products of hat functions, m those
    of hat functions with sin.
    """
    t = np.concatenate([[-np.pi], knots, [np.pi]])
    gaps, slopes = np.diff(t), np.diff(np.sin(t)) / np.diff(t)
    # the integrals of sin with either half of the hats: those that fall over a gap, and those that rise
    falling, rising = np.cos(t[:-1]) - slopes, slopes - np.cos(t[1:])
    moments = np.append(falling, 0.0) + np.append(0.0, rising)
    diagonal = (np.append(gaps, 0.0) + np.append(0.0, gaps)) / 3
    v = solveh_banded(np.array([np.append(0.0, gaps / 6), diagonal]), moments)
    residual_left = falling - gaps * (v[:-1] / 3 + v[1:] / 6)
    residual_right = rising - gaps * (v[:-1] / 6 + v[1:] / 3)
    rise = np.diff(v) / gaps
    gradient = 2 * (rise[:-1] * residual_right[:-1] + rise[1:] * residual_left[1:])
    return (np.pi - v @ moments) / (2 * np.pi), gradient / (2 * np.pi)
