"""sigmoid: a = 1 / (1 + exp(-z)),  sigma' = a (1 - a)."""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.exp import exp_of_minus
from shoal.kernels.simd.formula import absolute, fma, where_negative

FUSED = ("slope",)


def value(z: Any) -> Any:
    e = exp_of_minus(absolute(z))  # which cannot overflow
    a = 1.0 / (1.0 + e)
    return where_negative(z, e * a, a)


def slope(a: Any) -> Any:
    return a * fma(-a, 1.0, 1.0)
