"""One network over all of its samples on the calling thread: predictions, and the gradients of everything.

X, Y and what is filled are feature-major and flat, rows `ld` apart, a whole number of vectors; see `Shared` in jobs.py.
"""

from __future__ import annotations

from typing import NamedTuple

from shoal.kernels.compile.jit import jit
from shoal.kernels.simd.lanes import SAMPLES
from shoal.kernels.compile.linked import Costs, Pointer, Table, linked, unpacked
from shoal.kernels.network.rows import copy_columns
from shoal.kernels.training.chunks import add_cost, add_gradients, backward, forward

TILE = 64
"""Samples worked on at once: a whole number of vectors in every dtype."""


class Single(NamedTuple):
    """One network, its data and its buffers: a, da, dz (n_units * TILE each), ones (TILE), deltas (n_units * ld)."""

    ops: Table
    n_ops: int
    n_units: int
    params: Pointer
    X: Pointer
    Y: Pointer
    n: int
    ld: int
    n_features: int
    n_outputs: int
    a: Pointer
    da: Pointer
    dz: Pointer
    ones: Pointer
    costs: Costs
    grads: Pointer
    deltas: Pointer


single_at = unpacked(Single)


@jit
def copy_back(tile, rows, target, ld, begin, n):
    """target[r, begin + t] = tile[r, t] for `rows` rows of n elements."""
    for r in range(rows):
        for t in range(n):
            target[r * ld + begin + t] = tile[r * TILE + t]


@linked(SAMPLES.name, entry=True)
def predict_all(table: Table, like: Pointer):
    """Fill Y with the network's outputs for X."""
    net = single_at(table, like)
    output = (net.n_units - net.n_outputs) * TILE
    for begin in range(0, net.n, TILE):
        m = min(TILE, net.ld - begin)
        copy_columns(net.X, net.ld, begin, net.n_features, net.a, TILE, m)
        forward(net.ops, net.n_ops, net.params, 0, net.a, m, TILE)
        copy_back(net.a + output, net.n_outputs, net.Y, net.ld, begin, m)


@linked(SAMPLES.name, entry=True)
def differentiate_all(table: Table, like: Pointer):
    """The mean cost per output, its gradient, and dC/da of every node.

    Adds to costs (n_outputs,) float64 and grads (n_params,), and fills deltas, the input (dC/dx) first.
    """
    net = single_at(table, like)
    a, da, output = net.a, net.da, (net.n_units - net.n_outputs) * TILE
    for begin in range(0, net.n, TILE):
        m = min(TILE, net.ld - begin)
        copy_columns(net.X, net.ld, begin, net.n_features, a, TILE, m)
        forward(net.ops, net.n_ops, net.params, 0, a, m, TILE)
        add_cost(a, output, TILE, net.Y, begin, net.ld, net.n_outputs, min(m, net.n - begin), m, 1.0 / net.n,
                 net.costs, 0, da)  # fmt: skip
        backward(net.ops, net.n_ops, net.params, 0, a, da, net.dz, m, TILE, net.grads, 0, a, 1)
        add_gradients(net.ops, net.n_ops, a, net.dz, m, TILE, net.ones, net.grads, 0, a)
        copy_back(da, net.n_units, net.deltas, net.ld, begin, m)
