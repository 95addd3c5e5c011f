"""Regression: targets are real numbers, networks are trained on half the squared error or on another of the COSTS.

With one target the mse is reported and decides. With several, the mse would be that of the target with the largest
numbers alone, so each target's squared error is divided by the variance of that target on the training rows: the score.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from shoal.pipeline.tasks.measure import InUnits, Measure
from shoal.pipeline.tasks.task import Cost, Error, Hypers, Task


def _in_units(costs: np.ndarray, scale: np.ndarray, power: int) -> np.ndarray:
    """sum_k cost_k scale_k^power, (n,)."""
    total: np.ndarray = (costs * scale**power).sum(axis=1)
    return total


def _of_samples(y_hat: np.ndarray, y: np.ndarray, hypers: Hypers, loss: str) -> np.ndarray:
    """The loss' own formula, (n, n_outputs)."""
    from shoal.kernels.network.losses import loss_of  # takes 0.2 s, with Numba; stages that compute no cost do without

    own = loss_of(loss)
    costs: np.ndarray = own.cost(y_hat - y, *own.hypers_of(hypers))
    return costs


def _cost(loss: str, name: str, formula: str, definition: str, *, power: int, relation: str = "") -> Cost:
    """The mean over samples of a loss, summed over outputs, that grows as this power of the unit of its targets.

    So does that of Huber, with a delta in the targets' own units: where |r| <= delta, s^2 (r / s)^2 / 2 is r^2 / 2, and
    beyond, s^2 delta / s (|r| / s - delta / s / 2) is delta (|r| - delta / 2), for targets of the scale s.
    """
    in_units, of_samples = partial(_in_units, power=power), partial(_of_samples, loss=loss)
    return Cost(loss, name, formula, definition, in_units, of_samples, relation)


def _mse(y_hat: np.ndarray, y: np.ndarray, scale: np.ndarray) -> Any:
    """1/(N K) sum (y_hat - y)^2; `scale` has no say."""
    return np.mean((y_hat - y) ** 2, axis=(-2, -1))


def _weighed(y_hat: np.ndarray, y: np.ndarray, scale: np.ndarray) -> Any:
    """1/(N K) sum ((y_hat - y) / scale)^2."""
    return np.mean(((y_hat - y) / scale) ** 2, axis=(-2, -1))


HALF_MSE = _cost(
    "squared",
    "half_mse",
    "(1/N) Σₙ ½ Σₖ (ŷ - y)²",
    "the mean over samples of half the squared error",
    power=2,
    relation="For K outputs half_mse = K · mse / 2.",
)

COSTS = (
    HALF_MSE,
    _cost(
        "absolute",
        "mean_absolute",
        "(1/N) Σₙ Σₖ |ŷ - y|",
        "the mean over samples of the absolute error, summed over outputs",
        power=1,
    ),
    _cost(
        "huber",
        "mean_huber",
        "(1/N) Σₙ Σₖ h(ŷ - y), where h(r) is ½ r² up to |r| = δ and δ (|r| - ½ δ) beyond, and δ is delta times the "
        "deviation that a target is standardised with",
        "the mean over samples of Huber's loss, summed over outputs (delta is in standardised units of the target)",
        power=2,
    ),
    _cost(
        "quantile",
        "mean_pinball",
        "(1/N) Σₙ Σₖ max(q (y - ŷ), (q - 1) (y - ŷ)) for the quantile q",
        "the mean over samples of the pinball loss of the quantile, summed over outputs",
        power=1,
    ),
)

MSE = Error(
    name="mse",
    column="error",
    formula="1/(N K) Σₙ Σₖ (ŷ - y)²",
    definition="mean of (y_hat - y)^2",
    unit="the targets' own units, squared",
    measure=_mse,
)

_SCORE = "(1/K) Σₖ mseₖ / varₖ"
SCORE = Error(
    name="score",
    column="score",
    formula=_SCORE,
    definition="mean over targets of mse / variance of the target on the training rows",
    unit="none",
    measure=_weighed,
    note=(
        "With several targets a mse would be that of the largest numbers alone. So networks are chosen and compared by "
        f"the score = {_SCORE}: the mse of each target over the variance of that target on the training "
        "rows (whatever `standardise` says; 1 in place of the variance of a constant target), and then the mean over "
        "targets. Always to answer with the mean of the training rows would give a train score of 1. "
    ),
)


def _squares(y_hat: np.ndarray, y: np.ndarray) -> np.ndarray:
    """sum over columns of (y_hat - y)^2, (n,)."""
    squares: np.ndarray = ((y_hat - y) ** 2).sum(axis=1)
    return squares


def _rmse(y_hat: np.ndarray, y: np.ndarray) -> float:
    return float(np.sqrt(np.mean((y_hat - y) ** 2)))


def _mae(y_hat: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(np.abs(y_hat - y)))


def _r2(y_hat: np.ndarray, y: np.ndarray) -> float:
    """NaN where y has one value."""
    spread = ((y - y.mean()) ** 2).sum()
    return float(1 - ((y_hat - y) ** 2).sum() / spread) if spread > 0 else float("nan")


RMSE = Measure(
    "RMSE", "rmse", "√((1/N) Σₙ (ŷ - y)²)", "the root of the mean squared error", "in the unit of {target}", _rmse
)
MAE = Measure("MAE", "mae", "(1/N) Σₙ |ŷ - y|", "the mean size of the error", "in the unit of {target}", _mae)
R2 = Measure(
    "R²",
    "r2",
    "1 - Σₙ (ŷ - y)² / Σₙ (y - mean(y))²",
    "the share of the spread of those rows that is predicted: 1 at best, below 0 where their mean is nearer",
    "",
    _r2,
)
UNITS = InUnits((RMSE, MAE, R2), _squares, np.sqrt, "predicts {target} to within {value}", ("constant", "ridge"))

REGRESSION = Task("regression", COSTS, (MSE, SCORE), "targets are numbers", UNITS)
