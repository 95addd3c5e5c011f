"""One network with samples in the lanes: its cost and gradient chunk by chunk, and its update slice by slice.

The n samples of a pass are cut into chunks, a chunk into tiles whose activations stay in cache. Where they are cut
depends on n, on the network's `tile` and on the dtype alone. Every chunk sums into a partial cost and gradient of its
own, and these are added in order, so that any thread may run any chunk and the bits stay the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from shoal.kernels.compile.jit import inlined, jit
from shoal.kernels.compile.linked import Doubles, Integers, Pointer, linked, unpacked
from shoal.kernels.matrix.blocks import FROM_SUM, FROM_ZERO
from shoal.kernels.network.cost import add_cost
from shoal.kernels.network.dropout import draw_masks
from shoal.kernels.network.of_samples import add_gradients, backward, forward
from shoal.kernels.network.rows import copy_columns, fill, gather_columns
from shoal.kernels.simd.lanes import SAMPLES, STRIPE
from shoal.kernels.simd.memory import empty, filled
from shoal.kernels.simd.vector import small
from shoal.kernels.training.data import data_at, shared_of, validation_of
from shoal.kernels.training.fleet import ALIGNMENT, Fleet, fleet_at, job_at, rounded_up
from shoal.kernels.training.plan import MAX_CHUNKS
from shoal.kernels.training.regularise import add_weights, collect, multiply
from shoal.kernels.training.team import TICKETS, fetch_add
from shoal.kernels.training.update import NUMBERS, update

VALIDATION, COST, GRADIENT, MINIBATCH_GRADIENT, NORM, UPDATE = range(6)
"""Phases of training that threads share: passes over samples, then those over slices of the parameters."""
width, aligned = SAMPLES.width, jit(rounded_up)


class SharedTask(NamedTuple):
    """What an open loop is about: a phase of job i, over samples low..low + n - 1."""

    i: int
    phase: int
    low: int
    n: int


class ChunkWorkspace(NamedTuple):
    """Memory of a thread: nothing is allocated while networks are trained.

    a, da, y: buffers of a tile of the thread's, targets and weights in y. ones: see `add_gradients`; rows: see
    `gather_columns`, unit_key: `draw_masks`. The rest is about the network that the thread owns: grads, costs,
    its partial gradients and costs chunk by chunk; total, its cost per output; states (`part` apart) of the optimizer,
    and the numbers of a step; rates: its learning rate, shrink: what its weights are decayed by, squares: those of its
    gradient, slice by slice, clip: what that is multiplied by; order, the shuffled samples; step_key, of its dropout;
    task, tickets, finished: its open loop.
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
    rates: Pointer
    shrink: Pointer
    squares: Doubles
    clip: Pointer
    order: Integers
    step_key: Integers
    task: Integers
    tickets: Integers
    finished: Integers


class TicketAt(NamedTuple):
    """Where a ticket is run: in the buffers of a thread, for the network and the open loop of the thread that owns
    them."""

    ws: Any
    own: Any
    fleet: Any
    shared: Any
    job: Any
    task: Any


class Cut(NamedTuple):
    """Where a tile is cut from the samples of a pass: whole stripes, of whose n elements the first `n_real` are
    samples. The first tile of a chunk begins its gradient (FROM_ZERO), the others are added (FROM_SUM)."""

    begin: int
    n_real: int
    n: int
    start: int


workspace_at, N_WORKSPACE = unpacked(ChunkWorkspace), len(ChunkWorkspace._fields)
task_at = unpacked(SharedTask)


def workspace(fleet: Fleet) -> ChunkWorkspace:
    """Memory of a thread for the largest network of the fleet."""
    jobs, dtype = fleet.jobs, fleet.params.dtype
    sizes = rounded_up(jobs["n_params"])
    part, buffer = int(sizes.max()), int(((jobs["n_units"] + jobs["n_masks"]) * jobs["ld"]).max())
    n_outputs = int(jobs["n_outputs"].max())
    return ChunkWorkspace(
        a=empty(buffer, dtype),
        da=empty(buffer, dtype),
        y=empty((n_outputs + 1) * int(jobs["tile"].max()), dtype),
        ones=filled(np.ones(jobs["tile"].max()), dtype),
        rows=empty(int(jobs["tile"].max()), np.int64),
        unit_key=empty(1, np.int64),
        grads=empty(int((sizes * jobs["max_chunks"]).max()), dtype),
        costs=empty(MAX_CHUNKS * n_outputs),
        total=empty(n_outputs),
        states=empty(part * int(jobs["n_states"].max()), dtype),
        part=part,
        numbers=empty(NUMBERS),
        rates=empty(1, dtype),
        shrink=empty(1, dtype),
        squares=empty(MAX_CHUNKS),
        clip=empty(1, dtype),
        order=empty(int(jobs["n_samples"].max()), np.int64),
        step_key=empty(1, np.int64),
        task=empty(len(SharedTask._fields), np.int64),
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
def tile_pass(at, cut, grads, costs):
    """Add the cost of a tile of samples to the partial costs, and put or add its gradient to the partial gradient.

    Of the n elements of its rows, whole stripes, those from `used` on are in no vector with a sample. Dropout acts in
    the passes of steps, which a full batch records the cost of, and neither where the cost of mini-batches is recorded
    nor in validation.
    """
    (ws, own, fleet, shared, job, task), (begin, n_real, n, start) = at, cut
    phase, share = task.phase, 1.0 / task.n
    trains = phase > COST or (phase == COST and job.batch_size == 0)
    ops, params, ld = fleet.tapes + (job.training_ops if trains else job.ops), fleet.params + job.params, job.ld
    used = (n_real + width(ws.a) - 1) // width(ws.a) * width(ws.a)
    output = (job.n_units - shared.n_outputs) * ld
    y, y_ld = shared.Y + begin, shared.ld
    if phase == MINIBATCH_GRADIENT:
        y, y_ld = ws.y, job.tile
        gather_columns(shared.X, shared.ld, own.order + begin, n_real, shared.n_features, ws.a, ld, used, ws.rows)
        gather_columns(shared.Y, shared.ld, own.order + begin, n_real, shared.y_rows, y, y_ld, used, ws.rows)
    else:
        copy_columns(shared.X + begin, shared.ld, shared.n_features, ws.a, ld, n)
    if trains and job.draw:
        draw(ws, own, ops, job, phase, begin, n_real, used)
    forward(ops, job.n_ops, params, ws.a, used, ld)
    cost_kernel = job.add_validation_cost if phase == VALIDATION else job.add_cost
    add_cost(cost_kernel, ws.a + output, ld, y, y_ld, shared.n_outputs, n_real, used, share,
             fleet.loss_hypers + job.loss_hypers, costs, ws.da + output)  # fmt: skip
    if phase > COST:
        backward(ops, job.n_ops, params, ws.a, ws.da, ws.da, used, ld, 0)
        add_gradients(ops, job.n_ops, ws.a, ws.da, used, ld, ws.ones, grads, ws.a, start)


@inlined
def chunk_pass(at, chunk):
    """Partial cost, and gradient unless the phase is COST, of one chunk of the pass of a task."""
    ws, own, _, shared, job, task = at
    stripe, n = stripe_of(ws.a), task.n
    chunks, stripes = n_chunks(n, job, stripe), (n + stripe - 1) // stripe
    first, last = boundary(chunk, chunks, 0, stripes), boundary(chunk + 1, chunks, 0, stripes)
    tiles, size = ((last - first) * stripe + job.tile - 1) // job.tile, aligned(job.n_params)
    grads, costs = own.grads + chunk * size, own.costs + chunk * shared.n_outputs
    fill(costs, shared.n_outputs, 0.0)
    if task.phase > COST:
        beyond = job.n_params if tiles else 0  # what no tile fills
        fill(grads + beyond, size - beyond, 0.0)
    for k in range(tiles):
        begin, end = boundary(k, tiles, first, last) * stripe, boundary(k + 1, tiles, first, last) * stripe
        cut = Cut(task.low + begin, min(end, n) - begin, end - begin, FROM_SUM if k else FROM_ZERO)
        tile_pass(at, cut, grads, costs)


@jit
def slice_of(job, part):
    """Where one slice of a row of parameters begins and ends."""
    small()
    rows = aligned(job.n_params) // ALIGNMENT
    return boundary(part, job.n_slices, 0, rows) * ALIGNMENT, boundary(part + 1, job.n_slices, 0, rows) * ALIGNMENT


@inlined
def norm_slice(own, fleet, job, task, part):
    """Collect one slice of the gradient, with the l2 penalty's, in its first part, and add up its squares."""
    begin, end = slice_of(job, part)
    if job.penalise:
        add_weights(job.penalise, fleet.tapes + job.ops, job.n_ops, fleet.params + job.params, begin, end,
                    fleet.l2 + task.i, own.grads)  # fmt: skip
    own.squares[part] = 0.0
    chunks = n_chunks(task.n, job, stripe_of(own.a))
    collect(job.collect, own.grads + begin, end - begin, chunks, aligned(job.n_params), own.squares + part)


@inlined
def update_slice(own, fleet, job, task, part):
    """Update one slice of the parameters from the partial gradients of a pass over n samples.

    Where the gradient is clipped, `norm_slice` has made it one.
    """
    begin, end = slice_of(job, part)
    ops, params, chunks = fleet.tapes + job.ops, fleet.params + job.params, n_chunks(task.n, job, stripe_of(own.a))
    if job.clip:
        multiply(job.clip, own.grads + begin, end - begin, own.clip)
        chunks = 1
    elif job.penalise:
        add_weights(job.penalise, ops, job.n_ops, params, begin, end, fleet.l2 + task.i, own.grads)
    if job.decay:
        add_weights(job.decay, ops, job.n_ops, params, begin, end, own.shrink, params)
    update(job.update, params + begin, end - begin, own.grads + begin, chunks, aligned(job.n_params),
           own.states + begin, own.part, own.rates, own.numbers)  # fmt: skip


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
