"""What errors over several splits of the same rows say: their training sets overlap, so they are no independent draws.

Each split is judged on the rows that it holds out, as the law below is about those: on test rows that all have in
common, what differs from split to split is the training set alone, and its spread tells too little.

For J splits with a share of n_2 / n_1 rows held out over rows trained on, the variance of the mean is taken as
(1 / J + n_2 / n_1) s^2, s^2 that of the J values, and Student's law has J - 1 degrees of freedom (Nadeau and Bengio,
Machine Learning 52, 2003). Without the second term an interval would shrink to nothing with ever more splits of the
same rows.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from shoal.pipeline.statistics.intervals import LEVEL, SCOPE, interquartile_mean
from shoal.pipeline.statistics.splits import SeveralSplits


class Resampling(SeveralSplits):
    """What is said over them."""

    def means(self, values: np.ndarray) -> np.ndarray:
        """The interquartile mean of each split (n,) of values of replicates, in their order."""
        return np.array([interquartile_mean(values[split :: self.n]) for split in range(self.n)])

    def mean(self, values: np.ndarray) -> float:
        """The mean of these."""
        return float(self.means(values).mean())

    def interval(self, values: np.ndarray) -> tuple[float, float]:
        """The LEVEL interval of it, over other splits and other starts."""
        return interval(self.means(values), self.held_out)

    @property
    def scope(self) -> str:
        """What an interval is over."""
        return (
            f"The interval is over {self.n} splits of the rows that are not tested on, each with random starts of its "
            "own, and wider for the training rows that they have in common (Nadeau and Bengio, 2003); errors are those "
            "of the rows that a split holds out, which stop networks where any are stopped."
        )


def scope(table: pd.DataFrame) -> str:
    """What the intervals of a table of networks or cells are over."""
    splits = Resampling.of(table)
    return splits.scope if splits else SCOPE


def interval(values: np.ndarray, held_out: float) -> tuple[float, float]:
    """The LEVEL interval of the mean of values (J,), one a split, J >= 2; `held_out` is n_2 / n_1.

    Both ends are the mean where that is infinite.
    """
    mean = float(values.mean())
    if not np.isfinite(mean):
        return mean, mean
    half = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2)) * _deviation(values, held_out)
    return mean - half, mean + half


def p_value(differences: np.ndarray, held_out: float) -> float:
    """Two-sided p that the mean of paired differences (J,), one a split, J >= 2, is as far from 0.

    1 where a difference is infinite: the law says nothing of it; and where all are 0.
    """
    if not np.isfinite(differences).all() or not differences.any():
        return 1.0
    deviation, mean = _deviation(differences, held_out), float(differences.mean())
    return 0.0 if deviation == 0 else float(2 * stdtr(len(differences) - 1, -abs(mean) / deviation))


def _deviation(values: np.ndarray, held_out: float) -> float:
    return float(np.sqrt((1 / len(values) + held_out) * values.var(ddof=1)))
