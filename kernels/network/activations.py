"""Activations and their derivatives over rows of vectors.

    linear   a = z                   sigma' = 1
    relu     a = max(z, 0)           sigma' = 1 where z > 0, else 0 (so relu'(0) = 0)
    tanh     a = tanh(z)             sigma' = 1 - a^2
    sigmoid  a = 1 / (1 + exp(-z))   sigma' = a (1 - a)

Every derivative is a function of the activation `a` alone, so that z need not be kept. NaN stays NaN everywhere.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir

from shoal.kernels.compile.jit import inlined
from shoal.kernels.simd.exponential import half_expm1, sigmoid
from shoal.kernels.simd.instructions import Builder, multiply_add, where
from shoal.kernels.simd.lanes import GROUP, STRIPE, Lanes, narrow
from shoal.kernels.network.tape import RELU, SIGMOID, TANH
from shoal.kernels.compile.linked import Pointer, linked
from shoal.kernels.simd.vector import absolute, at_least, elementwise, loader, store


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
    def finish(code, a, t):  # nothing is left to do
        pass

    return begin, finish


def _over_rows(lanes: Lanes, make: Any) -> Any:
    """What `make` makes for a kind of load, over `units` rows of n elements, `ld` apart, from `at` on.

    A stripe of vectors is finished when the next one is begun, so that a division runs beside other work. Rows of
    samples have room for whole stripes; of networks, what is left over is done one by one.
    """
    width, have_room = lanes.width, not lanes.networks
    begin, finish = make(loader(lambda dtype: STRIPE * lanes.count(dtype)))
    begin_one, finish_one = make(narrow)

    @inlined
    def over_rows(code, a, da, dz, at, units, n, ld):
        stripe, begun = STRIPE * width(a), -1
        rows, size = (1, units * n) if ld == n else (units, n)
        for row in range(rows):
            t, end = at + row * ld, at + row * ld + size
            end_of_stripes = end if have_room else end - size % stripe
            while t < end_of_stripes:
                begin(code, a, da, dz, t)
                if begun >= 0:
                    finish(code, a, begun)
                begun = t
                t += stripe
            if not have_room:
                while t < end:
                    begin_one(code, a, da, dz, t)
                    finish_one(code, a, t)
                    t += GROUP
        if begun >= 0:
            finish(code, a, begun)

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
