"""The passes of networks in the lanes that see one sample each: W is gone through once for both its gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

from shoal.kernels.compile.linked import Integers, Pointer, linked
from shoal.kernels.matrix.blocks import FROM_SUM, FROM_ZERO
from shoal.kernels.matrix.single_sample import make_single_sample
from shoal.kernels.network.activate import activate, differentiate
from shoal.kernels.network.activations import VALUE_ENDS
from shoal.kernels.network.dropout import drop
from shoal.kernels.network.tape import ADD, DENSE, DROP, N_FIELDS, op_at
from shoal.kernels.simd.lanes import GROUP, Lanes


class SinglePasses(NamedTuple):
    """The kernels."""

    forward: Any
    backward_and_gradients: Any


def make_single_passes(lanes: Lanes, put: Any) -> SinglePasses:
    """Compile the passes for networks in lanes; rows stand close together, GROUP elements each."""
    dense_forward, dense_backward = make_single_sample(lanes, VALUE_ENDS)

    @linked(lanes.name)
    def forward_one(ops: Integers, n_ops: int, params: Pointer, a: Pointer):
        """Fill `a` from its input rows."""
        for k in range(n_ops):
            op = op_at(ops + k * N_FIELDS)
            source, target = a + op.source * GROUP, a + op.target * GROUP
            if op.kind == DENSE:
                dense_forward(params + op.offset * GROUP, op.fan_out, op.fan_in, source, target, op.end)
            elif op.kind == DROP:
                drop(op.drop, source, a + op.mask * GROUP, target, op.fan_out, GROUP, GROUP, FROM_ZERO)
            else:
                put(source, target, op.fan_out, GROUP, GROUP, FROM_SUM if op.kind == ADD else FROM_ZERO)
            if op.activate:
                activate(op.activate, target, op.fan_out, GROUP, GROUP)

    @linked(lanes.name)
    def backward_and_gradients(
        ops: Integers, n_ops: int, params: Pointer, a: Pointer, da: Pointer, grads: Pointer, scale: Pointer
    ):
        """Fill `da` with dC/da, then dC/dz in its place, from the last node, which it has, to the first.

        `scale` times the gradients of all parameters are added to `grads` on the way.
        """
        for k in range(n_ops - 1, -1, -1):
            op = op_at(ops + k * N_FIELDS)
            source, target = op.source * GROUP, op.target * GROUP
            if op.differentiate:
                differentiate(op.differentiate, a + source, a + target, da + target, da + target, op.fan_out, GROUP,
                              GROUP)  # fmt: skip
            if op.kind == DENSE:
                W = op.offset * GROUP
                dense_backward(params + W, op.fan_out, op.fan_in, da + target, a + source, da + source, op.start,
                               grads + W, scale)  # fmt: skip
            elif op.kind == DROP:
                drop(op.drop, da + target, a + op.mask * GROUP, da + source, op.fan_in, GROUP, GROUP, op.start)
            else:
                put(da + target, da + source, op.fan_in, GROUP, GROUP, op.start)

    return SinglePasses(forward_one, backward_and_gradients)
