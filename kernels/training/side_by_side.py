"""Training eight networks of one shape side by side, a network in each lane, where a mini-batch is too small to fill
vectors; see groups.py.

The networks of a job differ in their parameters, learning rates, shuffles and data sets, never in shape, batch size,
steps or the number of samples, so that one network for each of many data sets fills the lanes too. A job that has fewer
than eight networks repeats the last of them in the lanes that are left. An optimizer that is DIRECT adds the gradient
to the parameters as it comes out of the backward pass.
"""

from __future__ import annotations

import numpy as np

from shoal.kernels.compile.jit import inlined, jit
from shoal.kernels.compile.linked import Integers, Pointer, linked
from shoal.kernels.matrix.blocks import FROM_SUM, FROM_ZERO
from shoal.kernels.network.rows import fill
from shoal.kernels.simd.lanes import GROUP, NETWORKS
from shoal.kernels.simd.vector import small
from shoal.kernels.streams import random_bits, shuffle
from shoal.kernels.training.data import data_at, shared_of
from shoal.kernels.training.fleet import fleet_at, job_at
from shoal.kernels.training.groups import (
    N_WORKSPACE,
    GroupAt,
    cost_over_all,
    find_data,
    minibatch_cost,
    put_gradient,
    regularise,
    workspace,
    workspace_at,
)
from shoal.kernels.training.loop import Parts, make_loop
from shoal.kernels.training.neighbours import arranged
from shoal.kernels.training.stopping import N_WATCH, is_lowest, is_over
from shoal.kernels.training.team import finish_job, next_job
from shoal.kernels.training.update import compute_numbers, set_rates, update
from shoal.kernels.training.way import Way


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
    keys, order = at.fleet.shuffle_keys + at.i * GROUP, at.ws.order
    for lane in range(GROUP):
        if lane > 0 and keys[lane] == keys[lane - 1]:
            for s in range(lane * n, lane * n + n):
                order[s] = order[s - n]
        else:
            shuffle(keys[lane], epoch, order + lane * n, n)


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


@inlined
def _update(at, step, n):
    ws, fleet, job = at.ws, at.fleet, at.job
    params, size = fleet.params + job.params, job.n_params * GROUP
    if job.is_direct:
        for lane in range(GROUP):
            ws.scale[lane] = -ws.rates[lane]
        put_gradient(at, n, params, FROM_SUM)
    else:
        fill(ws.scale, GROUP, 1.0)
        put_gradient(at, n, ws.grads, FROM_ZERO)
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


SIDE_BY_SIDE = Way("networks in lanes", train_groups, workspace, GROUP, NETWORKS.name, arranged)
