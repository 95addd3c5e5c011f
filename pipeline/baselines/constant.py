"""constant: y_hat = mean(y) over the training rows, whatever x is."""

from __future__ import annotations

import numpy as np

from shoal.pipeline.baselines.baseline import Baseline, Linear
from shoal.pipeline.scaling import Scaling


def fit(x: np.ndarray, y: np.ndarray, x_validation: np.ndarray, y_validation: np.ndarray) -> Linear:
    """The mean of y (n, n_outputs); nothing else has a say."""
    n_inputs, n_outputs = x.shape[1], y.shape[1]
    weights, none = np.zeros((n_inputs, n_outputs)), np.full(n_outputs, np.nan)
    return Linear(Scaling.identity(n_inputs), weights, Scaling.fit(y).mean, none)


CONSTANT = Baseline("constant", "the constant", "always the mean of the training rows", fit)
