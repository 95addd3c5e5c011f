"""momentum: v = mu v + g,  p -= rate v.

The heavy ball of Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational
Mathematics and Mathematical Physics 4(5), 1964, in the form that PyTorch's SGD has, without dampening.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.formula import flushed, fma

HYPERS = {"momentum": 0.9}
STATES = 1


def numbers(t: Any, h: Any) -> Any:
    return (h.momentum,)


def update(p: Any, g: Any, state: Any, rate: Any, numbers: Any) -> Any:
    (v,), (mu,) = state, numbers
    v = flushed(fma(mu, v, g))
    return fma(-rate, v, p), (v,)
