"""elu: a = z where z > 0, else exp(z) - 1,  sigma' = 1 where z > 0, else a + 1.

Clevert, Unterthiner and Hochreiter, ICLR 2016, with alpha = 1. Errors are below 2 units in the last place.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.exp import expm1_of_minus
from shoal.kernels.simd.formula import absolute, where_negative, where_positive


def value(z: Any) -> Any:
    return where_negative(z, expm1_of_minus(absolute(z)), z)


def slope(a: Any) -> Any:
    return where_positive(a, 1.0, a + 1.0)
