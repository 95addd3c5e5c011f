"""Forward and backward pass of one network, or of several side by side, over one tile of samples.

A buffer holds one row per unit, node after node of the tape; the n elements of a row (samples, or samples times
networks) are contiguous and rows are `ld` apart: `a` the activations, `da` = dC/da of the same shape. `dz` = dC/dz has
that shape too and may be `da` itself, where only the gradients of the parameters are wanted.

A tile goes through all layers forth and back before the next one does, and stays in the second-level cache; what is in
the first-level cache is up to the loops of the matrix products (dense.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from shoal.kernels.network.activations import make_activations
from shoal.kernels.matrix.products import make_dense
from shoal.kernels.simd.lanes import Lanes, narrow
from shoal.kernels.network.tape import (
    ADD,
    APPLY,
    CODE,
    DENSE,
    DONE,
    FAN_IN,
    FAN_OUT,
    FROM_SUM,
    FROM_ZERO,
    KIND,
    LINEAR,
    N_FIELDS,
    OFFSET,
    RELU,
    SOURCE,
    START,
    TARGET,
    THROUGH,
)
from shoal.kernels.compile.linked import Pointer, Table, linked
from shoal.kernels.simd.vector import store


class Network(NamedTuple):
    """The kernels for one meaning of the lanes."""

    forward: Any
    backward: Any
    add_gradients: Any
    weight_gradient: Any


def make_network(lanes: Lanes) -> Network:
    """Compile the passes for samples or for networks in lanes."""
    dense, activations = make_dense(lanes), make_activations(lanes)
    dense_forward, dense_backward, weight_gradient = dense
    activate, differentiate = activations.activate, activations.differentiate
    stride, step = lanes.stride, lanes.step
    load = narrow if lanes.networks else lanes.load

    @linked(lanes.name)
    def put(source: Pointer, source_at: int, target: Pointer, target_at: int, units: int, n: int, ld: int, start: int):
        """target = source over rows, or target += source where `start` is FROM_SUM."""
        for unit in range(units):
            for t in range(unit * ld, unit * ld + n, step(source)):
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
                dense_forward(params, W, fan_out, ops[op + FAN_IN], code, a, source, target, n, ld)
            else:
                put(a, source, a, target, fan_out, n, ld, FROM_SUM if kind == ADD else FROM_ZERO)
            if kind == APPLY or code != RELU:
                activate(code, a, target, fan_out, n, ld)

    @linked(lanes.name)
    def backward(
        ops: Table, n_ops: int, params: Pointer, params_at: int, a: Pointer, da: Pointer, dz: Pointer, n: int, ld: int,
        grads: Pointer, grads_at: int, scale: Pointer, all_inputs: int,
    ):  # fmt: skip
        """Fill `dz`, and `da` with dC/da of the nodes before the last, which it has.

        dC/dx, the input's rows of `da`, is left out unless `all_inputs`, where `dz` has to be an array of its own. Else
        `dz` is `da`, and may take a node's place at once. Where there is one sample (of networks in lanes), `scale`
        times the gradients of all parameters are added to `grads` here, as W is gone through once.
        """
        at_once = n > stride() and not all_inputs
        for k in range(n_ops - 1, -1, -1):
            op = k * N_FIELDS
            kind, code, start = ops[op + KIND], ops[op + CODE], ops[op + START]
            fan_in, fan_out = ops[op + FAN_IN], ops[op + FAN_OUT]
            source, target = ops[op + SOURCE] * ld, ops[op + TARGET] * ld
            through = ops[op + THROUGH] if at_once else LINEAR
            if kind == APPLY or (kind == DENSE and not (at_once and ops[op + DONE])):
                differentiate(code, a, da, dz, target, fan_out, n, ld)
            if kind != DENSE:
                put(dz if kind == APPLY else da, target, da, source, fan_in, n, ld, start)
            elif all_inputs or source > 0 or n == stride():
                W = ops[op + OFFSET] * stride()
                dense_backward(params, params_at + W, fan_out, fan_in, dz, target, a, da, source, n, ld, start,
                               through, grads, grads_at + W, scale)  # fmt: skip

    @linked(lanes.name)
    def add_gradients(
        ops: Table, n_ops: int, a: Pointer, dz: Pointer, n: int, ld: int, ones: Pointer,
        grads: Pointer, grads_at: int, scale: Pointer,
    ):  # fmt: skip
        """Add dC/dW and dC/db to `grads`, where `backward` has not, from the n elements of a tile's rows.

        `ones` is a row of 1s, the input that a bias is the weight of. `scale` is what `Lanes.add_gradient` takes.
        """
        for k in range(n_ops):
            op = k * N_FIELDS
            if ops[op + KIND] == DENSE and n > stride():
                fan_in, fan_out = ops[op + FAN_IN], ops[op + FAN_OUT]
                source, target = ops[op + SOURCE] * ld, ops[op + TARGET] * ld
                W = grads_at + ops[op + OFFSET] * stride()
                b = W + fan_in * fan_out * stride()
                weight_gradient(dz, target, fan_out, ones, 0, 1, n, ld, grads, b, scale)
                weight_gradient(dz, target, fan_out, a, source, fan_in, n, ld, grads, W, scale)

    return Network(forward, backward, add_gradients, weight_gradient)
