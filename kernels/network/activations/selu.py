"""selu: a = s z where z > 0, else s alpha (exp(z) - 1),  sigma' = s where z > 0, else a + s alpha.

s = 1.0507..., alpha = 1.6732...: Klambauer, Unterthiner, Mayr and Hochreiter, NeurIPS 2017. Errors are below 3 units in
the last place, of the slope in units of the larger of its two terms.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.exp import expm1_of_minus
from shoal.kernels.simd.formula import absolute, where_negative, where_positive

SCALE = 1.0507009873554804934193349852946
SCALED_ALPHA = 1.7580993408473768599402175208123193
"""SCALE times 1.6732632423543772848170429916717."""


def value(z: Any) -> Any:
    return where_negative(z, SCALED_ALPHA * expm1_of_minus(absolute(z)), SCALE * z)


def slope(a: Any) -> Any:
    return where_positive(a, SCALE, a + SCALED_ALPHA)
