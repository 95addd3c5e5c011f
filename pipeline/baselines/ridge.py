"""ridge: y_hat = mean(y) + z w,  w = argmin (1/N) |Z w - (y - mean(y))|^2 + penalty |w|^2,  for each target alone.

Z (N, n_inputs) are the inputs of the training rows with mean 0 and deviation 1, so that w solves
(Z^T Z / N + penalty I) w = Z^T (y - mean(y)) / N  (Hoerl and Kennard, Technometrics 12, 1970); the mean is not
penalised. With Z^T Z / N = V diag(s) V^T one decomposition serves all penalties: w = V ((V^T b) / (s + penalty)). The
validation rows choose the penalty, of equally good ones the largest.
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from shoal.pipeline.baselines.baseline import Baseline, Linear, standardising
from shoal.pipeline.scaling import Scaling

PENALTIES = np.logspace(3, -6, 19)
"""From next to the constant down to next to least squares, as s sums to the number of inputs."""


def fit(x: np.ndarray, y: np.ndarray, x_validation: np.ndarray, y_validation: np.ndarray) -> Linear:
    """The linear model of y (n, n_outputs), for each output with the penalty that suits the validation rows best."""
    scaling, mean = standardising(x), Scaling.fit(y).mean
    candidates = _weights(scaling.apply(x), y - mean)
    y_hat = mean + np.einsum("np,lpk->lnk", scaling.apply(x_validation), candidates)
    best = ((y_hat - y_validation) ** 2).mean(axis=1).argmin(axis=0)
    return Linear(scaling, candidates[best, :, np.arange(y.shape[1])].T, mean, PENALTIES[best])


def _weights(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """w of each penalty and output, (n_penalties, n_inputs, n_outputs), for z (n, n_inputs) and centred y.

    On one thread, as the order of the sums of NumPy's libraries is one of the number of threads.
    """
    n = len(z)
    with threadpool_limits(1):
        values, vectors = np.linalg.eigh(z.T @ z / n)
        along = vectors.T @ (z.T @ y) / n
        shrunk = along / (np.maximum(values, 0.0)[:, np.newaxis] + PENALTIES[:, np.newaxis, np.newaxis])
        weights: np.ndarray = vectors @ shrunk
    return weights


RIDGE = Baseline(
    "ridge",
    "ridge",
    "linear in the standardised inputs by ridge regression, its penalty chosen on the validation rows",
    fit,
)
