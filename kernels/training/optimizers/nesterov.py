"""nesterov: v = momentum v + g,  p -= rate (g + momentum v)  (Nesterov's accelerated gradient).

Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning", ICML 2013, in
the form of torch.optim.SGD(nesterov=True), which evaluates the gradient at p.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.formula import flushed, fma

HYPERS = {"momentum": 0.9}
STATES = 1


def numbers(t: Any, h: Any) -> Any:
    return (h.momentum,)


def update(p: Any, g: Any, state: Any, rate: Any, numbers: Any) -> Any:
    (v,), (momentum,) = state, numbers
    v = flushed(fma(momentum, v, g))
    return fma(-rate, fma(momentum, v, g), p), (v,)
