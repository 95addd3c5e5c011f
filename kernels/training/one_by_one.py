"""Training one network at a time, with samples in the lanes and whoever is idle to help; see tickets.py."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from shoal.kernels.compile.jit import inlined, jit
from shoal.kernels.compile.linked import Integers, Pointer, linked
from shoal.kernels.network.rows import fill
from shoal.kernels.simd.lanes import SAMPLES
from shoal.kernels.simd.vector import small
from shoal.kernels.streams import random_bits, shuffle
from shoal.kernels.training.chunk_workspace import N_WORKSPACE, workspace, workspace_at
from shoal.kernels.training.cuts import (
    COST,
    GRADIENT,
    MINIBATCH_GRADIENT,
    NORM,
    UPDATE,
    VALIDATION,
    n_chunks,
    stripe_of,
)
from shoal.kernels.training.data import data_at, shared_of
from shoal.kernels.training.fleet import fleet_at, job_at
from shoal.kernels.training.loop import Parts, make_loop
from shoal.kernels.training.regularise import clip_factor
from shoal.kernels.training.stopping import N_WATCH, is_lowest, is_over
from shoal.kernels.training.team import FINISHED, N_THREADS, STOP, fetch, finish_job, next_job, rest
from shoal.kernels.training.tickets import Tables, help_with, together
from shoal.kernels.training.update import compute_numbers, set_rates
from shoal.kernels.training.way import Way


class NetworkAt(NamedTuple):
    """Where a network is trained: the thread that owns it, its memory, and the network."""

    tables: Tables
    thread: int
    ws: Any
    fleet: Any
    shared: Any
    i: int
    job: Any


@jit
def run_pass(at, phase, low, n):
    """Run a pass, and add up its cost per output."""
    small()
    together(at, phase, low, n)
    ws, n_outputs = at.ws, at.shared.n_outputs
    chunks = n_chunks(n, at.job, stripe_of(ws.a))
    for k in range(n_outputs):
        cost = 0.0
        for chunk in range(chunks):
            cost += ws.costs[chunk * n_outputs + k]
        ws.total[k] = cost


@inlined
def _begin(at):
    fill(at.ws.states, at.job.n_states * at.ws.part, 0.0)


@jit
def _validate(at, validation, step):
    small()
    fleet, job, n_outputs, total = at.fleet, at.job, at.shared.n_outputs, 0.0
    run_pass(at, VALIDATION, 0, job.n_validation)
    target, watch = fleet.costs + job.validation_costs + validation * n_outputs, fleet.watches + at.i * N_WATCH
    for k in range(n_outputs):
        target[k] = at.ws.total[k]
        total += at.ws.total[k]
    if is_lowest(watch, total, validation == 0):
        _keep(at, 0)
    if is_over(watch):
        fleet.ended[at.i] = step


@inlined
def _begin_step(at, step):
    if at.job.draw:
        at.ws.step_key[0] = np.int64(random_bits(np.uint64(at.fleet.dropout_keys[at.i]), np.uint64(step)))


@inlined
def _pass_over_all(at, with_gradient):
    run_pass(at, GRADIENT if with_gradient else COST, 0, at.shared.n)


@inlined
def _set_rates(at, epoch):
    set_rates(at, epoch, at.i, 1)


@inlined
def _shuffle(at, epoch):
    shuffle(at.fleet.shuffle_keys[at.i], epoch, at.ws.order, at.shared.n)


@inlined
def _pass_over_batch(at, low, n):
    run_pass(at, MINIBATCH_GRADIENT, low, n)


@inlined
def _record(at, record):
    target = at.fleet.costs + at.job.costs + record * at.shared.n_outputs
    for k in range(at.shared.n_outputs):
        target[k] = at.ws.total[k]


@jit
def _keep(at, snapshot):
    small()
    job, fleet = at.job, at.fleet
    source, target = fleet.params + job.params, fleet.snapshots + job.kept + snapshot * job.n_params
    for p in range(job.n_params):
        target[p] = source[p]


@jit
def _stop_diverged(at, step, snapshot):
    small()
    if at.fleet.ended[at.i] >= 0:
        return 0
    total = 0.0
    for k in range(at.shared.n_outputs):
        total += at.ws.total[k]
    if np.isfinite(total):
        return 1
    at.fleet.stopped[at.i] = step
    for later in range(snapshot, at.job.n_snapshots):
        _keep(at, later)
    return 0


@jit
def _find_clip(at, n):
    """Find what the gradient is multiplied by, from its norm, in the order of its slices."""
    small()
    together(at, NORM, 0, n)
    squares = 0.0
    for part in range(at.job.n_slices):
        squares += at.ws.squares[part]
    at.ws.clip[0] = clip_factor(squares, at.fleet.clip_norms[at.i])


@inlined
def _update(at, step, n):
    if at.job.compute_numbers:
        compute_numbers(at.job.compute_numbers, step + 1, at.fleet.hypers + at.job.hypers, at.ws.numbers)
    if at.job.clip:
        _find_clip(at, n)
    together(at, UPDATE, 0, n)


descend = make_loop(
    Parts(
        stride=1,
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


@linked(SAMPLES.name, entry=True)
def train_networks(
    thread: int, control: Integers, workspaces: Integers, fleet_table: Integers, data_table: Integers, like: Pointer
):
    """What every thread runs: train networks from the queue; see team.py for `control`."""
    small()
    ws = workspace_at(workspaces + thread * N_WORKSPACE, like)
    fleet, data = fleet_at(fleet_table, like), data_at(data_table, like)
    tables = Tables(workspaces, fleet_table, data_table, like)
    i = next_job(control, fleet.n_jobs)
    while i >= 0:
        if descend(NetworkAt(tables, thread, ws, fleet, shared_of(data, fleet.data[i]), i, job_at(fleet, i)), control):
            finish_job(control)
        i = next_job(control, fleet.n_jobs)


@linked(SAMPLES.name, entry=True)
def help_networks(
    thread: int, control: Integers, workspaces: Integers, fleet_table: Integers, data_table: Integers, like: Pointer
):
    """What a thread runs when no network is left to begin: help with those that are not finished."""
    small()
    fleet = fleet_at(fleet_table, like)
    tables = Tables(workspaces, fleet_table, data_table, like)
    idle = 0
    while fetch(control, FINISHED) < fleet.n_jobs and not fetch(control, STOP):
        idle += 1
        for owner in range(control[N_THREADS]):
            if help_with(tables, workspace_at(workspaces + owner * N_WORKSPACE, like), thread, owner):
                idle = 0
        if idle:
            rest(idle)


ONE_BY_ONE = Way("samples in lanes", train_networks, workspace, 1, SAMPLES.name, help=help_networks)
