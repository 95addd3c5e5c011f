"""exp as tanh and sigmoid need it, in the language of formulas: our own rather than libm's.

They work on vectors, and their bits do not change with the C library. Errors of tanh and sigmoid are below 3 units in
the last place (tests/test_activations.py) wherever the exact value is a normal number. NaN stays NaN.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.formula import absolute, at_most, fma, is_single, polynomial, power_of_two, with_sign

LOG2_E = 1.4426950408889634
ROUNDER = (1.5 * 2.0**23 + 127, 1.5 * 2.0**52 + 1023)
"""Adding it to a small number leaves the nearest whole number k in the low bits, as the exponent of 2^k."""
LN2_HIGH = (0.693145751953125, 0.693147180369123816490)
LN2_LOW = (1.428606765330187e-06, 1.90821492927058770002e-10)
"""ln 2 in two parts; the first is short enough for its product with a small whole number to be exact."""
SATURATION = (10.0, 20.0)
"""tanh is 1 in the dtype from here on."""
EXPONENT_LIMIT = (87.0, 708.0)
"""exp(-x) is a normal number up to here."""
EXP_TAIL = (
    [0.5, 0.1666654348373413, 0.04166628420352936, 0.008366571739315987, 0.0013946426333859563],
    [
        0.5000000000000006, 0.16666666666666685, 0.0416666666665741, 0.008333333333314657, 0.00138888889322556,
        0.0001984126990289875, 2.4801504570083742e-05, 2.755722806350464e-06, 2.7626283626789125e-07,
        2.5114440655837805e-08,
    ],
)  # fmt: skip
"""(exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2, by Remez exchange on the relative error of exp(r) - 1, which is 1.3e-8
and 1.8e-17."""
EXP_TAIL_OF_DOUBLE = tuple([c * 2.0 ** (n + 1) for n, c in enumerate(tail)] for tail in EXP_TAIL)
"""(exp(2 r) - 1 - 2 r) / (2 r^2), the same polynomial."""


def _of(x: Any, constant: tuple[float, float]) -> float:
    """The constant of the dtype of x."""
    return constant[0] if is_single(x) else constant[1]


def _less_half_ln2(x: Any, k: Any) -> Any:
    """x + k ln(2) / 2, for the few k of tanh: in float32 one part of ln 2 is enough for them."""
    for part in (0.6931471805599453,) if is_single(x) else (0.693147180369123816490, 1.90821492927058770002e-10):
        x = fma(k, part / 2, x)
    return x


def half_expm1(z: Any) -> Any:
    """h = (exp(2|z|) - 1) / 2 with the sign of z; then tanh(z) = h / (1 + |h|), which keeps its accuracy near zero.

    h = 2^k (exp(2r) - 1) / 2 + (2^k - 1) / 2  with  |z| = k ln(2) / 2 + r  and  |r| <= ln(2) / 4.
    """
    x = at_most(absolute(z), _of(z, SATURATION))
    shifted = fma(x, 2.0 * LOG2_E, _of(x, ROUNDER))
    power, r = power_of_two(shifted), _less_half_ln2(x, _of(x, ROUNDER) - shifted)
    h = fma(power, fma(r * r, polynomial(r, *EXP_TAIL_OF_DOUBLE), r), fma(power, 0.5, -0.5))
    return with_sign(h, z)


def exp_of_minus(x: Any) -> Any:
    """exp(-x) for x >= 0; beyond EXPONENT_LIMIT what it is there.

    exp(-x) = 2^k exp(r)  with  -x = k ln(2) + r  and  |r| <= ln(2) / 2.
    """
    y = -1.0 * at_most(x, _of(x, EXPONENT_LIMIT))
    shifted = fma(y, LOG2_E, _of(y, ROUNDER))
    k = _of(y, ROUNDER) - shifted
    r = fma(k, _of(k, LN2_LOW), fma(k, _of(k, LN2_HIGH), y))
    power = power_of_two(shifted)
    return fma(power, fma(r * r, polynomial(r, *EXP_TAIL), r), power)
