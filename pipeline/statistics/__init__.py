"""Rank summaries of values among which a diverged network counts as +infinity; it is never dropped."""

from __future__ import annotations

import numpy as np

RANKS = {"median": 0.5, "q1": 0.25, "q3": 0.75, "min": 0.0, "max": 1.0}


def quantile(values: np.ndarray, q: float) -> float:
    """The q-quantile of values (n,), which may hold infinities; NaN is not allowed.

    Between neighbours in rank it is interpolated linearly (type 7 of Hyndman and Fan, The American Statistician 50,
    1996); it is infinite as soon as an infinite neighbour has any weight, +infinity (diverged) before -infinity (the
    logarithm of no error at all).
    """
    lower, higher = (float(np.quantile(values, q, method=method)) for method in ("lower", "higher"))
    if lower == higher or np.isinf(higher):
        return higher
    return lower if np.isinf(lower) else float(np.quantile(values, q))


def summary(values: np.ndarray) -> dict[str, float]:
    """Median, quartiles and range of values (n,); NaN where one is unknown."""
    [ranks] = summaries(values[:, np.newaxis])
    return ranks


def summaries(values: np.ndarray) -> list[dict[str, float]]:
    """The same of each column of values (n, m)."""
    found = quantiles(values, list(RANKS.values()))
    found[:, np.isnan(values).any(axis=0)] = np.nan
    return [dict(zip(RANKS, column, strict=True)) for column in found.T.tolist()]


def quantiles(values: np.ndarray, q: float | list[float]) -> np.ndarray:
    """The quantile of each column of values (n, m), by the rule of `quantile` for all columns at once, (m,); of several
    q, a row each."""
    with np.errstate(invalid="ignore"):
        between = np.quantile(values, q, axis=0)
    lower, higher = (np.quantile(values, q, axis=0, method=method) for method in ("lower", "higher"))
    found: np.ndarray = np.select([(lower == higher) | np.isinf(higher), np.isinf(lower)], [higher, lower], between)
    return found
