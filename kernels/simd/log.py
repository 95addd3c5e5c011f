"""log in the language of formulas: our own rather than libm's, so that its bits do not change with the C library."""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.exp import LOG_TAIL
from shoal.kernels.simd.formula import exponent, fma, polynomial, significand

LN2 = 0.6931471805599453


def log_of_1_plus(x: Any) -> Any:
    """log(1 + x) for x from 0 to 2^32, which keeps its accuracy near zero; NaN stays NaN.

    1 + x is rounded to u = 2^k m with m in [1, 2):  log(u) = k log(2) + 2 atanh(s)  with  s = (m - 1) / (m + 1)  (see
    `log1p_of_share`), and what the rounding took, by u, is what is missing.
    """
    u = x + 1.0
    k, m = fma(u, 0.0, exponent(u)), significand(u) - 1.0  # 0 u keeps NaN
    s = m / (m + 2.0)
    square = s * s
    log_m = fma(-s, fma(-2.0 * square, polynomial(square, *LOG_TAIL), m), m)
    return fma(k, LN2, log_m + (x - (u - 1.0)) / u)
