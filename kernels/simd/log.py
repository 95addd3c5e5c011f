"""log in the language of formulas: our own rather than libm's, so that its bits do not change with the C library."""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.formula import exponent, fma, polynomial, significand

LN2 = 0.6931471805599453
ATANH = [1.0 / (2 * n + 1) for n in range(18)]
"""atanh(s) / s in powers of s^2; for s up to 1/3 what is left out is below 1e-18."""


def log_from_1(x: Any) -> Any:
    """log(x) for x from 1 to 2^32, within 2 roundings of its largest terms; NaN stays NaN.

    x = 2^k m with m in [1, 2):  log(x) = k log(2) + 2 atanh((m - 1) / (m + 1)).
    """
    k, m = fma(x, 0.0, exponent(x)), significand(x)  # 0 x keeps NaN
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    # even and odd powers of s^2 apart, which the processor takes side by side
    even, odd = (polynomial(square * square, ATANH[first:8:2], ATANH[first::2]) for first in (0, 1))
    return fma(k, LN2, 2.0 * s * fma(square, odd, even))
