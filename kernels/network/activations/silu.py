"""silu: a = z s,  sigma' = s + z s (1 - s)  with  s = 1 / (1 + exp(-z)), for which z is kept.

With w = exp(-|z|) and d = 1 + w, sigma' is (d + z w) / d^2, or w (d + z) / d^2 where z < 0. Errors are below 4 units in
the last place, of the slope in units of the larger of its two terms, as it crosses zero.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.exp import exp_in_parts, underflow
from shoal.kernels.simd.formula import absolute, at_least, at_most, fma, where_negative


def value(z: Any) -> Any:
    e, power = exp_in_parts(-at_most(absolute(z), underflow(z)))
    a = at_least(z, -underflow(z)) * where_negative(z, e, 1.0) / (e * power + 1.0)
    return a * where_negative(z, power, 1.0)


def slope(a: Any, z: Any) -> Any:
    x = at_most(at_least(z, -underflow(z)), underflow(z))
    e, power = exp_in_parts(-absolute(x))
    w = e * power
    d = w + 1.0
    s = where_negative(z, e, 1.0) * (fma(x, where_negative(z, 1.0, w), d) / (d * d))
    return s * where_negative(z, power, 1.0)
