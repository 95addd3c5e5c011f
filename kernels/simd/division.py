"""Division in the language of formulas, by multiplications where the divider is what takes the time."""

from __future__ import annotations

from typing import Any

from shoal.kernels.compile.host import AVX512, HOST
from shoal.kernels.simd.formula import V, at_most, fma, is_single, nearly_inverse

LARGEST = (8e37, 1e300)


def quotient(x: Any, d: Any) -> Any:
    """x / d for normal d above 0, or x / LARGEST where d is more or infinite. In float64 it has the bits of a division,
    in float32 it may be off by a unit in the last place (tests/test_vectors.py).

    A root and a division keep the one divider of an AVX-512 machine busy for longer than a step of Adam otherwise
    takes. With y_0 near 1 / d and e = 1 - d y, y (1 + e + e^2) and y (1 + e) are off by e^3 and e^2 of it. In float64
    what q = x y leaves over, exact where it is rounded once, corrects it (P. Markstein, "Computation of elementary
    functions on the IBM RISC System/6000 processor", IBM J. Res. Dev. 34, 1990).
    """
    if HOST is not AVX512 or not isinstance(x, V):
        return x / d
    d = at_most(d, LARGEST[0] if is_single(x) else LARGEST[1])
    y = _better(nearly_inverse(d), d)
    if is_single(x):
        q, e = x * y, fma(-d, y, 1.0)
        return fma(q, e, q)
    y = _better(y, d)
    y = fma(y, fma(-d, y, 1.0), y)
    q = x * y
    return fma(fma(-q, d, x), y, q)


def _better(y: Any, d: Any) -> Any:
    """1 / d with the third power of y's error."""
    e = fma(-d, y, 1.0)
    return fma(y, fma(e, e, e), y)
