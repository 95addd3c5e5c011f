"""Activations and their derivatives, in place over arrays of any shape.

    linear   a = z                   sigma' = 1
    relu     a = max(z, 0)           sigma' = 1 where z > 0, else 0 (so relu'(0) = 0)
    tanh     a = tanh(z)             sigma' = 1 - a^2
    sigmoid  a = 1 / (1 + exp(-z))   sigma' = a (1 - a)

Every derivative is a function of the activation `a` alone, so that z need not be kept. NaN stays NaN everywhere.
tanh and exp are our own rather than libm's: they vectorise, and their bits do not change with the C library. They are
computed in float64, for float32 too. Errors are below 3 units in the last place (tests/test_activations.py).
"""

from __future__ import annotations

import math

from kernels._jit import bits_of, float_of, jit
from kernels.layout import RELU, SIGMOID, TANH

LOG2_E = 1.4426950408889634
LN2_HIGH = 0.693147180369123816490
LN2_LOW = 1.90821492927058770002e-10
"""ln 2 in two parts; the first has 32 bits, so that its product with a small whole number is exact."""
ROUNDER = 6755399441055744.0
"""1.5 * 2^52: adding it to a small number leaves the nearest whole number in the low bits."""


@jit
def expm1_parts(x):
    """(2^k, exp(r) - 1) with x = k ln 2 + r and |r| <= ln(2) / 2, for |x| <= 708; its Taylor series to r^13."""
    shifted = x * LOG2_E + ROUNDER
    k = shifted - ROUNDER
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    return float_of((bits_of(shifted) + 1023) << 52), r + r * r * p


@jit
def tanh(z):
    """tanh of a float64: e / (e + 2) with e = exp(2|z|) - 1, which keeps its relative accuracy near zero."""
    x = abs(z)
    x = 20.0 if x > 20.0 else x
    power, fraction = expm1_parts(2.0 * x)
    e = power * fraction + (power - 1.0)
    a = e / (e + 2.0)
    return math.copysign(a, z)


@jit
def sigmoid(z):
    """1 / (1 + exp(-z)) of a float64, from exp(-|z|), which cannot overflow; below z = -708 the value of -708."""
    x = abs(z)
    x = 708.0 if x > 708.0 else x
    power, fraction = expm1_parts(-x)
    e = power * fraction + power
    a = 1.0 / (1.0 + e)
    return e * a if z < 0.0 else a


@jit
def activate(code, a):
    """Replace z by sigma(z) in `a` (units, n_samples)."""
    flat = a.reshape(a.size)
    if code == RELU:
        zero = a.dtype.type(0)
        for i in range(flat.size):
            flat[i] = zero if flat[i] < zero else flat[i]
    elif code == TANH:
        for i in range(flat.size):
            flat[i] = tanh(float(flat[i]))
    elif code == SIGMOID:
        for i in range(flat.size):
            flat[i] = sigmoid(float(flat[i]))


@jit
def differentiate(code, a, da, dz):
    """dz = da * sigma'(z), all (units, n_samples), with sigma' from the activation `a`."""
    a, da, dz = a.reshape(a.size), da.reshape(a.size), dz.reshape(a.size)
    one = a.dtype.type(1)
    if code == RELU:
        zero = a.dtype.type(0)
        for i in range(a.size):
            dz[i] = da[i] if a[i] > zero else zero
    elif code == TANH:
        for i in range(a.size):
            dz[i] = da[i] * (one - a[i] * a[i])
    elif code == SIGMOID:
        for i in range(a.size):
            dz[i] = da[i] * (a[i] * (one - a[i]))
    else:
        for i in range(a.size):
            dz[i] = da[i]
