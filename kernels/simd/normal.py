"""The tail of the normal distribution in the language of formulas: Phi(z) = (1 + erf(z / sqrt(2))) / 2.

Mills' ratio, the tail over the density, is smooth and falls as 1 / u: it takes one polynomial for all u (the way of
Shepherd and Laframboise, Mathematics of Computation 36, 1981), and the tail keeps its accuracy however small it is.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.exp import exp_in_parts
from shoal.kernels.simd.formula import at_most, is_single, polynomial

FAR = (15.0, 40.0)
"""u Phi(-u) is 0 in the dtype from here on."""
SPLITTER = (2.0**12 + 1, 2.0**27 + 1)
"""Of a product with it, half of the bits of a number can be had (Dekker, Numerische Mathematik 18, 1971)."""
MIDDLE = (4.0, 5.0)
RATIO = (
    [
        0.4720532063989766, -0.09670346798073925, 0.013999636592802041, 0.028600032795032343,
        -0.03219781535425328, 0.017939449481637414, -0.00500214085321408, -0.00029991876126557443,
        0.0006908448555668235, -6.673718492437857e-05, -7.437454416754374e-05,
    ],
    [
        0.46151582985003775, -0.09155228183400893, 0.031030368425963295, 0.010002352385218504,
        -0.026401042966294534, 0.02453696324401165, -0.015170415402627294, 0.00652200066311834,
        -0.0016760723452489462, 7.791633264608788e-06, 0.00018233416178210603, -5.3607745975970066e-05,
        -9.896213993917099e-06, 9.06029437060987e-06, -6.991465770218513e-08, -1.3082698783495142e-06,
        1.2692917576477007e-07, 1.9709221384874362e-07, -2.5046430829930405e-08, -3.128083689726529e-08,
        2.735193743092631e-09, 4.307763590897877e-09, -9.246879701014418e-12, -2.856084259498836e-10,
    ],
)  # fmt: skip
"""(1 + u) exp(u^2 / 2) Phi(-u) in powers of (u - MIDDLE) / (u + MIDDLE), for u from 0 to FAR, by Chebyshev
interpolation; errors are 1.2e-9 and 1.2e-18."""


def far(x: Any) -> float:
    """The FAR of the dtype of x."""
    return FAR[0] if is_single(x) else FAR[1]


def tail(u: Any) -> tuple[Any, Any, Any]:
    """e, a power of two, and m with exp(-u^2 / 2) = e power and Phi(-u) = e m power, for u from 0 to FAR.

    u^2 in two parts: high^2 is exact, and what it lacks is small.
    """
    dtype = 0 if is_single(u) else 1
    u = at_most(u, FAR[dtype])
    product = u * SPLITTER[dtype]
    high = product - (product - u)
    e, power = exp_in_parts(-0.5 * high * high, -0.5 * (u - high) * (u + high))
    t = (u - MIDDLE[dtype]) / (u + MIDDLE[dtype])
    return e, power, polynomial(t, *RATIO) / (u + 1.0)
