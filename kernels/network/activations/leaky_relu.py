"""leaky_relu: a = z where z > 0, else 0.01 z,  sigma' = 1 where z > 0, else 0.01.

Errors are below 2 units in the last place.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.formula import where_positive

LEAK = 0.01


def value(z: Any) -> Any:
    return where_positive(z, z, LEAK * z)


def slope(a: Any) -> Any:
    return where_positive(a, 1.0, LEAK)
