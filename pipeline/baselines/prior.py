"""prior: the probability of a class is its share of the training rows, whatever x is."""

from __future__ import annotations

import numpy as np

from shoal.pipeline.baselines.baseline import Baseline, Linear
from shoal.pipeline.predictor import softmax
from shoal.pipeline.scaling import Scaling


def fit(x: np.ndarray, y: np.ndarray, x_validation: np.ndarray, y_validation: np.ndarray) -> Linear:
    """The shares of the classes in y (n, n_classes), each with a row of it at least; nothing else has a say."""
    n_inputs, n_classes = x.shape[1], y.shape[1]
    weights = np.zeros((n_inputs, n_classes))
    return Linear(Scaling.identity(n_inputs), weights, np.log(y.mean(axis=0)), np.full(1, np.nan), softmax)


PRIOR = Baseline("prior", "the class prior", "always the shares of the classes in the training rows", fit)
