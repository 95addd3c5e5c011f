"""adam: m = beta_1 m + (1 - beta_1) g,  v = beta_2 v + (1 - beta_2) g^2,
p -= rate (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)  at step t = 1, 2, ...

Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.division import quotient
from shoal.kernels.simd.formula import flushed, fma, square_root

HYPERS = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
STATES = 2
BOUNDED = True


def numbers(t: Any, h: Any) -> Any:
    corrections = 1.0 / (1.0 - h.beta_1**t), 1.0 / (1.0 - h.beta_2**t)
    return h.beta_1, 1.0 - h.beta_1, h.beta_2, 1.0 - h.beta_2, h.epsilon, corrections[0], corrections[1]


def update(p: Any, g: Any, state: Any, rate: Any, numbers: Any) -> Any:
    (m, v), (keep_1, take_1, keep_2, take_2, epsilon, correction_1, correction_2) = state, numbers
    m = flushed(fma(take_1, g, keep_1 * m))
    v = fma(take_2, g * g, keep_2 * v)
    move = quotient(m * correction_1, square_root(v * correction_2) + epsilon)
    return fma(-rate, move, p), (m, v)
