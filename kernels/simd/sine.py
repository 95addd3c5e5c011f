"""sin and cos in the language of formulas, by Cody and Waite's reduction to half a turn and a polynomial.

z = k pi + r with |r| <= pi / 2 and k a whole number (sin) or half of an odd one (cos); then sin(z) or cos(z) is sin(r)
but for its sign. pi is taken off in parts so short that their products with k are exact.

Errors are below 3 units in the last place, the zeros of sin and cos included, for |z| up to EXACT. Beyond, they are
those of a number that is z to within a rounding; beyond FARTHEST, z is taken for it. NaN and infinity give NaN.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.exp import WHOLE
from shoal.kernels.simd.formula import at_least, at_most, fma, is_single, polynomial

EXACT = (6400.0, 3e6)
"""For float32 and float64."""
FARTHEST = (1e7, 1e15)
"""Whole numbers of half turns are whole numbers of the dtype up to here."""
PI_PARTS = (
    [3.140625, 0.0009675025939941406, 1.5099067240953445e-07, 5.126565838509123e-12, 1.2246468525851679e-16],
    [3.1415926534682512, 1.2154201012607932e-10, 4.044532497422333e-21, 1.69568553207378e-31],
)
"""pi in parts of 12 and of 32 bits, and what is left."""
SINE_TAIL = (
    [
        -0.16666666663880958, 0.00833333276870874, -0.00019841086550583957, 2.753646273881664e-06,
        -2.4080171363675607e-08,
    ],
    [
        -0.16666666666666666, 0.008333333333333316, -0.00019841269841254971, 2.755731921916275e-06,
        -2.5052107616935044e-08, 1.605897730850011e-10, -7.643970170240761e-13, 2.7314431889670642e-15,
    ],
)  # fmt: skip
"""(sin(r) / r - 1) / r^2 in powers of r^2, for |r| <= pi / 2, by Chebyshev interpolation; errors are 3e-11, 4e-19."""


def sine(z: Any) -> Any:
    """sin(z)."""
    return _reduced(z, 0.0)


def cosine(z: Any) -> Any:
    """cos(z)."""
    return -_reduced(z, 0.5)


def _reduced(z: Any, offset: float) -> Any:
    """(-1)^n sin(r) for z = (n + offset) pi + r."""
    dtype = 0 if is_single(z) else 1
    whole, farthest = WHOLE[dtype], FARTHEST[dtype]
    x = at_most(at_least(z, -farthest), farthest)
    n = fma(x, 0.3183098861837907, -offset) + whole - whole
    k, r = n + offset, x
    for part in PI_PARTS[dtype]:
        r = fma(k, -part, r)
    odd = n - 2.0 * (fma(n, 0.5, whole) - whole)
    square = r * r
    r = fma(r * square, polynomial(square, *SINE_TAIL), r)
    return fma(-2.0 * odd, odd, 1.0) * r + (z - z)  # of infinity NaN
