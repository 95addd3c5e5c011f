"""mish: a = z t,  sigma' = t + z (1 - t^2) s  with  t = tanh(log(1 + exp(z))),  s = 1 / (1 + exp(-z)).

z is kept. With w = exp(-|z|) the two are quotients of polynomials whose terms are all positive:

    z < 0    t = w (2 + w) / D,      (1 - t^2) s = 4 w (1 + w) / D^2,      D = 2 + 2 w + w^2
    else     t = (1 + 2 w) / D,      (1 - t^2) s = 4 w^2 (1 + w) / D^2,    D = 1 + 2 w + 2 w^2

Misra, BMVC 2020. Errors are below 4 units in the last place, of the slope in units of the larger of its two terms, as
it crosses zero.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.exp import exp_in_parts, underflow
from shoal.kernels.simd.formula import absolute, at_least, at_most, fma, where_negative


def _parts(z: Any) -> tuple[Any, Any, Any, Any]:
    """w in two factors, t D without its factor w, and D."""
    e, power = exp_in_parts(-at_most(absolute(z), underflow(z)))
    w = e * power
    top = where_negative(z, w + 2.0, fma(w, 2.0, 1.0))
    return e, power, top, fma(w, top, where_negative(z, 2.0, w + 1.0))


def value(z: Any) -> Any:
    e, power, top, bottom = _parts(z)
    a = at_least(z, -underflow(z)) * where_negative(z, e, 1.0) * (top / bottom)
    return a * where_negative(z, power, 1.0)


def slope(a: Any, z: Any) -> Any:
    x = at_most(at_least(z, -underflow(z)), underflow(z))
    e, power, top, bottom = _parts(x)
    w = e * power
    other = 4.0 * x * (w + 1.0) * where_negative(z, 1.0, w * w) / bottom
    return (where_negative(z, e, 1.0) * ((top + other) / bottom)) * where_negative(z, power, 1.0)
