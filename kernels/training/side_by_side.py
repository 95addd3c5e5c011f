"""Eight networks of one shape with a network in each lane: training where a mini-batch is too small to fill vectors.

The networks of a job differ in their parameters, learning rates and shuffles, never in shape, batch size or steps. Each
lane does what its own network asks for and nothing else; a job that has fewer than eight networks repeats the last of
them in the lanes that are left. A mini-batch is one tile, and gradient descent adds the gradient to the parameters as
it comes out of the backward pass.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shoal.kernels.compile.jit import inlined, jit
from shoal.kernels.training.fleet import ADAM, Fleet, Shared, fleet_at, job_at, shared_at
from shoal.kernels.simd.lanes import GROUP, NETWORKS
from shoal.kernels.compile.linked import Costs, Pointer, Table, linked, unpacked
from shoal.kernels.network.loss import make_loss
from shoal.kernels.simd.memory import empty, filled
from shoal.kernels.network.forward_backward import make_network
from shoal.kernels.training.optimizers import BETA_1, BETA_2, make_optimizers
from shoal.kernels.streams import shuffle
from shoal.kernels.network.rows import elements, fill, gather, row, spread
from shoal.kernels.training.team import STOP, fetch, finish_job, next_job
from shoal.kernels.simd.vector import small

forward, backward, add_gradients, _ = make_network(NETWORKS)
_, adam = make_optimizers(NETWORKS)
add_cost = make_loss(NETWORKS)

TILE = 32
"""Samples in a tile, and the largest mini-batch that is trained this way."""
ROW = (TILE + 2) * GROUP
"""Elements of the longest row of a tile. Buffers have one more: the last vector of a short one may run over its end."""
SCALES = 2 * GROUP
"""A cache line at least, since threads that write to the same one wait for each other."""


class Workspace(NamedTuple):
    """Memory of the threads, one row each: nothing is allocated while networks are trained.

    a, da, y: tile buffers. grads, means, squares: gradient and state of Adam. order: shuffled samples, network after
    network. costs: cost per output and network of a mini-batch. scale: what the backward pass multiplies gradients by.
    ones: see `add_gradients`.
    """

    a: Pointer
    da: Pointer
    buffer: int
    y: Pointer
    grads: Pointer
    means: Pointer
    squares: Pointer
    part: int
    order: Table
    costs: Costs
    scale: Pointer
    ones: Pointer


workspace_at = unpacked(Workspace)


def workspace(fleet: Fleet, shared: Shared, n_threads: int) -> Workspace:
    """Memory for the largest network of the fleet."""
    jobs, dtype = fleet.jobs, fleet.params.dtype
    adam = bool((jobs["method"] == ADAM).any())
    buffer, part = (int(jobs["n_units"].max()) + 1) * ROW, (int(jobs["n_params"].max()) + 1) // 2 * 2 * GROUP * adam
    return Workspace(
        a=empty((n_threads, buffer), dtype),
        da=empty((n_threads, buffer), dtype),
        buffer=buffer,
        y=empty((n_threads, (shared.n_outputs + 1) * ROW), dtype),
        grads=empty((n_threads, part), dtype),
        means=empty((n_threads, part), dtype),
        squares=empty((n_threads, part), dtype),
        part=part,
        order=empty((n_threads, GROUP * shared.n), np.int64),
        costs=empty((n_threads, shared.n_outputs * GROUP)),
        scale=empty((n_threads, SCALES), dtype),
        ones=filled(np.ones(ROW), dtype),
    )


@inlined
def of_thread(ws, shared, thread):
    """The thread's rows of a workspace."""
    outputs = shared.n_outputs * GROUP
    return Workspace(
        ws.a + thread * ws.buffer, ws.da + thread * ws.buffer, ws.buffer, ws.y + thread * (shared.n_outputs + 1) * ROW,
        ws.grads + thread * ws.part, ws.means + thread * ws.part, ws.squares + thread * ws.part, ws.part,
        ws.order + thread * GROUP * shared.n, ws.costs + thread * outputs, ws.scale + thread * SCALES,
        ws.ones,
    )  # fmt: skip


@jit
def tile_cost(ws, fleet, shared, job, n, share, costs, costs_at):
    """Forward pass over the tile in the buffers: add its cost per output and network, and set dC/dy_hat."""
    small()
    a, ld, size = ws.a, row(n, ws.a), elements(n, ws.a)
    y_hat = (job.n_units - shared.n_outputs) * ld
    forward(fleet.tapes + job.ops, job.n_ops, fleet.params, job.params, a, size, ld)
    add_cost(a, y_hat, ld, ws.y, 0, ld, shared.n_outputs, n * GROUP, size, share, costs, costs_at, ws.da)


@inlined
def whole_cost(ws, fleet, shared, job, costs, costs_at):
    """The cost over all samples, per output and network."""
    fill(costs, costs_at, shared.n_outputs * GROUP, 0.0)
    for low in range(0, shared.n, TILE):
        n = min(TILE, shared.n - low)
        spread(shared.X, shared.ld, low, shared.n_features, ws.a, n)
        spread(shared.Y, shared.ld, low, shared.n_outputs, ws.y, n)
        tile_cost(ws, fleet, shared, job, n, 1.0 / shared.n, costs, costs_at)


@jit
def minibatch_cost(ws, fleet, shared, job, low, n):
    """The cost over samples low..low + n - 1 of every network's own order, per output and network."""
    small()
    costs, order = ws.costs, ws.order
    fill(costs, 0, shared.n_outputs * GROUP, 0.0)
    gather(shared.X, shared.ld, order, shared.n, low, shared.n_features, ws.a, n)
    gather(shared.Y, shared.ld, order, shared.n, low, shared.n_outputs, ws.y, n)
    tile_cost(ws, fleet, shared, job, n, 1.0 / n, costs, 0)


@jit
def gradient(ws, fleet, job, n, grads, grads_at):
    """Add `scale` times the gradient to `grads`, from the buffers that `tile_cost` filled."""
    small()
    a, da, ld, size, ops = ws.a, ws.da, row(n, ws.a), elements(n, ws.a), fleet.tapes + job.ops
    backward(ops, job.n_ops, fleet.params, job.params, a, da, da, size, ld, grads, grads_at, ws.scale, 0)
    add_gradients(ops, job.n_ops, a, da, size, ld, ws.ones, grads, grads_at, ws.scale)


@inlined
def update(ws, fleet, i, job, n, step):
    """One step of the optimizer."""
    if job.method == ADAM:
        grads, size = ws.grads, job.n_params * GROUP
        fill(grads, 0, size, 0.0)
        fill(ws.scale, 0, GROUP, 1.0)
        gradient(ws, fleet, job, n, grads, 0)
        correction_1, correction_2 = 1.0 / (1.0 - BETA_1 ** (step + 1)), 1.0 / (1.0 - BETA_2 ** (step + 1))
        adam(fleet.params, job.params, size, grads, 0, 1, 0, fleet.rates, i * GROUP,
             ws.means, ws.squares, 0, correction_1, correction_2)  # fmt: skip
    else:
        for lane in range(GROUP):
            ws.scale[lane] = -fleet.rates[i * GROUP + lane]
        gradient(ws, fleet, job, n, fleet.params, job.params)


@inlined
def take_snapshots(fleet, i, job, step, taken):
    """Copy the parameters of networks that have not diverged to every snapshot due; returns how many are taken."""
    while taken < job.n_snapshots and fleet.steps[job.snapshots + taken] <= step:
        for lane in range(GROUP):
            if fleet.stopped[i * GROUP + lane] < 0:
                copy_lane(fleet, job, taken, lane)
        taken += 1
    return taken


@jit
def copy_lane(fleet, job, snapshot, lane):
    """Copy one network's parameters to a snapshot."""
    small()
    target = job.rows + snapshot * job.n_params * GROUP
    for p in range(lane, job.n_params * GROUP, GROUP):
        fleet.snapshots[target + p] = fleet.params[job.params + p]


@inlined
def stop_diverged(costs, costs_at, n_outputs, fleet, i, job, step, taken):
    """Mark networks whose cost is not finite and keep their parameters; returns how many networks go on."""
    going = 0
    for lane in range(GROUP):
        if fleet.stopped[i * GROUP + lane] >= 0:
            continue
        total = 0.0
        for k in range(n_outputs):
            total += costs[costs_at + k * GROUP + lane]
        if np.isfinite(total):
            going += 1
            continue
        for snapshot in range(taken, job.n_snapshots):
            copy_lane(fleet, job, snapshot, lane)
        fleet.stopped[i * GROUP + lane] = step
    return going


@inlined
def train_group(ws, control, fleet, shared, i):
    """Train one job. A network whose cost is not finite is marked in `stopped`; its lane runs on, of no effect."""
    job = job_at(fleet, i, ws.a)
    n, n_steps = shared.n, fleet.steps[job.snapshots + job.n_snapshots - 1]
    full, order = job.batch_size == 0, ws.order
    taken, recorded, low, high, epoch = 0, 0, 0, n, 0
    if full:
        for s in range(GROUP * n):
            order[s] = s % n
    fill(ws.means, 0, ws.part, 0.0)
    fill(ws.squares, 0, ws.part, 0.0)
    for step in range(n_steps + 1):
        if not full and recorded < job.n_records and fleet.steps[job.records + recorded] == step:
            whole_cost(ws, fleet, shared, job, fleet.costs, job.costs + recorded * shared.n_outputs * GROUP)
            recorded += 1
        if full:
            minibatch_cost(ws, fleet, shared, job, 0, n)
            if recorded < job.n_records and fleet.steps[job.records + recorded] == step:
                target = job.costs + recorded * shared.n_outputs * GROUP
                for k in range(shared.n_outputs * GROUP):
                    fleet.costs[target + k] = ws.costs[k]
                recorded += 1
        taken = take_snapshots(fleet, i, job, step, taken)
        if step == n_steps or fetch(control, STOP):
            break
        if not full:
            if high == n:
                for lane in range(GROUP):
                    shuffle(fleet.shuffle_keys[i * GROUP + lane], epoch, order + lane * n, n)
                high, epoch = 0, epoch + 1
            low, high = high, min(high + job.batch_size, n)
            minibatch_cost(ws, fleet, shared, job, low, high - low)
        if stop_diverged(ws.costs, 0, shared.n_outputs, fleet, i, job, step, taken) == 0:
            break
        update(ws, fleet, i, job, high - low, step)


@linked(NETWORKS.name, entry=True)
def train_groups(thread: int, control: Table, ws_table: Table, fleet_table: Table, shared_table: Table, like: Pointer):
    """What every thread runs: train groups of networks from the queue; see team.py for `control`."""
    small()
    fleet, shared = fleet_at(fleet_table, like), shared_at(shared_table, like)
    ws = of_thread(workspace_at(ws_table, like), shared, thread)
    i = next_job(control, fleet.n_jobs)
    while i >= 0:
        train_group(ws, control, fleet, shared, i)
        finish_job(control)
        i = next_job(control, fleet.n_jobs)
