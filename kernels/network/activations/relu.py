"""relu: a = max(z, 0),  sigma' = 1 where z > 0, else 0 (so relu'(0) = 0)."""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.formula import at_least, where_positive

FUSED = ("value", "slope")


def value(z: Any) -> Any:
    return at_least(z, 0.0)


def slope(a: Any) -> Any:
    return where_positive(a, 1.0, 0.0)


def through(da: Any, a: Any) -> Any:
    return where_positive(a, da, 0.0)  # da times a slope of 0 would be NaN where da is infinite
