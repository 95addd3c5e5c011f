"""Training one network at a time, with samples in the lanes and whoever is idle to help; see team.py and samples.py."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shoal.kernels.compile.jit import inlined, jit
from shoal.kernels.training.fleet import MAX_CHUNKS, fleet_at, job_at, shared_at
from shoal.kernels.simd.lanes import SAMPLES
from shoal.kernels.compile.linked import Pointer, Table, linked
from shoal.kernels.streams import shuffle
from shoal.kernels.network.rows import fill
from shoal.kernels.training.chunks import (
    COST,
    GRADIENT,
    JOB,
    LOW,
    MINIBATCH_GRADIENT,
    PHASE,
    STEP,
    UPDATE,
    N,
    cost_row,
    n_chunks,
    n_slices,
    run_ticket,
    stripe_of,
    workspace_at,
)
from shoal.kernels.training.team import FINISHED, STOP, fetch, finish_job, give_way, next_job, open_loop, take, wait
from shoal.kernels.simd.vector import small


class Tables(NamedTuple):
    """Where the workspace, the fleet and the data stand in memory, for `run_ticket`."""

    ws: Table
    fleet: Table
    shared: Table
    like: Pointer


@jit
def help_with(tables, ws, thread, owner):
    """Run iterations of the owner's open loop until none is left; returns whether there was one."""
    small()
    helped = False
    while True:
        ticket = take(ws.tickets, owner)
        if ticket < 0:
            return helped
        run_ticket(tables.ws, tables.fleet, tables.shared, tables.like, thread, owner, ticket)
        helped = True


@jit
def together(tables, ws, job, thread, i, phase, low, n, step):
    """Run one phase of the network that this thread owns, with the help of whoever is idle."""
    small()
    task = ws.task + thread * 8
    task[JOB] = i
    task[PHASE] = phase
    task[LOW] = low
    task[N] = n
    task[STEP] = step
    parts = n_slices(job.n_params) if phase == UPDATE else n_chunks(n, job, stripe_of(ws.a))
    open_loop(ws.tickets, ws.finished, thread, parts)
    help_with(tables, ws, thread, thread)
    wait(ws.finished, thread, parts)


@jit
def pass_cost(tables, ws, job, shared, thread, i, phase, low, n, step, costs, costs_at):
    """Run a pass; put its cost per output into costs[costs_at ...] and return their sum."""
    small()
    together(tables, ws, job, thread, i, phase, low, n, step)
    total, partial = 0.0, ws.costs + thread * cost_row(shared)
    chunks = n_chunks(n, job, stripe_of(ws.a))
    for k in range(shared.n_outputs):
        cost = 0.0
        for chunk in range(chunks):
            cost += partial[chunk * shared.n_outputs + k]
        costs[costs_at + k] = cost
        total += cost
    return total


@jit
def take_snapshots(fleet, job, step, taken):
    """Copy the parameters to every snapshot due by `step`; returns how many have been taken."""
    small()
    while taken < job.n_snapshots and fleet.steps[job.snapshots + taken] <= step:
        target = job.rows + taken * job.n_params
        for p in range(job.n_params):
            fleet.snapshots[target + p] = fleet.params[job.params + p]
        taken += 1
    return taken


@inlined
def train_network(tables, ws, thread, control, fleet, shared, i):
    """Train one network; where its cost is not finite, stopped[i] is the step and the parameters stay as they are."""
    job = job_at(fleet, i, ws.a)
    n, n_steps = shared.n, fleet.steps[job.snapshots + job.n_snapshots - 1]
    full, scratch = job.batch_size == 0, MAX_CHUNKS * shared.n_outputs
    taken, recorded, low, high, epoch = 0, 0, 0, n, 0
    fill(ws.means, thread * ws.part, ws.part, 0.0)
    fill(ws.squares, thread * ws.part, ws.part, 0.0)
    for step in range(n_steps + 1):
        cost = 0.0
        if recorded < job.n_records and fleet.steps[job.records + recorded] == step:
            phase = GRADIENT if full and step < n_steps else COST
            at = job.costs + recorded * shared.n_outputs
            cost = pass_cost(tables, ws, job, shared, thread, i, phase, 0, n, step, fleet.costs, at)
            recorded += 1
        taken = take_snapshots(fleet, job, step, taken)
        if step == n_steps or fetch(control, STOP):
            break
        if not full:
            if high == n:
                shuffle(fleet.shuffle_keys[i], epoch, ws.order + thread * n, n)
                high, epoch = 0, epoch + 1
            low, high = high, min(high + job.batch_size, n)
            phase, costs = MINIBATCH_GRADIENT, ws.costs + thread * cost_row(shared)
            cost = pass_cost(tables, ws, job, shared, thread, i, phase, low, high - low, step, costs, scratch)
        if not np.isfinite(cost):
            fleet.stopped[i] = step
            take_snapshots(fleet, job, n_steps, taken)
            break
        together(tables, ws, job, thread, i, UPDATE, low, high - low, step)


@linked(SAMPLES.name, entry=True)
def train_networks(
    thread: int, control: Table, ws_table: Table, fleet_table: Table, shared_table: Table, like: Pointer
):
    """What every thread runs: train networks from the queue; see team.py for `control`."""
    small()
    ws, fleet, shared = workspace_at(ws_table, like), fleet_at(fleet_table, like), shared_at(shared_table, like)
    tables = Tables(ws_table, fleet_table, shared_table, like)
    i = next_job(control, fleet.n_jobs)
    while i >= 0:
        train_network(tables, ws, thread, control, fleet, shared, i)
        finish_job(control)
        i = next_job(control, fleet.n_jobs)


@linked(SAMPLES.name, entry=True)
def help_networks(thread: int, control: Table, ws_table: Table, fleet_table: Table, shared_table: Table, like: Pointer):
    """What a thread runs when no network is left to begin: help with those that are not finished."""
    small()
    ws, fleet = workspace_at(ws_table, like), fleet_at(fleet_table, like)
    tables = Tables(ws_table, fleet_table, shared_table, like)
    while fetch(control, FINISHED) < fleet.n_jobs and not fetch(control, STOP):
        helped = False
        for owner in range(ws.n_threads):
            if help_with(tables, ws, thread, owner):
                helped = True
        if not helped:
            give_way()
