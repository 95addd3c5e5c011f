"""Classification: the target has classes, networks are trained on the cross-entropy of their softmax.

y has 1 for the true class of a sample and 0 for the others, y_hat probabilities of the classes, both (n, n_classes).
The log loss decides: it is smallest in the mean for the true probabilities. What people read beside it counts classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from shoal.pipeline.tasks.measure import InUnits, Measure
from shoal.pipeline.tasks.task import Cost, Error, Hypers, Task

EPSILON = float(np.finfo(np.float64).eps)
"""Probabilities are clipped to [EPSILON, 1 - EPSILON], as scikit-learn's log_loss documents it, so that one row that
was taken for impossible counts 36.04 and not infinity."""


def _in_units(costs: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """sum_k cost_k, (n,): probabilities have no unit."""
    total: np.ndarray = costs.sum(axis=1)
    return total


def _of_samples(z: np.ndarray, y: np.ndarray, hypers: Hypers) -> np.ndarray:
    """-y_k log p_k with p = softmax(z), (n, n_classes), for logits z."""
    below = z - z.max(axis=1, keepdims=True)
    costs: np.ndarray = y * (np.log(np.exp(below).sum(axis=1, keepdims=True)) - below)
    return costs


CROSS_ENTROPY = Cost(
    loss="cross_entropy",
    name="cross_entropy",
    formula="-(1/N) Σₙ Σₖ yₖ log pₖ, where p is the softmax of a network's outputs",
    definition="the mean over samples of -log of the probability of the true class",
    in_units=_in_units,
    of_samples=_of_samples,
    relation="The log loss is the same but for the clipping; that of several networks is of their mean probabilities.",
)


def _of_rows(y_hat: np.ndarray, y: np.ndarray) -> np.ndarray:
    """-log of the clipped probability of the true class, (..., n)."""
    losses: np.ndarray = -(y * np.log(np.clip(y_hat, EPSILON, 1 - EPSILON))).sum(axis=-1)
    return losses


def _log_loss(y_hat: np.ndarray, y: np.ndarray) -> Any:
    return _of_rows(y_hat, y).mean(axis=-1)


def _right(y_hat: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where the likeliest class is the true one, bool (n,)."""
    right: np.ndarray = y_hat.argmax(axis=1) == y.argmax(axis=1)
    return right


def _accuracy(y_hat: np.ndarray, y: np.ndarray) -> float:
    return float(_right(y_hat, y).mean())


def _balanced(y_hat: np.ndarray, y: np.ndarray) -> float:
    """The mean over the classes of these rows; those without a row have no share to count."""
    sizes, right = y.sum(axis=0), (y * _right(y_hat, y)[:, np.newaxis]).sum(axis=0)
    return float((right[sizes > 0] / sizes[sizes > 0]).mean())


def _auc(y_hat: np.ndarray, y: np.ndarray) -> float:
    """Of ranks R_i among all rows: (sum of R over the m rows of the second class - m (m + 1) / 2) / (m (n - m)).

    NaN where rows are of one class, or a probability is unknown (Mann and Whitney, Annals of Mathematical Statistics
    18, 1947).
    """
    is_second = y[:, 1] == 1
    m = int(is_second.sum())
    if m in (0, len(y)) or np.isnan(y_hat).any():
        return float("nan")
    ranks = pd.Series(y_hat[:, 1]).rank()[is_second].sum()
    return float((ranks - m * (m + 1) / 2) / (m * (len(y) - m)))


_FORMULA = "-(1/N) Σₙ log p(true class)"
LOG_LOSS = Error(
    name="log_loss",
    column="error",
    formula=f"{_FORMULA}, with probabilities clipped to [2.2e-16, 1 - 2.2e-16]",
    definition="mean of -log of the probability of the true class",
    unit="nats",
    measure=lambda y_hat, y, scale: _log_loss(y_hat, y),
    over="samples",
)

HEADLINE = Measure("log loss", "log_loss", _FORMULA, "0 at best, the smaller the better", "", _log_loss)
ACCURACY = Measure(
    "accuracy", "accuracy", "the share of rows whose likeliest class is the true one", "1 at best", "", _accuracy
)
BALANCED = Measure(
    "balanced accuracy",
    "balanced_accuracy",
    "the mean over classes of that share among the rows of a class",
    "1 at best, one over their number by chance",
    "",
    _balanced,
)
AUC = Measure(
    "ROC AUC",
    "roc_auc",
    "how often a row of the second class has the larger probability of it than one of the first, ties by half",
    "1 at best, 0.5 by chance",
    "",
    _auc,
    n_outputs=2,
)
UNITS = InUnits(
    (HEADLINE, ACCURACY, BALANCED, AUC),
    _of_rows,
    np.asarray,
    "predicts {target} with a log loss of {value}",
    ("prior", "logistic"),
    is_beside=True,
)

CLASSIFICATION = Task("classification", (CROSS_ENTROPY,), (LOG_LOSS,), "targets are classes", UNITS)
