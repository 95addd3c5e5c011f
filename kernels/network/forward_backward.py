"""Forward and backward pass of one network, or of several side by side, over one tile of samples.

A buffer holds one row per unit, node after node of the tape; the n elements of a row (samples, or samples times
networks) are contiguous and rows are `ld` apart: `a` the activations, `da` = dC/da of the same shape. `dz` = dC/dz has
that shape too and may be `da` itself, where only the gradients of the parameters are wanted.

A tile goes through all layers forth and back before the next one does, and stays in the second-level cache; what is in
the first-level cache is up to the loops of the matrix products (products.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from shoal.kernels.compile.linked import Integers, Pointer, linked
from shoal.kernels.matrix.blocks import FROM_SUM, FROM_ZERO, KEEP
from shoal.kernels.matrix.products import make_products
from shoal.kernels.network.activate import activate, differentiate
from shoal.kernels.network.activations import SLOPE_ENDS, VALUE_ENDS
from shoal.kernels.network.dropout import drop
from shoal.kernels.network.tape import ADD, APPLY, DENSE, DROP, N_FIELDS, op_at
from shoal.kernels.simd.lanes import Lanes
from shoal.kernels.simd.vector import store

ENDS = {code: lambda z, _, value=value: value(z) for code, value in VALUE_ENDS.items()} | SLOPE_ENDS


class Passes(NamedTuple):
    """The kernels for one meaning of the lanes."""

    dense_forward: Any  # see `Products`
    columns: Any
    forward: Any
    backward: Any
    add_gradients: Any
    weight_gradient: Any


def make_put(lanes: Lanes, load: Any, step: Any) -> Any:
    """Compile `put`, which moves rows, with vectors of `step` elements that `load` takes."""

    @linked(lanes.name)
    def put(source: Pointer, target: Pointer, units: int, n: int, ld: int, start: int):
        """target = source over rows, or target += source where `start` is FROM_SUM."""
        for unit in range(units):
            for t in range(unit * ld, unit * ld + n, step(source)):
                value = load(source, t)
                if start == FROM_SUM:
                    value = value + load(target, t)
                store(target, t, value)

    return put


def make_passes(lanes: Lanes, put: Any) -> Passes:
    """Compile the passes for samples or for networks in lanes."""
    dense_forward, columns, dense_backward, weight_gradient = make_products(lanes, ENDS)
    stride = lanes.stride

    @linked(lanes.name)
    def forward(ops: Integers, n_ops: int, params: Pointer, a: Pointer, n: int, ld: int):
        """Fill `a` from its input rows."""
        for k in range(n_ops):
            op = op_at(ops + k * N_FIELDS)
            source, target = a + op.source * ld, a + op.target * ld
            if op.kind == DENSE:
                dense_forward(params + op.offset * stride(), op.fan_out, op.fan_in, source, ld, target, n, ld, op.end)
            elif op.kind == DROP:
                drop(op.drop, source, a + op.mask * ld, target, op.fan_out, n, ld, FROM_ZERO)
            else:
                put(source, target, op.fan_out, n, ld, FROM_SUM if op.kind == ADD else FROM_ZERO)
            if op.activate:  # not taken in the product's registers
                activate(op.activate, target, op.fan_out, n, ld)

    @linked(lanes.name)
    def backward(
        ops: Integers, n_ops: int, params: Pointer, a: Pointer, da: Pointer, dz: Pointer, n: int, ld: int,
        all_inputs: int,
    ):  # fmt: skip
        """Fill `dz`, and `da` with dC/da of the nodes before the last, which it has.

        dC/dx, the input's rows of `da`, is left out unless `all_inputs`, where `dz` has to be an array of its own. Else
        `dz` is `da`, and takes a node's place at once: then the product that makes a node's da multiplies it by the
        slope of the node's activation while it is in registers, and the layer that the node comes from is done.
        """
        for k in range(n_ops - 1, -1, -1):
            op = op_at(ops + k * N_FIELDS)
            source, target = op.source * ld, op.target * ld
            if all_inputs or not op.done:
                if op.differentiate:
                    differentiate(op.differentiate, a + source, a + target, da + target, dz + target, op.fan_out, n, ld)
                elif all_inputs:
                    put(da + target, dz + target, op.fan_out, n, ld, FROM_ZERO)
            if op.kind == DROP:
                drop(op.drop, da + target, a + op.mask * ld, da + source, op.fan_in, n, ld, op.start)
            elif op.kind != DENSE:
                # what is summed is handed on as it is; a bare activation hands on its dz
                put((dz if op.kind == APPLY else da) + target, da + source, op.fan_in, n, ld, op.start)
            elif all_inputs or op.source > 0:
                end = KEEP if all_inputs else op.through
                dense_backward(params + op.offset * stride(), op.fan_out, op.fan_in, dz + target, ld, da + source,
                               a + source, n, ld, op.start, end)  # fmt: skip

    @linked(lanes.name)
    def add_gradients(
        ops: Integers, n_ops: int, a: Pointer, dz: Pointer, n: int, ld: int, ones: Pointer, grads: Pointer,
        scale: Pointer, start: int,
    ):  # fmt: skip
        """Fill `grads` with dC/dW and dC/db, from the n elements of a tile's rows; add them where `start` is FROM_SUM.

        `ones` is a row of 1s, the input that a bias is the weight of. `scale` is what `Lanes.add_gradient` takes.
        """
        for k in range(n_ops):
            op = op_at(ops + k * N_FIELDS)
            if op.kind == DENSE:
                target, W = dz + op.target * ld, grads + op.offset * stride()
                b = W + op.fan_in * op.fan_out * stride()
                weight_gradient(target, op.fan_out, ones, 1, n, ld, b, scale, start)
                weight_gradient(target, op.fan_out, a + op.source * ld, op.fan_in, n, ld, W, scale, start)

    return Passes(dense_forward, columns, forward, backward, add_gradients, weight_gradient)
