"""gelu: a = z Phi(z),  sigma' = Phi(z) + z phi(z)  with  Phi(z) = (1 + erf(z / sqrt(2))) / 2,  phi = Phi'.

Hendrycks and Gimpel, 2016: the exact form, not the one with tanh; z is kept. Errors are below 4 units in the last
place, of the slope in units of the larger of its two terms, as it crosses zero.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.formula import absolute, at_least, at_most, where_negative
from shoal.kernels.simd.normal import far, tail

PHI_0 = 0.3989422804014327
"""1 / sqrt(2 pi)."""


def value(z: Any) -> Any:
    e, power, ratio = tail(absolute(z))
    share = where_negative(z, e * ratio, 1.0 - e * ratio * power)
    return at_least(z, -far(z)) * share * where_negative(z, power, 1.0)


def slope(a: Any, z: Any) -> Any:
    u = at_most(absolute(z), far(z))
    e, power, ratio = tail(u)
    rest = e * (ratio - u * PHI_0) * power
    return where_negative(z, rest, 1.0 - rest)
