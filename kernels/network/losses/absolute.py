"""absolute: c = |r|,  dc/dy_hat = sign(r), and 0 where r is 0."""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.formula import absolute, where_negative, where_positive


def cost(r: Any) -> Any:
    return absolute(r)


def slope(r: Any) -> Any:
    return where_positive(r, 1.0, where_negative(r, -1.0, r))  # NaN stays NaN
