"""Eight networks of one shape with a network in each lane: their cost and gradient over a tile of samples.

A mini-batch is one tile. Each lane does what its own network asks for and nothing else.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from shoal.kernels.compile.jit import jit
from shoal.kernels.compile.linked import Doubles, Integers, Pointer, unpacked
from shoal.kernels.matrix.blocks import FROM_ZERO
from shoal.kernels.network.cost import add_cost
from shoal.kernels.network.dropout import draw_masks
from shoal.kernels.network.group_rows import apart, are_alike, elements, gather, name_samples, spread
from shoal.kernels.network.of_networks import (
    add_gradients,
    backward,
    backward_and_gradients,
    forward,
    forward_one,
)
from shoal.kernels.network.rows import fill
from shoal.kernels.network.shared_input import forward_shared
from shoal.kernels.simd.lanes import GROUP
from shoal.kernels.simd.memory import empty, filled
from shoal.kernels.simd.vector import small
from shoal.kernels.training.data import N_DATA_ROW, data_row_at, validation_of
from shoal.kernels.training.fleet import Fleet
from shoal.kernels.training.regularise import add_weights, clip_factor, collect, multiply
from shoal.kernels.training.update import NUMBERS

MINIBATCH_TILE = 32
"""Samples in a tile, and the largest mini-batch that is trained this way."""
ROW = (MINIBATCH_TILE + 2) * GROUP
"""Elements of the longest row of a tile. Buffers have one more: the last vector of a short one may run over its end."""


class GroupWorkspace(NamedTuple):
    """Memory of a thread: nothing is allocated while networks are trained.

    a, da, y: tile buffers. grads, states (`part` apart), numbers: gradient, state of the optimizer, and the numbers of
    a step. Of each network: its learning rate, shrink: what its weights are decayed by, squares: those of its gradient,
    clip: what that is multiplied by. order: shuffled samples, network after network. X, Y, validation_x, validation_y:
    where the data set of each network begins. costs: cost per output and network. scale: what gradients that are added
    are multiplied by. ones: see `add_gradients`. samples: which sample each element of a row is, places: see `gather`.
    step_keys, unit_keys: see `draw_masks`.
    """

    a: Pointer
    da: Pointer
    y: Pointer
    grads: Pointer
    states: Pointer
    part: int
    numbers: Doubles
    rates: Pointer
    shrink: Pointer
    squares: Doubles
    clip: Pointer
    order: Integers
    X: Integers
    Y: Integers
    validation_x: Integers
    validation_y: Integers
    costs: Doubles
    scale: Pointer
    ones: Pointer
    samples: Integers
    places: Integers
    step_keys: Integers
    unit_keys: Integers


workspace_at, N_WORKSPACE = unpacked(GroupWorkspace), len(GroupWorkspace._fields)


def workspace(fleet: Fleet) -> GroupWorkspace:
    """Memory of a thread for the largest network of the fleet."""
    jobs, dtype = fleet.jobs, fleet.params.dtype
    n_outputs = int(jobs["n_outputs"].max())
    buffer = (int((jobs["n_units"] + jobs["n_masks"]).max()) + 1) * ROW
    part = (int(jobs["n_params"].max()) + 1) // 2 * 2 * GROUP
    return GroupWorkspace(
        a=empty(buffer, dtype),
        da=empty(buffer, dtype),
        y=empty((n_outputs + 2) * ROW, dtype),
        grads=filled(np.zeros(part * (not jobs["is_direct"].all())), dtype),
        states=empty(part * int(jobs["n_states"].max()), dtype),
        part=part,
        numbers=empty(NUMBERS),
        rates=empty(GROUP, dtype),
        shrink=empty(GROUP, dtype),
        squares=empty(GROUP),
        clip=empty(GROUP, dtype),
        order=empty(GROUP * int(jobs["n_samples"].max()), np.int64),
        X=empty(GROUP, np.int64),
        Y=empty(GROUP, np.int64),
        validation_x=empty(GROUP, np.int64),
        validation_y=empty(GROUP, np.int64),
        costs=empty(n_outputs * GROUP),
        scale=empty(GROUP, dtype),
        ones=filled(np.ones(ROW), dtype),
        samples=empty(ROW, np.int64),
        places=empty(ROW, np.int64),
        step_keys=empty(GROUP, np.int64),
        unit_keys=empty(GROUP, np.int64),
    )


class GroupAt(NamedTuple):
    """Where a job is trained: the memory of its thread, and the job."""

    ws: Any
    fleet: Any
    data: Any
    shared: Any
    i: int
    job: Any


@jit
def tile_forward(at, ops, n):
    """Forward pass over the n samples in the buffers."""
    small()
    ws, params = at.ws, at.fleet.params + at.job.params
    if n == 1:
        forward_one(ops, at.job.n_ops, params, ws.a)
    else:
        forward(ops, at.job.n_ops, params, ws.a, elements(n, ws.a), apart(n, ws.a))


@jit
def tile_cost(at, n, share, cost_kernel, per_output):
    """Add the cost of the n samples that a forward pass was over, per network and output (if `per_output`), and set
    dC/dy_hat."""
    small()
    ws, fleet, job, n_outputs = at.ws, at.fleet, at.job, at.shared.n_outputs
    ld, size = apart(n, ws.a), elements(n, ws.a)
    output = (job.n_units - n_outputs) * ld
    add_cost(cost_kernel, ws.a + output, ld, ws.y, ld, n_outputs, n * GROUP, size, share,
             fleet.loss_hypers + job.loss_hypers, ws.costs, per_output, ws.da + output)  # fmt: skip


@jit
def gather_tile(at, shared, X, Y, n, alike):
    """Fill the buffers with the n samples that `samples` names, of the networks' data sets, which begin at X and Y.

    They are `alike` where all networks have the same ones.
    """
    small()
    ws, values = at.ws, at.data.values
    gather(values, X, shared.ld, ws.samples, shared.n_features, ws.a, n, ws.places, alike)
    gather(values, Y, shared.ld, ws.samples, shared.y_rows, ws.y, n, ws.places, alike)


@jit
def minibatch_cost(at, low, n):
    """The cost over samples low..low + n - 1 of every network's own order: of all, under full batch, per output."""
    small()
    ws, shared, job, ops = at.ws, at.shared, at.job, at.fleet.tapes + at.job.training_ops
    fill(ws.costs, shared.n_outputs * GROUP, 0.0)
    name_samples(ws.order + low, shared.n, n, ws.samples, ws.a)
    is_full = job.batch_size == 0
    same_order = is_full or are_alike(at.fleet.shuffle_keys + at.i * GROUP)
    gather_tile(at, shared, ws.X, ws.Y, n, same_order and are_alike(ws.X) and are_alike(ws.Y))
    if job.draw:
        draw_masks(job.draw, ops, job.n_ops, job.n_units, ws.step_keys, ws.unit_keys, ws.samples, ws.a,
                   elements(n, ws.a), apart(n, ws.a))  # fmt: skip
    tile_forward(at, ops, n)
    tile_cost(at, n, 1.0 / n, job.add_cost, is_full)


@jit
def alike_forward(at, shared, x, n):
    """Forward pass over n samples that all networks have, from x on; without dropout."""
    small()
    ws, ops = at.ws, at.fleet.tapes + at.job.ops
    if n > 1 and at.job.reads_input_once:
        forward_shared(ops, at.job.n_ops, at.fleet.params + at.job.params, x, shared.ld, ws.a, n)
    else:
        spread(x, shared.ld, shared.n_features, ws.a, n)
        tile_forward(at, ops, n)


@jit
def cost_over_all(at, shared, X, Y, cost_kernel):
    """The cost over all samples of the networks' data sets like `shared`, which begin at X and Y; without dropout."""
    small()
    ws, values = at.ws, at.data.values
    fill(ws.costs, shared.n_outputs * GROUP, 0.0)
    alike = are_alike(X) and are_alike(Y)
    for low in range(0, shared.n, MINIBATCH_TILE):
        n = min(MINIBATCH_TILE, shared.n - low)
        if alike:
            spread(values + Y[0] + low, shared.ld, shared.y_rows, ws.y, n)
            alike_forward(at, shared, values + X[0] + low, n)
        else:
            for i in range(elements(n, ws.a)):
                ws.samples[i] = low + min(i // GROUP, n - 1)
            gather_tile(at, shared, X, Y, n, False)
            tile_forward(at, at.fleet.tapes + at.job.ops, n)
        tile_cost(at, n, 1.0 / shared.n, cost_kernel, 1)


@jit
def find_data(at, of_validation, X, Y):
    """Fill X and Y with where each network's data set begins, or its validation set; returns the number of the first
    one's."""
    small()
    first = -1
    for lane in range(GROUP):
        which = at.fleet.data[at.i * GROUP + lane]
        if of_validation:
            which = validation_of(at.data, which)
        row = data_row_at(at.data.sets + which * N_DATA_ROW)
        X[lane], Y[lane] = row.X, row.Y
        if lane == 0:
            first = which
    return first


@jit
def put_gradient(at, n, grads, start):
    """Fill `grads` with the gradient, or add `scale` times it where `start` is FROM_SUM, from the buffers that
    `tile_cost` filled; where `start` is not, `scale` is 1."""
    small()
    ws, fleet, job = at.ws, at.fleet, at.job
    ops, params = fleet.tapes + job.training_ops, fleet.params + job.params
    ld, size = apart(n, ws.a), elements(n, ws.a)
    if n == 1:
        if start == FROM_ZERO:
            fill(grads, job.n_params * GROUP, 0.0)
        backward_and_gradients(ops, job.n_ops, params, ws.a, ws.da, grads, ws.scale)
    else:
        backward(ops, job.n_ops, params, ws.a, ws.da, ws.da, size, ld, 0)
        add_gradients(ops, job.n_ops, ws.a, ws.da, size, ld, ws.ones, grads, ws.scale, start)


@jit
def regularise(at, params, size):
    """Penalise, clip and decay, before the step; see regularise.py."""
    small()
    ws, fleet, job, first = at.ws, at.fleet, at.job, at.i * GROUP
    ops = fleet.tapes + job.ops
    if job.penalise:
        add_weights(job.penalise, ops, job.n_ops, params, 0, size, fleet.l2 + first, ws.grads)
    if job.clip:
        fill(ws.squares, GROUP, 0.0)
        collect(job.collect, ws.grads, size, 1, 0, ws.squares)
        for lane in range(GROUP):
            ws.clip[lane] = clip_factor(ws.squares[lane], fleet.clip_norms[first + lane])
        multiply(job.clip, ws.grads, size, ws.clip)
    if job.decay:
        add_weights(job.decay, ops, job.n_ops, params, 0, size, ws.shrink, params)
