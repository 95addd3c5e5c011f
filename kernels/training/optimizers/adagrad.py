"""adagrad: v += g^2,  p -= rate g / (sqrt(v) + epsilon).

Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 12, 2011;
epsilon, outside the root, and its value as in torch.optim.Adagrad.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.division import quotient
from shoal.kernels.simd.formula import fma, square_root

HYPERS = {"epsilon": 1e-10}
STATES = 1
BOUNDED = True


def numbers(t: Any, h: Any) -> Any:
    return (h.epsilon,)


def update(p: Any, g: Any, state: Any, rate: Any, numbers: Any) -> Any:
    (v,), (epsilon,) = state, numbers
    v = fma(g, g, v)
    return fma(-rate, quotient(g, square_root(v) + epsilon), p), (v,)
