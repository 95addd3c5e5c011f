"""exp and log as activations need them, in the language of formulas: our own rather than libm's.

They work on vectors, and their bits do not change with the C library. Errors of tanh and sigmoid are below 3 units in
the last place wherever the exact value is a normal number; those of other activations stand in their files
(tests/test_activations.py). NaN stays NaN.
"""

from __future__ import annotations

from typing import Any

from shoal.kernels.simd.formula import absolute, at_least, at_most, fma, is_single, polynomial, power_of_two, with_sign

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
WHOLE = (1.5 * 2.0**23, 1.5 * 2.0**52)
"""Adding it to a small number rounds that to a whole number."""
UNDERFLOW = (120.0, 800.0)
"""x exp(-x) is 0 in the dtype from here on."""
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
LOG_TAIL = (
    [0.3333333366026371, 0.1999985316596486, 0.14296178997151418, 0.10853287900440187, 0.11612164612011674],
    [
        0.3333333333333333, 0.20000000000007292, 0.1428571428355438, 0.11111111358713932, 0.09090894718066429,
        0.07692785032479312, 0.06657072104827468, 0.06000536404795356, 0.04400369243072337,
        0.08082022805971766,
    ],
)  # fmt: skip
"""(atanh(s) / s - 1) / s^2 in powers of s^2, for s up to 1/3, by Chebyshev interpolation; errors are 4e-9 and 5e-17."""


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
    power, rest = _exp_of_minus(x)
    return fma(power, rest, power)


def expm1_of_minus(x: Any) -> Any:
    """exp(-x) - 1 for x >= 0, which keeps its accuracy near zero."""
    power, rest = _exp_of_minus(x)
    return fma(power, rest, power - 1.0)


def _exp_of_minus(x: Any) -> tuple[Any, Any]:
    """2^k and exp(r) - 1."""
    y = -1.0 * at_most(x, _of(x, EXPONENT_LIMIT))
    shifted = fma(y, LOG2_E, _of(y, ROUNDER))
    k = _of(y, ROUNDER) - shifted
    r = fma(k, _of(k, LN2_LOW), fma(k, _of(k, LN2_HIGH), y))
    return power_of_two(shifted), fma(r * r, polynomial(r, *EXP_TAIL), r)


def exp_in_parts(y: Any, low: Any = 0.0) -> tuple[Any, Any]:
    """e and a power of two whose product is exp(y + low), for y from -UNDERFLOW to 0 and a `low` far smaller.

    Both are normal numbers where their product is not: what else there is to multiply goes to e first, so that there is
    one rounding to a subnormal number, the last.
    """
    k = fma(y, LOG2_E, _of(y, WHOLE)) - _of(y, WHOLE)
    half = fma(k, 0.5, _of(y, ROUNDER))
    other = k - (half - _of(y, ROUNDER)) + _of(y, ROUNDER)
    r = fma(k, -_of(y, LN2_LOW), fma(k, -_of(y, LN2_HIGH), y)) + low
    power = power_of_two(half)
    return fma(power, fma(r * r, polynomial(r, *EXP_TAIL), r), power), power_of_two(other)


def exp_of_negative(y: Any) -> Any:
    """exp(y) for y <= 0, which ends in 0."""
    e, power = exp_in_parts(at_least(y, -underflow(y)))
    return e * power


def underflow(x: Any) -> float:
    """The UNDERFLOW of the dtype of x."""
    return _of(x, UNDERFLOW)


def log1p_of_share(x: Any) -> Any:
    """log(1 + x) for x from 0 to 1, which keeps its accuracy near zero.

    log(1 + x) = 2 atanh(s) = x - s (x - 2 (atanh(s) / s - 1))  with  s = x / (2 + x),  as  2 s = x - s x.
    """
    s = x / (x + 2.0)
    square = s * s
    return fma(-s, fma(-2.0 * square, polynomial(square, *LOG_TAIL), x), x)
