"""huber: c = r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2),  dc/dy_hat = r, at most delta either way.

Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 1964. The default is
PyTorch's.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.formula import absolute, at_least, at_most

HYPERS = {"delta": 1.0}
RANGES = {"delta": (0.0, float("inf"))}


def cost(r: Any, delta: Any) -> Any:
    size = absolute(r)
    inner = at_most(size, delta)
    return inner * (size - 0.5 * inner)


def slope(r: Any, delta: Any) -> Any:
    return at_most(at_least(r, -delta), delta)
