"""Forward and backward pass of one network over one tile of samples.

A tile buffer holds one block per node of the tape, one row per unit, the tile's samples contiguous along a row:
`a` the activations, `da` = dC/da of the same shape. `dz` = dC/dz is scratch space for the widest node.
"""

from __future__ import annotations

from kernels import dense
from kernels._jit import jit
from kernels.activations import activate, differentiate
from kernels.layout import ADD, APPLY, CODE, COPY, DENSE, KIND, OFFSET, SOURCE, TARGET

TILE = 64
"""Samples worked on at once, so that the activations of a network of 100 units stay in the second-level cache."""


@jit
def block(buffer, sizes, node, n):
    """The block of `node` in a tile buffer: a view of shape (units, n), n <= TILE."""
    start = 0
    for before in range(node):
        start += sizes[before]
    start *= TILE
    return buffer[start : start + sizes[node] * n].reshape(sizes[node], n)


@jit
def weights(row, sizes, op):
    """Views W (fan_out, fan_in) and b (fan_out,) of a dense operation into a flat row of parameters or gradients."""
    fan_in, fan_out = sizes[op[SOURCE]], sizes[op[TARGET]]
    start = op[OFFSET]
    end = start + fan_in * fan_out
    return row[start:end].reshape(fan_out, fan_in), row[end : end + fan_out]


@jit
def copy_to(target, values):
    """target = values, element by element (a slice assignment would compile for seconds)."""
    target, values = target.reshape(target.size), values.reshape(target.size)
    for i in range(target.size):
        target[i] = values[i]


@jit
def add_to(target, values):
    """target += values, element by element."""
    target, values = target.reshape(target.size), values.reshape(target.size)
    for i in range(target.size):
        target[i] += values[i]


@jit
def forward(ops, sizes, params, a, n):
    """Fill `a` from its input block, for n <= TILE samples; returns the output block (n_outputs, n)."""
    for op in ops:
        source, target = block(a, sizes, op[SOURCE], n), block(a, sizes, op[TARGET], n)
        if op[KIND] == DENSE:
            W, b = weights(params, sizes, op)
            dense.forward(W, b, source, target)
            activate(op[CODE], target)
        elif op[KIND] == ADD:
            add_to(target, source)
        else:
            copy_to(target, source)
            if op[KIND] == APPLY:
                activate(op[CODE], target)
    return block(a, sizes, sizes.size - 1, n)


@jit
def backward(ops, sizes, params, a, da, dz, grads, n):
    """Add dC/dW and dC/db to `grads`, and fill `da` with dC/da of every node, the input (dC/dx) included.

    On entry the last block of `da` holds dC/dy_hat and the other blocks are zero.
    """
    for back in range(ops.shape[0]):
        op = ops[ops.shape[0] - 1 - back]
        source, target = block(a, sizes, op[SOURCE], n), block(a, sizes, op[TARGET], n)
        dsource, dtarget = block(da, sizes, op[SOURCE], n), block(da, sizes, op[TARGET], n)
        if op[KIND] == COPY or op[KIND] == ADD:
            add_to(dsource, dtarget)
            continue
        delta = dz[: target.size].reshape(target.shape)
        differentiate(op[CODE], target, dtarget, delta)
        if op[KIND] == APPLY:
            add_to(dsource, delta)
            continue
        W, _ = weights(params, sizes, op)
        dW, db = weights(grads, sizes, op)
        dense.weight_gradient(delta, source, dW)
        dense.bias_gradient(delta, db)
        dense.input_gradient(W, delta, dsource)
