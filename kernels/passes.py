"""One network over all of its samples, tile after tile: the cost with its gradient, predictions, input gradients.

Shapes: X (n_features, n_all), Y (n_outputs, n_all), feature-major; `samples` (n,) int64 says which, in what order.
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
def gather(X, samples, tile):
    """Copy the columns samples (n,) of X (rows, n_all) to `tile` (rows, n)."""
    for f in range(X.shape[0]):
        for t in range(samples.size):
            tile[f, t] = X[f, samples[t]]


@jit
def scatter(tile, start, Y):
    """Copy `tile` (rows, n) to the columns of Y (rows, n_all) from `start` on."""
    for k in range(tile.shape[0]):
        for t in range(tile.shape[1]):
            Y[k, start + t] = tile[k, t]


@jit
def tile_pass(net, params, X, Y, samples, n_all, costs, grads):
    """Add the share of at most TILE `samples` in a mean over `n_all` to costs, and to grads unless that is empty.

    After differentiating, the workspace's `da` holds dC/da of every node for these samples.
    """
    ops, sizes, a, da, dz, y = net
    n = samples.size
    gather(X, samples, block(a, sizes, 0, n))
    target = y[: Y.shape[0] * n].reshape(Y.shape[0], n)
    gather(Y, samples, target)
    y_hat = forward(ops, sizes, params, a, n)
    loss.add_half_squares(y_hat, target, n_all, costs)
    if grads.size:
        da[:] = da.dtype.type(0)
        loss.cost_gradient(y_hat, target, n_all, block(da, sizes, sizes.size - 1, n))
        backward(ops, sizes, params, a, da, dz, grads, n)


@jit
def cost_pass(net, params, X, Y, samples, costs, grads):
    """The mean cost over `samples` (n,), per output, and its gradient unless grads is empty.

    Fills costs (n_outputs,) float64 and grads (n_params,), tile after tile in order. Whether a gradient is wanted is
    told by the size of grads rather than by a flag: Numba would compile the pass once for each constant flag, and the
    cost must come from the very same instructions with and without a gradient.
    """
    costs[:] = 0.0
    grads[:] = grads.dtype.type(0)
    for start in range(0, samples.size, TILE):
        tile_pass(net, params, X, Y, samples[start : start + TILE], samples.size, costs, grads)


@jit
def predict_one(ops, sizes, params, X, Y):
    """Fill Y with the network's outputs for X."""
    net = workspace(ops, sizes, Y.shape[0], X)
    a, samples = net[2], np.arange(X.shape[1])
    for start in range(0, samples.size, TILE):
        n = min(TILE, samples.size - start)
        gather(X, samples[start : start + n], block(a, sizes, 0, n))
        scatter(forward(ops, sizes, params, a, n), start, Y)


@jit
def differentiate_one(ops, sizes, params, X, Y, costs, grads, deltas):
    """The mean cost over all samples per output, its gradient, and dC/da of every node.

    Adds to costs (n_outputs,) float64 and grads (n_params,), which come in as zeros, and fills deltas (n_units, n): one
    row a unit, node after node, the input (dC/dx) first.
    """
    net = workspace(ops, sizes, Y.shape[0], X)
    samples = np.arange(X.shape[1])
    for start in range(0, samples.size, TILE):
        n = min(TILE, samples.size - start)
        tile_pass(net, params, X, Y, samples[start : start + n], samples.size, costs, grads)
        first = 0
        for node in range(sizes.size):
            scatter(block(net[3], sizes, node, n), start, deltas[first : first + sizes[node]])
            first += sizes[node]
