"""What threads share of one network: a phase as an open loop, of which any thread may run any ticket; see team.py."""

from __future__ import annotations

from typing import NamedTuple

from shoal.kernels.compile.jit import jit
from shoal.kernels.compile.linked import Integers, Pointer, linked
from shoal.kernels.simd.lanes import SAMPLES
from shoal.kernels.simd.vector import small
from shoal.kernels.training.chunk_workspace import N_WORKSPACE, workspace_at
from shoal.kernels.training.chunks import TicketAt, chunk_pass
from shoal.kernels.training.cuts import NORM, UPDATE, VALIDATION, SharedTask, n_chunks, stripe_of, task_at
from shoal.kernels.training.data import data_at, shared_of, validation_of
from shoal.kernels.training.fleet import fleet_at, job_at
from shoal.kernels.training.slices import norm_slice, update_slice
from shoal.kernels.training.team import fetch_add, open_loop, take, wait


@linked(SAMPLES.name)
def run_ticket(
    workspaces: Integers, fleet_table: Integers, data_table: Integers, like: Pointer, thread: int, owner: int,
    ticket: int,
):  # fmt: skip
    """Run one iteration of the loop that thread `owner` has opened, in the buffers of `thread`."""
    ws = workspace_at(workspaces + thread * N_WORKSPACE, like)
    own = workspace_at(workspaces + owner * N_WORKSPACE, like)
    fleet, data, task = fleet_at(fleet_table, like), data_at(data_table, like), task_at(own.task)
    job, which = job_at(fleet, task.i), fleet.data[task.i]
    shared = shared_of(data, validation_of(data, which) if task.phase == VALIDATION else which)
    if task.phase == NORM:
        norm_slice(own, fleet, job, task, ticket)
    elif task.phase == UPDATE:
        update_slice(own, fleet, job, task, ticket)
    else:
        chunk_pass(TicketAt(ws, own, fleet, shared, job, task), ticket)
    fetch_add(own.finished, 0, 1)


class Tables(NamedTuple):
    """Where the workspaces, the fleet and the data stand in memory, for `run_ticket`."""

    workspaces: Integers
    fleet: Integers
    data: Integers
    like: Pointer


@jit
def help_with(tables, ws, thread, owner):
    """Run iterations of the owner's open loop until none is left; returns whether there was one."""
    small()
    helped = False
    while True:
        ticket = take(ws.tickets)
        if ticket < 0:
            return helped
        run_ticket(tables.workspaces, tables.fleet, tables.data, tables.like, thread, owner, ticket)
        helped = True


@jit
def together(at, phase, low, n):
    """Run one phase of the network that this thread owns, with the help of whoever is idle."""
    small()
    ws, task = at.ws, SharedTask(at.i, phase, low, n)
    for k in range(len(task)):
        ws.task[k] = task[k]
    parts = at.job.n_slices if phase >= NORM else n_chunks(n, at.job, stripe_of(ws.a))
    open_loop(ws.tickets, ws.finished, parts)
    help_with(at.tables, ws, at.thread, at.thread)
    wait(ws.finished, parts)
