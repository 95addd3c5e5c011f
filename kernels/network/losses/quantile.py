"""quantile q: c = max(q (y - y_hat), (q - 1) (y - y_hat)),  dc/dy_hat = 1 - q above y, -q below, and 0 at y.

Koenker and Bassett, "Regression quantiles", Econometrica 46, 1978.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.formula import at_least, where_negative, where_positive

HYPERS = {"quantile": 0.5}
RANGES = {"quantile": (0.0, 1.0)}


def cost(r: Any, q: Any) -> Any:
    return at_least((1.0 - q) * r, -q * r)


def slope(r: Any, q: Any) -> Any:
    return where_positive(r, 1.0 - q, where_negative(r, -q, r))  # NaN stays NaN
