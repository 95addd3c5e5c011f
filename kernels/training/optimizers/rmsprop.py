"""rmsprop: v = decay v + (1 - decay) g^2,  p -= rate g / (sqrt(v) + epsilon).

Tieleman and Hinton, "Lecture 6.5: rmsprop", Neural Networks for Machine Learning, Coursera, 2012; epsilon, outside the
root, and the values of both numbers as in torch.optim.RMSprop, whose alpha is the decay.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.division import quotient
from shoal.kernels.simd.formula import fma, square_root

HYPERS = {"decay": 0.99, "epsilon": 1e-8}
STATES = 1
BOUNDED = True


def numbers(t: Any, h: Any) -> Any:
    return h.decay, 1.0 - h.decay, h.epsilon


def update(p: Any, g: Any, state: Any, rate: Any, numbers: Any) -> Any:
    (v,), (keep, take, epsilon) = state, numbers
    v = fma(take, g * g, keep * v)
    return fma(-rate, quotient(g, square_root(v) + epsilon), p), (v,)
