"""Activations and their derivatives over rows of vectors.

    linear   a = z                   sigma' = 1
    relu     a = max(z, 0)           sigma' = 1 where z > 0, else 0 (so relu'(0) = 0)
    tanh     a = tanh(z)             sigma' = 1 - a^2
    sigmoid  a = 1 / (1 + exp(-z))   sigma' = a (1 - a)

Every derivative is a function of the activation `a` alone, so that z need not be kept. NaN stays NaN everywhere.
tanh and exp are our own rather than libm's: they work on vectors, and their bits do not change with the C library.
Errors are below 3 units in the last place (tests/test_activations.py) wherever the exact value is a normal number;
sigmoid stops at its smallest normal value, near -708 in float64 and -87 in float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir

from kernels._jit import inlined
from kernels.instructions import Builder, multiply_add, where
from kernels.lanes import Lanes, narrow
from kernels.layout import RELU, SIGMOID, TANH
from kernels.linked import Pointer, linked
from kernels.vector import (
    absolute,
    at_least,
    at_most,
    constant,
    elementwise,
    fma,
    loader,
    polynomial,
    power_of_two,
    store,
    where_negative,
    with_sign,
)

LOG2_E = 1.4426950408889634
rounder = constant(1.5 * 2.0**23, 1.5 * 2.0**52)
"""Adding it to a small number leaves the nearest whole number in the low bits."""
ln2_high = constant(0.693145751953125, 0.693147180369123816490)
ln2_low = constant(1.428606765330187e-06, 1.90821492927058770002e-10)
"""ln 2 in two parts; the first is short enough for its product with a small whole number to be exact."""
zero = constant(0.0, 0.0)
UNROLLED = 4
"""Vectors worked on at once: one alone waits for the result of every operation."""
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


def relu_derivative(builder: Builder, da: Any, a: Any) -> Any:
    """da sigma'(z), as instructions."""
    return where(builder, ">", a, da, ir.Constant(a.type, None))


def tanh_derivative(builder: Builder, da: Any, a: Any) -> Any:
    """da sigma'(z), as instructions."""
    return builder.fmul(da, _one_minus(builder, a, a))


def sigmoid_derivative(builder: Builder, da: Any, a: Any) -> Any:
    """da sigma'(z), as instructions."""
    return builder.fmul(da, builder.fmul(a, _one_minus(builder, a, ir.Constant(a.type, [1.0] * a.type.count))))


def _one_minus(builder: Builder, x: Any, y: Any) -> Any:
    return multiply_add(builder, builder.fneg(x), y, ir.Constant(x.type, [1.0] * x.type.count))


through_relu = elementwise(relu_derivative, 2)
through_tanh = elementwise(tanh_derivative, 2)
through_sigmoid = elementwise(sigmoid_derivative, 2)


class Activations(NamedTuple):
    """The kernels for one meaning of the lanes."""

    activate: Any
    differentiate: Any


def _activation(load: Any) -> Any:
    """sigma(z) of one vector in place of z; tanh divides when it is finished."""

    @inlined
    def begin(code, a, da, dz, t):
        z = load(a, t)
        if code == RELU:
            store(a, t, at_least(z, 0.0))
        elif code == TANH:
            store(a, t, half_expm1(z))
        elif code == SIGMOID:
            store(a, t, sigmoid(z))

    @inlined
    def finish(code, a, t):
        if code == TANH:
            h = load(a, t)
            store(a, t, h / (absolute(h) + 1.0))

    return begin, finish


def _derivative(load: Any) -> Any:
    """dz = da sigma'(z) of one vector."""

    @inlined
    def begin(code, a, da, dz, t):
        if code == RELU:
            store(dz, t, through_relu(load(da, t), load(a, t)))
        elif code == TANH:
            store(dz, t, through_tanh(load(da, t), load(a, t)))
        elif code == SIGMOID:
            store(dz, t, through_sigmoid(load(da, t), load(a, t)))
        else:
            store(dz, t, load(da, t))

    @inlined
    def finish(code, a, t):
        pass

    return begin, finish


def _over_rows(lanes: Lanes, make: Any) -> Any:
    """What `make` makes for a kind of load, over `units` rows of n elements, `ld` apart, from `at` on.

    Several vectors are finished when the next ones are begun, so that a division runs beside other work.
    """
    load_several = loader(lambda dtype: UNROLLED * lanes.count(dtype))
    begin_several, finish_several = make(load_several)
    (begin, finish), (begin_end, finish_end) = make(lanes.load), make(narrow if lanes.networks else lanes.load)
    width = lanes.width

    @inlined
    def over_rows(code, a, da, dz, at, units, n, ld):
        step = width(a)
        rows, size = (1, units * n) if ld == n else (units, n)
        begun = -1
        for row in range(rows):
            t, last = at + row * ld, at + row * ld + size
            while t + UNROLLED * step <= last:
                begin_several(code, a, da, dz, t)
                if begun >= 0:
                    finish_several(code, a, begun)
                begun = t
                t += UNROLLED * step
            while t + step <= last:
                begin(code, a, da, dz, t)
                finish(code, a, t)
                t += step
            if t < last:
                begin_end(code, a, da, dz, t)
                finish_end(code, a, t)
        if begun >= 0:
            finish_several(code, a, begun)

    return over_rows


def make_activations(lanes: Lanes) -> Activations:
    """Compile the kernels for samples or for networks in lanes."""
    activate_rows, differentiate_rows = _over_rows(lanes, _activation), _over_rows(lanes, _derivative)

    @linked(lanes.name)
    def activate(code: int, a: Pointer, at: int, units: int, n: int, ld: int):
        """Replace z by sigma(z) in `units` rows of n elements, `ld` apart, from `at` on."""
        activate_rows(code, a, a, a, at, units, n, ld)

    @linked(lanes.name)
    def differentiate(code: int, a: Pointer, da: Pointer, dz: Pointer, at: int, units: int, n: int, ld: int):
        """dz = da sigma'(z) over the same rows of a, da and dz, which may be da."""
        differentiate_rows(code, a, da, dz, at, units, n, ld)

    return Activations(activate, differentiate)
