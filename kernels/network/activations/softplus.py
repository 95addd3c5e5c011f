"""softplus: a = log(1 + exp(z)),  sigma' = 1 - exp(-a).

a = max(z, 0) + log(1 + exp(-|z|)), which cannot overflow. Errors are below 3 units in the last place.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.exp import exp_of_negative, expm1_of_minus, log1p_of_share
from shoal.kernels.simd.formula import absolute, at_least


def value(z: Any) -> Any:
    return at_least(z, 0.0) + log1p_of_share(exp_of_negative(-absolute(z)))


def slope(a: Any) -> Any:
    return -expm1_of_minus(a)
