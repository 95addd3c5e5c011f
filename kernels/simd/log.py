"""log in the language of formulas: our own rather than libm's, so that its bits do not change with the C library."""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.formula import fma, polynomial, where_negative

LN2 = 0.6931471805599453
HALVINGS = (16, 8, 4, 2, 1)
ATANH = [1.0 / (2 * n + 1) for n in range(18)]
"""atanh(s) / s in powers of s^2; for s up to 1/3 what is left out is below 1e-18."""


def log_from_1(x: Any) -> Any:
    """log(x) for x from 1 to 2^32, within 2 roundings of its largest terms; NaN stays NaN.

    x = 2^k m with m in [1, 2):  log(x) = k log(2) + 2 atanh((m - 1) / (m + 1)).
    """
    k = 0.0 * x
    for halvings in HALVINGS:
        is_below = x - 2.0**halvings
        k = where_negative(is_below, k, k + float(halvings))
        x = where_negative(is_below, x, x * 2.0**-halvings)
    s = (x - 1.0) / (x + 1.0)
    return fma(k, LN2, 2.0 * s * polynomial(s * s, ATANH[:8], ATANH))
