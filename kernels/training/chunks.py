"""One network with samples in the lanes: its cost and gradient chunk by chunk, and its update slice by slice.

The n samples of a pass are cut into chunks, a chunk into tiles whose activations stay in cache. Where they are cut
depends on n, on the network's `tile` and on the dtype alone. Every chunk sums into a partial cost and gradient of its
own, and these are added in order, so that any thread may run any chunk and the bits stay the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shoal.kernels.compile.jit import inlined, jit
from shoal.kernels.compile.linked import Doubles, Integers, Pointer, linked, unpacked
from shoal.kernels.network.dropout import draw_masks
from shoal.kernels.network.of_samples import add_cost, add_gradients, backward, forward
from shoal.kernels.network.rows import copy_columns, fill, gather_columns
from shoal.kernels.simd.lanes import SAMPLES, STRIPE
from shoal.kernels.simd.memory import empty, filled
from shoal.kernels.simd.vector import small
from shoal.kernels.training.fleet import ALIGNMENT, Fleet, Shared, fleet_at, job_at, rounded_up, shared_at
from shoal.kernels.training.plan import MAX_CHUNKS
from shoal.kernels.training.team import TICKETS, fetch_add
from shoal.kernels.training.update import NUMBERS, update

COST, GRADIENT, MINIBATCH_GRADIENT, UPDATE = range(4)
"""Phases of training that threads share."""
width, aligned = SAMPLES.width, jit(rounded_up)


class Task(NamedTuple):
    """What an open loop is about: a phase of job i, over samples low..low + n - 1."""

    i: int
    phase: int
    low: int
    n: int


class Workspace(NamedTuple):
    """Memory of a thread: nothing is allocated while networks are trained.

    a, da, y: buffers of a tile of the thread's, the targets in y. ones: see `add_gradients`; rows, unit_key: see
    `draw_masks`. The rest is about the network that the thread owns: grads, costs, its partial gradients and costs
    chunk by chunk; total, its cost per output; states (`part` apart) of the optimizer, and the numbers of a step;
    order, the shuffled samples; step_key, of its dropout; task, tickets, finished: its open loop.
    """

    a: Pointer
    da: Pointer
    y: Pointer
    ones: Pointer
    rows: Integers
    unit_key: Integers
    grads: Pointer
    costs: Doubles
    total: Doubles
    states: Pointer
    part: int
    numbers: Doubles
    order: Integers
    step_key: Integers
    task: Integers
    tickets: Integers
    finished: Integers


workspace_at, N_WORKSPACE = unpacked(Workspace), len(Workspace._fields)
task_at = unpacked(Task)


def workspace(fleet: Fleet, shared: Shared) -> Workspace:
    """Memory of a thread for the largest network of the fleet."""
    jobs, dtype = fleet.jobs, fleet.params.dtype
    sizes = rounded_up(jobs["n_params"])
    part, buffer = int(sizes.max()), int(((jobs["n_units"] + jobs["n_masks"]) * jobs["ld"]).max())
    return Workspace(
        a=empty(buffer, dtype),
        da=empty(buffer, dtype),
        y=empty(shared.n_outputs * int(jobs["tile"].max()), dtype),
        ones=filled(np.ones(jobs["tile"].max()), dtype),
        rows=empty(int(jobs["tile"].max()), np.int64),
        unit_key=empty(1, np.int64),
        grads=empty(int((sizes * jobs["max_chunks"]).max()), dtype),
        costs=empty(MAX_CHUNKS * shared.n_outputs),
        total=empty(shared.n_outputs),
        states=empty(part * int(jobs["n_states"].max()), dtype),
        part=part,
        numbers=empty(NUMBERS),
        order=empty(shared.n, np.int64),
        step_key=empty(1, np.int64),
        task=empty(len(Task._fields), np.int64),
        tickets=filled(np.zeros(TICKETS), np.int64),
        finished=filled(np.zeros(TICKETS), np.int64),
    )


@jit
def n_chunks(n, job, stripe):
    """Chunks of a pass over n samples: one, or an even number, so that two threads have equally much to do."""
    small()
    padded, pair = (n + stripe - 1) // stripe * stripe, 2 * job.tile
    return 1 if padded <= job.tile else min(job.max_chunks, 2 * ((padded + pair - 1) // pair))


@jit
def stripe_of(a):
    """Samples that rows are padded to a whole number of."""
    small()
    return width(a) * STRIPE


@jit
def boundary(k, parts, first, last):
    """Where part k begins when [first, last) is cut into equal parts."""
    small()
    return first + k * (last - first) // parts


@jit
def draw(ws, own, ops, job, phase, begin, n_real, n):
    """Draw the masks of a tile of samples, those from `begin` on of the order or of all samples."""
    small()
    for t in range(n):
        row = begin + min(t, n_real - 1)
        ws.rows[t] = own.order[row] if phase == MINIBATCH_GRADIENT else row
    draw_masks(job.draw, ops, job.n_ops, job.n_units, own.step_key, ws.unit_key, ws.rows, ws.a, n, job.ld)


@inlined
def tile_pass(ws, own, fleet, shared, job, phase, begin, n_real, n, share, grads, costs):
    """Add the cost of a tile of samples to the partial costs, and its gradient to the partial gradient.

    Of the n elements of its rows, whole stripes, those from `used` on are in no vector with a sample. Dropout acts in
    the passes of steps, which a full batch records the cost of, and not where the cost of mini-batches is recorded.
    """
    trains = phase != COST or job.batch_size == 0
    ops, params, ld = fleet.tapes + (job.training_ops if trains else job.ops), fleet.params + job.params, job.ld
    used = (n_real + width(ws.a) - 1) // width(ws.a) * width(ws.a)
    output = (job.n_units - shared.n_outputs) * ld
    y, y_ld = shared.Y + begin, shared.ld
    if phase == MINIBATCH_GRADIENT:
        y, y_ld = ws.y, job.tile
        gather_columns(shared.X, shared.ld, own.order + begin, n_real, shared.n_features, ws.a, ld, n)
        gather_columns(shared.Y, shared.ld, own.order + begin, n_real, shared.n_outputs, y, y_ld, n)
    else:
        copy_columns(shared.X + begin, shared.ld, shared.n_features, ws.a, ld, n)
    if trains and job.draw:
        draw(ws, own, ops, job, phase, begin, n_real, used)
    forward(ops, job.n_ops, params, ws.a, used, ld)
    add_cost(ws.a + output, ld, y, y_ld, shared.n_outputs, n_real, used, share, costs, ws.da + output)
    if phase != COST:
        backward(ops, job.n_ops, params, ws.a, ws.da, ws.da, used, ld, 0)
        add_gradients(ops, job.n_ops, ws.a, ws.da, used, ld, ws.ones, grads, ws.a)


@inlined
def chunk_pass(ws, own, fleet, shared, job, task, chunk):
    """Partial cost, and gradient unless the phase is COST, of one chunk of the pass of a task."""
    stripe, n = stripe_of(ws.a), task.n
    chunks, stripes = n_chunks(n, job, stripe), (n + stripe - 1) // stripe
    first, last = boundary(chunk, chunks, 0, stripes), boundary(chunk + 1, chunks, 0, stripes)
    tiles, size = ((last - first) * stripe + job.tile - 1) // job.tile, aligned(job.n_params)
    grads, costs = own.grads + chunk * size, own.costs + chunk * shared.n_outputs
    fill(costs, shared.n_outputs, 0.0)
    if task.phase != COST:
        fill(grads, size, 0.0)
    for k in range(tiles):
        begin, end = boundary(k, tiles, first, last) * stripe, boundary(k + 1, tiles, first, last) * stripe
        tile_pass(ws, own, fleet, shared, job, task.phase, task.low + begin, min(end, n) - begin, end - begin,
                  1.0 / n, grads, costs)  # fmt: skip


@inlined
def update_slice(own, fleet, job, task, part):
    """Update one slice of the parameters from the partial gradients of a pass over n samples."""
    size = aligned(job.n_params)
    rows = size // ALIGNMENT
    begin = boundary(part, job.n_slices, 0, rows) * ALIGNMENT
    end = boundary(part + 1, job.n_slices, 0, rows) * ALIGNMENT
    chunks = n_chunks(task.n, job, stripe_of(own.a))
    update(job.update, fleet.params + job.params + begin, end - begin, own.grads + begin, chunks, size,
           own.states + begin, own.part, fleet.rates + task.i, own.numbers)  # fmt: skip


@linked(SAMPLES.name)
def run_ticket(
    workspaces: Integers, fleet_table: Integers, shared_table: Integers, like: Pointer, thread: int, owner: int,
    ticket: int,
):  # fmt: skip
    """Run one iteration of the loop that thread `owner` has opened, in the buffers of `thread`."""
    ws = workspace_at(workspaces + thread * N_WORKSPACE, like)
    own = workspace_at(workspaces + owner * N_WORKSPACE, like)
    fleet, shared = fleet_at(fleet_table, like), shared_at(shared_table, like)
    task = task_at(own.task)
    job = job_at(fleet, task.i)
    if task.phase == UPDATE:
        update_slice(own, fleet, job, task, ticket)
    else:
        chunk_pass(ws, own, fleet, shared, job, task, ticket)
    fetch_add(own.finished, 0, 1)
