"""Division in the language of formulas, by multiplications where the divider is what takes the time."""

from __future__ import annotations

from typing import Any

from shoal.kernels.compile.host import AVX512, HOST
from shoal.kernels.simd.formula import V, fma, is_single, nearly_inverse, where_positive

LARGEST = 1e300


def quotient(x: Any, d: Any) -> Any:
    """x / d for normal d above 0, up to LARGEST or infinite, with the bits that a division has (tests/test_vectors.py);
    NaN where that is infinite.

    A root and a division keep the one divider of an AVX-512 machine busy for longer than a step of Adam in float64
    otherwise takes; in float32 memory does. With y_0 near 1 / d and e = 1 - d y, y (1 + e + e^2) and y (1 + e) are off
    by e^3 and e^2 of it; what q = x y leaves over, exact where it is rounded once, corrects it (P. Markstein,
    "Computation of elementary functions on the IBM RISC System/6000 processor", IBM J. Res. Dev. 34, 1990).
    """
    if is_single(x) or HOST is not AVX512 or not isinstance(x, V):
        return x / d
    y = nearly_inverse(d)
    for _ in range(2):
        e = fma(-d, y, 1.0)
        y = fma(y, fma(e, e, e), y)
    y = fma(y, fma(-d, y, 1.0), y)
    q = x * y
    return where_positive(d - LARGEST, x * 0.0, fma(fma(-q, d, x), y, q))
