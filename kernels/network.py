"""Forward and backward pass of one network, or of several side by side, over one tile of samples.

A tile buffer holds one row per unit, node after node of the tape; the n elements of a row (samples, or samples times
networks) are contiguous and rows are `ld` apart: `a` the activations, `da` = dC/da of the same shape. `dz` = dC/dz has
that shape too and may be `da` itself, where only the gradients of the parameters are wanted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kernels.activations import make_activations
from kernels.dense import make_dense
from kernels.lanes import Lanes
from kernels.layout import (
    ADD,
    APPLY,
    CODE,
    DENSE,
    FAN_IN,
    FAN_OUT,
    FROM_SUM,
    FROM_ZERO,
    KIND,
    N_FIELDS,
    OFFSET,
    RELU,
    SOURCE,
    START,
    TARGET,
)
from kernels.linked import Pointer, Table, linked
from kernels.vector import store


class Network(NamedTuple):
    """The kernels for one meaning of the lanes."""

    forward: Any
    backward: Any
    weight_gradient: Any


def make_network(lanes: Lanes) -> Network:
    """Compile the passes for samples or for networks in lanes."""
    dense, activations = make_dense(lanes), make_activations(lanes)
    affine, input_gradient, weight_gradient = dense.forward, dense.input_gradient, dense.weight_gradient
    both_gradients = dense.both_gradients
    activate, differentiate = activations.activate, activations.differentiate
    load, width, stride = lanes.load, lanes.width, lanes.stride

    @linked(lanes.name)
    def put(source: Pointer, source_at: int, target: Pointer, target_at: int, units: int, n: int, ld: int, start: int):
        """target = source over rows, or target += source where `start` is FROM_SUM."""
        for unit in range(units):
            for t in range(unit * ld, unit * ld + n, width(source)):
                value = load(source, source_at + t)
                if start == FROM_SUM:
                    value = value + load(target, target_at + t)
                store(target, target_at + t, value)

    @linked(lanes.name)
    def forward(ops: Table, n_ops: int, params: Pointer, params_at: int, a: Pointer, n: int, ld: int):
        """Fill `a` from its input rows."""
        for k in range(n_ops):
            op = k * N_FIELDS
            kind, code, fan_out = ops[op + KIND], ops[op + CODE], ops[op + FAN_OUT]
            source, target = ops[op + SOURCE] * ld, ops[op + TARGET] * ld
            if kind == DENSE:
                W = params_at + ops[op + OFFSET] * stride()
                floor = 0.0 if code == RELU else -np.inf
                affine(params, W, fan_out, ops[op + FAN_IN], a, source, a, target, n, ld, floor)
            else:
                put(a, source, a, target, fan_out, n, ld, FROM_SUM if kind == ADD else FROM_ZERO)
            if kind == APPLY or code != RELU:
                activate(code, a, target, fan_out, n, ld)

    @linked(lanes.name)
    def backward(
        ops: Table, n_ops: int, params: Pointer, params_at: int, a: Pointer, da: Pointer, dz: Pointer, n: int, ld: int,
        grads: Pointer, grads_at: int, scale: Pointer, all_inputs: int,
    ):  # fmt: skip
        """Add dC/dW and dC/db to `grads`, and fill `da` with dC/da of the nodes before the last, which it has.

        dC/dx, the input's rows of `da`, is left out unless `all_inputs`. `scale` is what `Lanes.add_gradient` takes.
        """
        for k in range(n_ops - 1, -1, -1):
            op = k * N_FIELDS
            kind, code, start = ops[op + KIND], ops[op + CODE], ops[op + START]
            fan_in, fan_out = ops[op + FAN_IN], ops[op + FAN_OUT]
            source, target = ops[op + SOURCE] * ld, ops[op + TARGET] * ld
            if kind == DENSE:
                W = ops[op + OFFSET] * stride()
                db = grads_at + W + fan_in * fan_out * stride()
                differentiate(code, a, da, dz, target, fan_out, n, ld, grads, db, stride(), scale)
                passed_on = all_inputs or source > 0
                if passed_on and n == stride():
                    both_gradients(params, params_at + W, fan_out, fan_in, dz, target, a, source, da, source, ld, start,
                                   grads, grads_at + W, scale)  # fmt: skip
                    continue
                if passed_on:
                    input_gradient(params, params_at + W, fan_out, fan_in, dz, target, da, source, n, ld, start)
                weight_gradient(dz, target, fan_out, a, source, fan_in, n, ld, grads, grads_at + W, scale)
            elif kind == APPLY:
                differentiate(code, a, da, dz, target, fan_out, n, ld, grads, 0, 0, scale)
                put(dz, target, da, source, fan_in, n, ld, start)
            else:
                put(da, target, da, source, fan_in, n, ld, start)

    return Network(forward, backward, weight_gradient)
