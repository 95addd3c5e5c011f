"""logistic: p = softmax(b + z W),  W, b = argmin (1/N) sum_n -log p(true class of n) + penalty / 2 |W|^2.

Z (N, n_inputs) are the inputs of the training rows with mean 0 and deviation 1; b is not penalised. That is multinomial
logistic regression (Böhning, Annals of the Institute of Statistical Mathematics 44, 1992), as scikit-learn has it with
C = 1 / (N penalty). The gradient is Z^T (P - Y) / N + penalty W; L-BFGS goes along it from the class prior, then from
one penalty's W to that of the next smaller one. The validation rows choose the penalty, of equally good ones the
largest.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from shoal.pipeline.baselines.baseline import Baseline, Linear, standardising
from shoal.pipeline.predictor import softmax
from shoal.pipeline.tasks import CLASSIFICATION

PENALTIES = np.logspace(1, -5, 7)
"""From next to the class prior down to where classes that a plane separates are all but told apart."""
MOST_ITERATIONS = 200
TOLERANCE = 1e-6
"""Largest slope of the result, whose unit is that of the log loss."""


def fit(x: np.ndarray, y: np.ndarray, x_validation: np.ndarray, y_validation: np.ndarray) -> Linear:
    """The linear model of y (n, n_classes), with the penalty that suits the validation rows best."""
    scaling, measure = standardising(x), CLASSIFICATION.in_units.headline.measure
    z, n_classes = scaling.apply(x), y.shape[1]
    values = np.concatenate([np.zeros(z.shape[1] * n_classes), np.log(y.mean(axis=0))])
    models, losses = [], []
    for penalty in PENALTIES:
        values = fitted(z, y, penalty, values)
        weights, intercept = values[:-n_classes].reshape(-1, n_classes), values[-n_classes:]
        models.append(Linear(scaling, weights, intercept, np.array([penalty]), softmax))
        losses.append(measure(models[-1].predict(x_validation), y_validation))
    return models[int(np.argmin(losses))]


def fitted(z: np.ndarray, y: np.ndarray, penalty: float, start: np.ndarray) -> np.ndarray:
    """W row by row and then b, flat, of one penalty; found from `start`, on one thread, as the order of sums of NumPy's
    libraries follows the number of threads."""
    from scipy.optimize import minimize  # takes 0.2 s, which only classes need

    options = {"maxiter": MOST_ITERATIONS, "gtol": TOLERANCE, "ftol": 0.0}
    with threadpool_limits(1):
        found = minimize(partial(_cost, z, y, penalty), start, jac=True, method="L-BFGS-B", options=options)
    values: np.ndarray = found.x
    return values


def _cost(z: np.ndarray, y: np.ndarray, penalty: float, values: np.ndarray) -> tuple[float, np.ndarray]:
    """What is made small, and its gradient by `values`."""
    (n, n_classes), weights = y.shape, values[: -y.shape[1]].reshape(z.shape[1], -1)
    logits = z @ weights + values[-n_classes:]
    log_p = logits - logsumexp(logits, axis=1, keepdims=True)
    slope = (np.exp(log_p) - y) / n
    cost = -(y * log_p).sum() / n + penalty / 2 * (weights**2).sum()
    return float(cost), np.concatenate([(z.T @ slope + penalty * weights).ravel(), slope.sum(axis=0)])


LOGISTIC = Baseline(
    "logistic",
    "logistic regression",
    "multinomial logistic regression on the standardised inputs, its l2 penalty chosen on the validation rows",
    fit,
)
