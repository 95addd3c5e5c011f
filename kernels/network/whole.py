"""One network over all of its samples on the calling thread: predictions, and the gradients of everything.

X, Y and what is filled are feature-major and flat, rows `ld` apart, a whole number of vectors; see `Shared` in
training/fleet.py.
"""

from __future__ import annotations

from typing import NamedTuple

from shoal.kernels.compile.jit import jit
from shoal.kernels.compile.linked import Doubles, Integers, Pointer, linked, unpacked
from shoal.kernels.matrix.blocks import FROM_SUM
from shoal.kernels.network.cost import add_cost
from shoal.kernels.network.of_samples import add_gradients, backward, forward
from shoal.kernels.network.rows import copy_columns
from shoal.kernels.simd.lanes import SAMPLES

TILE = 64
"""Samples worked on at once: a whole number of vectors in every dtype."""


class Single(NamedTuple):
    """One network, its data and a buffer a (n_units * TILE)."""

    ops: Integers
    n_ops: int
    n_units: int
    n_params: int
    params: Pointer
    X: Pointer
    n: int
    ld: int
    n_features: int
    n_outputs: int
    a: Pointer


class Gradient(NamedTuple):
    """What its gradients take beside: targets Y, a loss, buffers da, dz as a, ones (TILE), and what is filled."""

    add_cost: int  # address of the loss' kernel
    hypers: Doubles  # of the loss
    Y: Pointer
    da: Pointer
    dz: Pointer
    ones: Pointer
    costs: Doubles  # (n_outputs,)
    grads: Pointer  # (n_params,)
    deltas: Pointer  # (n_units * ld,)


single_at, gradient_at = unpacked(Single), unpacked(Gradient)


@jit
def tile_forward(net, params, begin):
    """Forward pass over the samples from `begin` on; returns the elements of a row."""
    n = min(TILE, net.ld - begin)
    copy_columns(net.X + begin, net.ld, net.n_features, net.a, TILE, n)
    forward(net.ops, net.n_ops, params, net.a, n, TILE)
    return n


@jit
def copy_back(tile, rows, target, ld, n):
    """target[r, t] = tile[r, t] for `rows` rows of n elements."""
    for r in range(rows):
        for t in range(n):
            target[r * ld + t] = tile[r * TILE + t]


@linked(SAMPLES.name, entry=True)
def predict_all(table: Integers, n_networks: int, outputs: Pointer):
    """Fill outputs (n_networks, n_outputs, ld) for X with those of networks whose params stand one behind the other."""
    net = single_at(table, outputs)
    for k in range(n_networks):
        own = outputs + k * net.n_outputs * net.ld
        for begin in range(0, net.n, TILE):
            n = tile_forward(net, net.params + k * net.n_params, begin)
            copy_back(net.a + (net.n_units - net.n_outputs) * TILE, net.n_outputs, own + begin, net.ld, n)


@linked(SAMPLES.name, entry=True)
def differentiate_all(table: Integers, gradient_table: Integers, like: Pointer):
    """The mean cost per output, its gradient, and dC/da of every node.

    Adds to costs (float64) and grads, and fills deltas, the input (dC/dx) first.
    """
    net, to = single_at(table, like), gradient_at(gradient_table, like)
    output = (net.n_units - net.n_outputs) * TILE
    for begin in range(0, net.n, TILE):
        n = tile_forward(net, net.params, begin)
        add_cost(to.add_cost, net.a + output, TILE, to.Y + begin, net.ld, net.n_outputs, min(n, net.n - begin), n,
                 1.0 / net.n, to.hypers, to.costs, 1, to.da + output)  # fmt: skip
        backward(net.ops, net.n_ops, net.params, net.a, to.da, to.dz, n, TILE, 1)
        add_gradients(net.ops, net.n_ops, net.a, to.dz, n, TILE, to.ones, to.grads, net.a, FROM_SUM)
        copy_back(to.da, net.n_units, to.deltas + begin, net.ld, n)
