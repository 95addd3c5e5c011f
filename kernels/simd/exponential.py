"""tanh and sigmoid of a vector, by way of exp: our own rather than libm's.

They work on vectors, and their bits do not change with the C library. Errors are below 3 units in the last place
(tests/test_activations.py) wherever the exact value is a normal number; sigmoid stops at its smallest normal value,
near -708 in float64 and -87 in float32. NaN stays NaN.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from shoal.kernels.compile.jit import inlined
from shoal.kernels.simd.instructions import Builder, multiply_add
from shoal.kernels.simd.vector import (
    absolute,
    at_most,
    constant,
    elementwise,
    fma,
    polynomial,
    power_of_two,
    where_negative,
    with_sign,
)

LOG2_E = 1.4426950408889634
rounder = constant(1.5 * 2.0**23 + 127, 1.5 * 2.0**52 + 1023)
"""Adding it to a small number leaves the nearest whole number k in the low bits, as the exponent of 2^k."""
ln2_high = constant(0.693145751953125, 0.693147180369123816490)
ln2_low = constant(1.428606765330187e-06, 1.90821492927058770002e-10)
"""ln 2 in two parts; the first is short enough for its product with a small whole number to be exact."""
saturation = constant(10.0, 20.0)
"""tanh is 1 in the dtype from here on."""
exponent_limit = constant(87.0, 708.0)
"""exp(-x) is a normal number up to here."""
EXP_TAIL = (
    [0.5, 0.1666654348373413, 0.04166628420352936, 0.008366571739315987, 0.0013946426333859563],
    [
        0.5000000000000006, 0.16666666666666685, 0.0416666666665741, 0.008333333333314657, 0.00138888889322556,
        0.0001984126990289875, 2.4801504570083742e-05, 2.755722806350464e-06, 2.7626283626789125e-07,
        2.5114440655837805e-08,
    ],
)  # fmt: skip
exp_tail = polynomial(*EXP_TAIL)
"""(exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2, by Remez exchange on the relative error of exp(r) - 1, which is 1.3e-8
and 1.8e-17."""
exp_tail_of_double = polynomial(*[[c * 2.0 ** (n + 1) for n, c in enumerate(tail)] for tail in EXP_TAIL])
"""(exp(2 r) - 1 - 2 r) / (2 r^2), the same polynomial."""


def _less_half_ln2(builder: Builder, x: Any, k: Any) -> Any:
    """x + k ln(2) / 2, for the few k of tanh: in float32 one part of ln 2 is enough for them."""
    single = isinstance(x.type.element, ir.FloatType)
    for part in (0.6931471805599453,) if single else (0.693147180369123816490, 1.90821492927058770002e-10):
        x = multiply_add(builder, k, ir.Constant(x.type, [part / 2] * x.type.count), x)
    return x


less_half_ln2 = elementwise(_less_half_ln2, 2)


@inlined
def half_expm1(z):
    """h = (exp(2|z|) - 1) / 2 with the sign of z; then tanh(z) = h / (1 + |h|), which keeps its accuracy near zero.

    h = 2^k (exp(2r) - 1) / 2 + (2^k - 1) / 2  with  |z| = k ln(2) / 2 + r  and  |r| <= ln(2) / 4.
    """
    x = at_most(absolute(z), saturation(z))
    shifted = fma(x, 2.0 * LOG2_E, rounder(x))
    power, r = power_of_two(shifted), less_half_ln2(x, rounder(x) - shifted)
    h = fma(power, fma(r * r, exp_tail_of_double(r), r), fma(power, 0.5, -0.5))
    return with_sign(h, z)


@inlined
def sigmoid(z):
    """1 / (1 + exp(-z)) from exp(-|z|), which cannot overflow; where that is too small, its smallest value.

    exp(x) = 2^k exp(r)  with  x = k ln(2) + r  and  |r| <= ln(2) / 2.
    """
    x = -1.0 * at_most(absolute(z), exponent_limit(z))
    shifted = fma(x, LOG2_E, rounder(x))
    k = rounder(x) - shifted
    r = fma(k, ln2_low(x), fma(k, ln2_high(x), x))
    power = power_of_two(shifted)
    e = fma(power, fma(r * r, exp_tail(r), r), power)
    a = 1.0 / (1.0 + e)
    return where_negative(z, e * a, a)
