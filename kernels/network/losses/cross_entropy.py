"""cross_entropy: c_k = -y_k log p_k,  dc/dz_k = p_k - y_k,  p = softmax(z), for logits z and probabilities y.

With x_k = max(z) - z_k, of which none is below 0, and T = sum_j exp(-x_j), which is 1 or more, nothing overflows:
p_k = exp(-x_k) / T  and  -log p_k = x_k + log T.
"""

from __future__ import annotations

from typing import Any

import numpy as np

JOINT = True
SUM_TOLERANCE = 1e-6


def cost(y: Any, x: Any, log_total: Any) -> Any:
    return y * (log_total + x)


def slope(y: Any, p: Any) -> Any:
    return p - y


def link(z: np.ndarray) -> np.ndarray:
    """softmax(z): probabilities (..., n_classes) of logits."""
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def check(y: np.ndarray) -> None:
    """Raise ValueError where rows are not probabilities."""
    bad = np.flatnonzero((y < 0).any(axis=1) | (np.abs(y.sum(axis=1) - 1) > SUM_TOLERANCE))
    if bad.size:
        found = f"y has {y[bad[0]].tolist()} in row {bad[0]} (counted from 0)"
        raise ValueError(f"{found}; loss cross_entropy needs probabilities of the classes, which add up to 1")
