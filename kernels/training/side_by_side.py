"""Eight networks of one shape with a network in each lane: training where a mini-batch is too small to fill vectors.

The networks of a job differ in their parameters, learning rates, shuffles and data sets, never in shape, batch size,
steps or the number of samples, so that one network for each of many data sets fills the lanes too. Each lane does what
its own network asks for and nothing else; a job that has fewer than eight networks repeats the last of them in the
lanes that are left. A mini-batch is one tile, and an optimizer that is DIRECT adds the gradient to the parameters as it
comes out of the backward pass.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from shoal.kernels.compile.jit import inlined, jit
from shoal.kernels.compile.linked import Doubles, Integers, Pointer, linked, unpacked
from shoal.kernels.network.cost import add_cost
from shoal.kernels.network.dropout import draw_masks
from shoal.kernels.network.group_rows import apart, elements, gather, spread
from shoal.kernels.network.of_networks import (
    add_gradients,
    backward,
    backward_and_gradients,
    forward,
    forward_one,
)
from shoal.kernels.network.rows import fill
from shoal.kernels.simd.lanes import GROUP, NETWORKS
from shoal.kernels.simd.memory import empty, filled
from shoal.kernels.simd.vector import small
from shoal.kernels.streams import random_bits, shuffle
from shoal.kernels.training.data import N_DATA_ROW, data_at, data_row_at, shared_of, validation_of
from shoal.kernels.training.fleet import Fleet, fleet_at, job_at
from shoal.kernels.training.loop import Parts, make_loop
from shoal.kernels.training.regularise import add_weights, clip_factor, collect, multiply
from shoal.kernels.training.stopping import N_WATCH, is_lowest, is_over
from shoal.kernels.training.team import finish_job, next_job
from shoal.kernels.training.update import NUMBERS, compute_numbers, set_rates, update
from shoal.kernels.training.way import Way

MINIBATCH_TILE = 32
"""Samples in a tile, and the largest mini-batch that is trained this way."""
ROW = (MINIBATCH_TILE + 2) * GROUP
"""Elements of the longest row of a tile. Buffers have one more: the last vector of a short one may run over its end."""


class GroupWorkspace(NamedTuple):
    """Memory of a thread: nothing is allocated while networks are trained.

    a, da, y: tile buffers. grads, states (`part` apart), numbers: gradient, state of the optimizer, and the numbers of
    a step. Of each network: its learning rate, shrink: what its weights are decayed by, squares: those of its gradient,
    clip: what that is multiplied by. order: shuffled samples, network after network. X, Y, validation_x, validation_y:
    where the data set of each network begins. costs: cost per output and network. scale: what the backward pass
    multiplies gradients by. ones: see `add_gradients`. rows: see `gather`, `draw_masks`. step_keys,
    unit_keys: see `draw_masks`.
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
    rows: Integers
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
        grads=empty(part * (not jobs["is_direct"].all()), dtype),
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
        rows=empty(ROW, np.int64),
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
def draw(at, low, n):
    """Draw the masks of samples low..low + n - 1 of every network's own order."""
    small()
    ws, job, n_samples, size = at.ws, at.job, at.shared.n, elements(n, at.ws.a)
    for t in range(size // GROUP):
        for lane in range(GROUP):
            ws.rows[t * GROUP + lane] = ws.order[lane * n_samples + low + min(t, n - 1)]
    draw_masks(job.draw, at.fleet.tapes + job.training_ops, job.n_ops, job.n_units, ws.step_keys, ws.unit_keys,
               ws.rows, ws.a, size, apart(n, ws.a))  # fmt: skip


@jit
def tile_cost(at, ops, n, share, cost_kernel):
    """Forward pass over the n samples in the buffers: add their cost per output and network, and set dC/dy_hat."""
    small()
    ws, fleet, job, n_outputs = at.ws, at.fleet, at.job, at.shared.n_outputs
    ld, size = apart(n, ws.a), elements(n, ws.a)
    params, output = fleet.params + job.params, (job.n_units - n_outputs) * ld
    if n == 1:
        forward_one(ops, job.n_ops, params, ws.a)
    else:
        forward(ops, job.n_ops, params, ws.a, size, ld)
    add_cost(cost_kernel, ws.a + output, ld, ws.y, ld, n_outputs, n * GROUP, size, share,
             fleet.loss_hypers + job.loss_hypers, ws.costs, ws.da + output)  # fmt: skip


@jit
def minibatch_cost(at, low, n):
    """The cost over samples low..low + n - 1 of every network's own order, per output and network."""
    small()
    ws, shared = at.ws, at.shared
    fill(ws.costs, shared.n_outputs * GROUP, 0.0)
    gather(at.data.values, ws.X, shared.ld, ws.order + low, shared.n, shared.n_features, ws.a, n, ws.rows)
    gather(at.data.values, ws.Y, shared.ld, ws.order + low, shared.n, shared.y_rows, ws.y, n, ws.rows)
    if at.job.draw:
        draw(at, low, n)
    tile_cost(at, at.fleet.tapes + at.job.training_ops, n, 1.0 / n, at.job.add_cost)


@jit
def cost_over_all(at, shared, X, Y, cost_kernel):
    """The cost over all samples of the networks' data sets like `shared`, which begin at X and Y; without dropout."""
    small()
    ws, values = at.ws, at.data.values
    fill(ws.costs, shared.n_outputs * GROUP, 0.0)
    for low in range(0, shared.n, MINIBATCH_TILE):
        n = min(MINIBATCH_TILE, shared.n - low)
        spread(values + low, X, shared.ld, shared.n_features, ws.a, n)
        spread(values + low, Y, shared.ld, shared.y_rows, ws.y, n)
        tile_cost(at, at.fleet.tapes + at.job.ops, n, 1.0 / shared.n, cost_kernel)


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


@inlined
def _begin(at):
    ws, n = at.ws, at.shared.n
    fill(ws.states, at.job.n_states * ws.part, 0.0)
    find_data(at, False, ws.X, ws.Y)
    for s in range(GROUP * n):  # of a full batch, which is never shuffled
        ws.order[s] = s % n


@inlined
def _begin_step(at, step):
    if at.job.draw:
        for lane in range(GROUP):
            key = np.uint64(at.fleet.dropout_keys[at.i * GROUP + lane])
            at.ws.step_keys[lane] = np.int64(random_bits(key, np.uint64(step)))


@inlined
def _pass_over_all(at, with_gradient):
    ws, shared = at.ws, at.shared
    if at.job.batch_size == 0:
        minibatch_cost(at, 0, shared.n)  # one tile
    else:
        cost_over_all(at, shared, ws.X, ws.Y, at.job.add_cost)


@inlined
def _set_rates(at, epoch):
    set_rates(at, epoch, at.i * GROUP, GROUP)


@inlined
def _shuffle(at, epoch):
    n = at.shared.n
    for lane in range(GROUP):
        shuffle(at.fleet.shuffle_keys[at.i * GROUP + lane], epoch, at.ws.order + lane * n, n)


@inlined
def _pass_over_batch(at, low, n):
    minibatch_cost(at, low, n)


@inlined
def _record(at, record):
    size = at.shared.n_outputs * GROUP
    target = at.fleet.costs + at.job.costs + record * size
    for k in range(size):
        target[k] = at.ws.costs[k]


@jit
def keep_lane(at, snapshot, lane):
    """Copy one network's parameters to a snapshot."""
    small()
    fleet, size = at.fleet, at.job.n_params * GROUP
    source, target = fleet.params + at.job.params, fleet.snapshots + at.job.kept + snapshot * size
    for p in range(lane, size, GROUP):
        target[p] = source[p]


@jit
def _validate(at, validation, step):
    small()
    ws, fleet, job, n_outputs = at.ws, at.fleet, at.job, at.shared.n_outputs
    first = find_data(at, True, ws.validation_x, ws.validation_y)
    cost_over_all(at, shared_of(at.data, first), ws.validation_x, ws.validation_y, job.add_validation_cost)
    target = fleet.costs + job.validation_costs + validation * n_outputs * GROUP
    for lane in range(GROUP):
        network, total = at.i * GROUP + lane, 0.0
        if fleet.stopped[network] >= 0 or fleet.ended[network] >= 0:
            continue
        for k in range(n_outputs):
            target[k * GROUP + lane] = ws.costs[k * GROUP + lane]
            total += ws.costs[k * GROUP + lane]
        if is_lowest(fleet.watches + network * N_WATCH, total, validation == 0):
            keep_lane(at, 0, lane)
        if is_over(fleet.watches + network * N_WATCH):
            fleet.ended[network] = step


@inlined
def _keep(at, snapshot):
    for lane in range(GROUP):
        if at.fleet.stopped[at.i * GROUP + lane] < 0:
            keep_lane(at, snapshot, lane)


@inlined
def _stop_diverged(at, step, snapshot):
    """The lanes of stopped networks run on, of no effect."""
    going, stopped, ended = 0, at.fleet.stopped + at.i * GROUP, at.fleet.ended + at.i * GROUP
    for lane in range(GROUP):
        if stopped[lane] >= 0 or ended[lane] >= 0:
            continue
        total = 0.0
        for k in range(at.shared.n_outputs):
            total += at.ws.costs[k * GROUP + lane]
        if np.isfinite(total):
            going += 1
            continue
        for rest in range(snapshot, at.job.n_snapshots):
            keep_lane(at, rest, lane)
        stopped[lane] = step
    return going


@jit
def add_gradient(at, n, grads):
    """Add `scale` times the gradient to `grads`, from the buffers that `tile_cost` filled."""
    small()
    ws, fleet, job = at.ws, at.fleet, at.job
    ops, params = fleet.tapes + job.training_ops, fleet.params + job.params
    ld, size = apart(n, ws.a), elements(n, ws.a)
    if n == 1:
        backward_and_gradients(ops, job.n_ops, params, ws.a, ws.da, grads, ws.scale)
    else:
        backward(ops, job.n_ops, params, ws.a, ws.da, ws.da, size, ld, 0)
        add_gradients(ops, job.n_ops, ws.a, ws.da, size, ld, ws.ones, grads, ws.scale)


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


@inlined
def _update(at, step, n):
    ws, fleet, job = at.ws, at.fleet, at.job
    params, size = fleet.params + job.params, job.n_params * GROUP
    if job.is_direct:
        for lane in range(GROUP):
            ws.scale[lane] = -ws.rates[lane]
        add_gradient(at, n, params)
    else:
        fill(ws.grads, size, 0.0)
        fill(ws.scale, GROUP, 1.0)
        add_gradient(at, n, ws.grads)
        if job.compute_numbers:
            compute_numbers(job.compute_numbers, step + 1, fleet.hypers + job.hypers, ws.numbers)
        regularise(at, params, size)
        update(job.update, params, size, ws.grads, 1, 0, ws.states, ws.part, ws.rates, ws.numbers)


descend = make_loop(
    Parts(
        stride=GROUP,
        begin=_begin,
        begin_step=_begin_step,
        validate=_validate,
        pass_over_all=_pass_over_all,
        set_rates=_set_rates,
        shuffle=_shuffle,
        pass_over_batch=_pass_over_batch,
        record=_record,
        keep=_keep,
        stop_diverged=_stop_diverged,
        update=_update,
    )
)


@linked(NETWORKS.name, entry=True)
def train_groups(
    thread: int, control: Integers, workspaces: Integers, fleet_table: Integers, data_table: Integers, like: Pointer
):
    """What every thread runs: train groups of networks from the queue; see team.py for `control`."""
    small()
    ws = workspace_at(workspaces + thread * N_WORKSPACE, like)
    fleet, data = fleet_at(fleet_table, like), data_at(data_table, like)
    i = next_job(control, fleet.n_jobs)
    while i >= 0:
        if descend(GroupAt(ws, fleet, data, shared_of(data, fleet.data[i * GROUP]), i, job_at(fleet, i)), control):
            finish_job(control)
        i = next_job(control, fleet.n_jobs)


SIDE_BY_SIDE = Way("networks in lanes", train_groups, workspace, GROUP, NETWORKS.name)
