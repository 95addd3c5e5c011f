"""The data of the workloads: x (n_samples, n_features) and y (n_samples, n_outputs), float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from shoal.kernels.ensemble import one_hot

Data = tuple[np.ndarray, np.ndarray]


def waves(seed: int, n_samples: int, n_features: int, n_outputs: int) -> Data:
    """sin(x) of one feature, or of sums of several."""
    generator = np.random.RandomState(seed)
    x = generator.uniform(-np.pi, np.pi, (n_samples, n_features))
    if n_features == 1:
        return x, np.sin(x)
    mixing = generator.normal(size=(n_features, n_outputs))
    return x, np.sin(x @ mixing)


def digits(*_: int) -> Data:
    """scikit-learn's 1,797 digits: 64 pixels from 0 to 1, and the probabilities of ten classes."""
    loaded = _digits()
    return loaded.data / 16, one_hot(loaded.target, 10)


def pixels(*_: int) -> Data:
    """The places of 8 x 8 pixels, from -1 to 1, and their brightness in each digit, from -1 to 1, (64, 1797)."""
    row, column = np.meshgrid(*[np.linspace(-1, 1, 8)] * 2, indexing="ij")
    return np.stack([row.ravel(), column.ravel()], axis=1), _digits().data.T / 8 - 1


def _digits() -> Any:
    from sklearn.datasets import load_digits  # a second that only these workloads wait for

    return load_digits()
