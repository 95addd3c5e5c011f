"""The forward pass of networks side by side that see the same samples."""

from __future__ import annotations

from shoal.kernels.compile.linked import Integers, Pointer, linked
from shoal.kernels.network.activate import activate
from shoal.kernels.network.group_rows import apart, elements, group_width, spread
from shoal.kernels.network.of_networks import columns, dense_forward, forward
from shoal.kernels.network.tape import N_FIELDS, op_at
from shoal.kernels.simd.lanes import GROUP, NETWORKS
from shoal.kernels.simd.vector import small


@linked(NETWORKS.name)
def forward_shared(ops: Integers, n_ops: int, params: Pointer, x: Pointer, x_ld: int, a: Pointer, n: int):
    """Fill `a`, but for its input rows, from x (n_features, n > 1), its rows `x_ld` apart.

    Nothing but a dense layer, the first operation, reads the input. Samples are spread into the lanes as many at a time
    as a register tile has, so that they are in the first-level cache while all rows of the layer go through them.
    """
    small()
    op, step, size, ld, t = op_at(ops), group_width(a), elements(n, a), apart(n, a), 0
    target = a + op.target * ld
    while t < size:
        left = (size - t) // step
        width = min(columns(left), left) * step
        some = width // GROUP
        spread(x + t // GROUP, x_ld, op.fan_in, a, some)
        dense_forward(params + op.offset * GROUP, op.fan_out, op.fan_in, a, apart(some, a), target + t, width, ld,
                      op.end)  # fmt: skip
        t += width
    if op.activate:
        activate(op.activate, target, op.fan_out, size, ld)
    forward(ops + N_FIELDS, n_ops - 1, params, a, size, ld)
