"""softsign: a = z / (1 + |z|),  sigma' = (1 - |a|)^2.

Errors are below 2 units in the last place.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.formula import absolute, at_most, with_sign

SATURATION = 1e20
"""|a| is 1 in either dtype from here on; infinity is taken for it."""


def value(z: Any) -> Any:
    x = at_most(absolute(z), SATURATION)
    return with_sign(x / (1.0 + x), z)


def slope(a: Any) -> Any:
    rest = 1.0 - absolute(a)
    return rest * rest
