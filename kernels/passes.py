"""One network over all of its samples, tile after tile: the cost with its gradient, predictions, input gradients.

Shapes: X (n_features, n), Y (n_outputs, n), feature-major; `order` (n,) int64 says which sample comes when.
"""

from __future__ import annotations

import numpy as np

from kernels import loss
from kernels._jit import jit
from kernels.network import TILE, backward, block, forward


@jit
def workspace(ops, sizes, n_outputs, dtype_of):
    """The tape with the buffers that a pass over it needs, in the dtype of the array `dtype_of`."""
    units = sizes.sum()
    a, da = np.empty(units * TILE, dtype_of.dtype), np.empty(units * TILE, dtype_of.dtype)
    dz, y = np.empty(sizes.max() * TILE, dtype_of.dtype), np.empty(n_outputs * TILE, dtype_of.dtype)
    return ops, sizes, a, da, dz, y


@jit
def gather(X, order, low, high, tile):
    """Copy the samples order[low:high] of X (rows, n) to the columns of `tile`."""
    for f in range(X.shape[0]):
        for t in range(high - low):
            tile[f, t] = X[f, order[low + t]]


@jit
def tile_pass(net, params, X, Y, order, start, stop, n_samples, differentiate, costs, grads):
    """Add the samples order[start:stop], at most TILE, of a mean over `n_samples` to costs and, if asked, to grads.

    After differentiating, the workspace's `da` holds dC/da of every node for these samples.
    """
    ops, sizes, a, da, dz, y = net
    n = stop - start
    gather(X, order, start, stop, block(a, sizes, 0, n))
    target = y[: Y.shape[0] * n].reshape(Y.shape[0], n)
    gather(Y, order, start, stop, target)
    y_hat = forward(ops, sizes, params, a, n)
    loss.add_half_squares(y_hat, target, n_samples, costs)
    if differentiate:
        da[:] = da.dtype.type(0)
        loss.cost_gradient(y_hat, target, n_samples, block(da, sizes, sizes.size - 1, n))
        backward(ops, sizes, params, a, da, dz, grads, n)


@jit
def cost_pass(net, params, X, Y, order, low, high, differentiate, costs, grads):
    """The mean cost over the samples order[low:high], per output, and its gradient if `differentiate`.

    Fills costs (n_outputs,) float64 and grads (n_params,), tile after tile in order.
    """
    costs[:] = 0.0
    grads[:] = grads.dtype.type(0)
    for start in range(low, high, TILE):
        stop = min(start + TILE, high)
        tile_pass(net, params, X, Y, order, start, stop, high - low, differentiate, costs, grads)


@jit
def predict_one(ops, sizes, params, X, Y):
    """Fill Y with the network's outputs for X."""
    net = workspace(ops, sizes, Y.shape[0], X)
    a, order = net[2], np.arange(X.shape[1])
    for start in range(0, order.size, TILE):
        stop = min(start + TILE, order.size)
        gather(X, order, start, stop, block(a, sizes, 0, stop - start))
        Y[:, start:stop] = forward(ops, sizes, params, a, stop - start)


@jit
def differentiate_one(ops, sizes, params, X, Y, costs, grads, deltas):
    """The mean cost over all samples per output, its gradient, and dC/da of every node.

    Adds to costs (n_outputs,) float64 and grads (n_params,), which come in as zeros, and fills deltas (n_units, n): one
    row a unit, node after node, the input (dC/dx) first.
    """
    net = workspace(ops, sizes, Y.shape[0], X)
    order = np.arange(X.shape[1])
    for start in range(0, order.size, TILE):
        stop = min(start + TILE, order.size)
        tile_pass(net, params, X, Y, order, start, stop, order.size, True, costs, grads)
        first = 0
        for node in range(sizes.size):
            deltas[first : first + sizes[node], start:stop] = block(net[3], sizes, node, stop - start)
            first += sizes[node]
