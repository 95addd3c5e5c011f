"""Two predictors compared over the rows that both predict: which has the smaller error, row by row.

If neither is better, the difference of their errors in a row is as likely d as -d; rows are taken for independent.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from shoal.pipeline.statistics.signed_ranks import p_value, signed_ranks

MOST_EXACT = 100
"""Rows up to which every way to choose signs is counted; beyond, the normal law agrees to the second digit of p."""


class RowsComparison(NamedTuple):
    """Rows in which a and b have the smaller error, p of the signed-rank test, and whether ranks are on a's side."""

    n_rows: int
    a_smaller: int
    b_smaller: int
    p: float
    favours_a: bool


def compare_rows(a: np.ndarray, b: np.ndarray) -> RowsComparison:
    """Compare the errors a, b (n,) of two predictors of the same rows; all have to be finite."""
    d = a - b
    p = p_value(d) if len(d) <= MOST_EXACT else p_of_many(d)
    return RowsComparison(len(d), int((d < 0).sum()), int((d > 0).sum()), p, bool(signed_ranks(d).sum() < 0))


def p_of_many(d: np.ndarray) -> float:
    """Two-sided p of the signed-rank test by the normal law: T = sum of the signed ranks r has variance sum r^2.

    That is its variance over all choices of signs, whatever ties and zeros there are.
    """
    ranks = signed_ranks(d)
    deviation = float(np.sqrt((ranks**2).sum()))
    return 1.0 if deviation == 0 else float(2 * ndtr(-abs(ranks.sum()) / deviation))
