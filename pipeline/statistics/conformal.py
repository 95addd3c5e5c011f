"""Prediction intervals by split conformal prediction: how far off networks are on rows that had no say in them.

The half width is the ceil((n + 1) level)-th smallest |y - y_hat| of n rows for calibration (Lei, G'Sell, Rinaldo,
Tibshirani and Wasserman, Journal of the American Statistical Association 113, 2018; Vovk, Gammerman and Shafer,
Algorithmic Learning in a Random World, 2005). Where these rows and a new one are exchangeable, the interval holds the
new value with a probability of at least the level, whatever the networks, and without ties of at most 1 / (n + 1) more.
That is over rows for calibration and new ones together, and for each target by itself.
"""

from __future__ import annotations

import numpy as np

from shoal.pipeline.data import Split
from shoal.pipeline.data.calibration import rank, rows_needed, too_few
from shoal.pipeline.predictor import Predictor
from shoal.pipeline.statistics.errors import LARGEST

__all__ = ["calibrated", "coverage", "half_widths", "rank", "rows_needed", "too_few"]


def half_widths(residuals: np.ndarray, level: float) -> np.ndarray:
    """Half the width of each target's interval (n_outputs,), NaN of too few rows; residuals y - y_hat (n, n_outputs).

    One beyond float64 counts as LARGEST.
    """
    n, n_outputs = residuals.shape
    if rank(n, level) > n:
        return np.full(n_outputs, np.nan)
    widths: np.ndarray = np.sort(np.fmin(np.abs(residuals), LARGEST), axis=0)[rank(n, level) - 1]
    return widths


def calibrated(predictor: Predictor, rows: Split, level: float) -> Predictor:
    """The predictor with intervals of this level, from rows that neither training nor choice has seen."""
    return predictor.with_half_widths(half_widths(rows.y - predictor.predict(rows.x), level).tolist())


def coverage(predictor: Predictor, rows: Split) -> list[float | None]:
    """The share of the rows whose value lies within the interval, target by target; None where one is not known."""
    if predictor.half_widths is None or np.isnan(predictor.half_widths).any() or np.isnan(rows.y).all():
        return [None] * rows.y.shape[1]
    inside = np.abs(rows.y - predictor.predict(rows.x)) <= predictor.half_widths
    return [float(share) for share in inside.mean(axis=0)]
