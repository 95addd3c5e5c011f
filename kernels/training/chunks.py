"""One network with samples in the lanes: its cost and gradient chunk by chunk, and its update slice by slice.

The n samples of a pass are cut into chunks, a chunk into tiles whose activations stay in cache. Where they are cut
depends on n, on the network's `tile` and on the dtype alone. Every chunk sums into a partial cost and gradient of its
own, and these are added in order, so that any thread may run any chunk and the bits stay the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shoal.kernels.compile.jit import inlined, jit
from shoal.kernels.training.fleet import ADAM, ALIGNMENT, MAX_CHUNKS, Fleet, Shared, fleet_at, job_at, shared_at
from shoal.kernels.simd.lanes import SAMPLES, STRIPE
from shoal.kernels.compile.linked import Costs, Pointer, Table, linked, unpacked
from shoal.kernels.network.loss import make_loss
from shoal.kernels.simd.memory import empty, filled
from shoal.kernels.network.forward_backward import make_network
from shoal.kernels.training.optimizers import BETA_1, BETA_2, make_optimizers
from shoal.kernels.network.rows import copy_columns, fill, gather_columns
from shoal.kernels.training.team import fetch_add
from shoal.kernels.simd.vector import small

forward, backward, add_gradients, weight_gradient = make_network(SAMPLES)
descend, adam = make_optimizers(SAMPLES)
add_cost = make_loss(SAMPLES)
width = SAMPLES.width

SLICE = 8192
"""Parameters that are worth a ticket of their own in an update."""
JOB, PHASE, LOW, N, STEP = range(5)
COST, GRADIENT, MINIBATCH_GRADIENT, UPDATE = range(4)


class Workspace(NamedTuple):
    """Memory of the threads, one row each: nothing is allocated while networks are trained.

    a, da (rows of `buffer` elements): tile buffers of the thread. y (`y_size`): the targets of a tile. ones: see
    `add_gradients`. grads (`grads_row`), costs: partial gradients and costs, chunk by chunk, of the network that the
    thread owns, and behind them the cost of a mini-batch; means, squares (`part`): Adam's state; order: its shuffled
    samples; task: what its open loop is about.
    """

    n_threads: int
    a: Pointer
    da: Pointer
    buffer: int
    y: Pointer
    y_size: int
    ones: Pointer
    grads: Pointer
    grads_row: int
    part: int
    costs: Costs
    means: Pointer
    squares: Pointer
    order: Table
    task: Table
    tickets: Table
    finished: Table


workspace_at = unpacked(Workspace)


def workspace(fleet: Fleet, shared: Shared, n_threads: int) -> Workspace:
    """Memory for the largest network of the fleet."""
    jobs, dtype = fleet.jobs, fleet.params.dtype
    sizes = -(-jobs["n_params"] // ALIGNMENT) * ALIGNMENT
    part, grads_row = int(sizes.max()), int((sizes * jobs["max_chunks"]).max())
    buffer = int((jobs["n_units"] * jobs["ld"]).max())
    y_size = shared.n_outputs * int(jobs["tile"].max())
    return Workspace(
        n_threads=n_threads,
        a=empty((n_threads, buffer), dtype),
        da=empty((n_threads, buffer), dtype),
        buffer=buffer,
        y=empty((n_threads, y_size), dtype),
        y_size=y_size,
        ones=filled(np.ones(jobs["tile"].max()), dtype),
        grads=empty((n_threads, grads_row), dtype),
        grads_row=grads_row,
        part=part,
        costs=empty((n_threads, (MAX_CHUNKS + 1) * shared.n_outputs)),
        means=empty((n_threads, part), dtype),
        squares=empty((n_threads, part), dtype),
        order=empty((n_threads, shared.n), np.int64),
        task=np.zeros((n_threads, 8), np.int64),
        tickets=np.zeros((n_threads, 8), np.int64),
        finished=np.zeros((n_threads, 8), np.int64),
    )


@jit
def stripe_of(a):
    """Samples that rows are padded to a whole number of."""
    small()
    return width(a) * STRIPE


@jit
def n_chunks(n, job, stripe):
    """Chunks of a pass over n samples: one, or an even number, so that two threads have equally much to do."""
    small()
    padded, pair = (n + stripe - 1) // stripe * stripe, 2 * job.tile
    return 1 if padded <= job.tile else min(job.max_chunks, 2 * ((padded + pair - 1) // pair))


@jit
def aligned(n):
    """n, up to the next multiple of ALIGNMENT."""
    small()
    return (n + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


@jit
def cost_row(shared):
    """Numbers in a thread's row of partial costs."""
    small()
    return (MAX_CHUNKS + 1) * shared.n_outputs


@jit
def grads_of(ws, owner):
    """The partial gradients of the network that thread `owner` owns."""
    small()
    return ws.grads + owner * ws.grads_row


@jit
def boundary(k, parts, first, last):
    """Where part k begins when [first, last) is cut into equal parts."""
    small()
    return first + k * (last - first) // parts


@inlined
def tile_pass(ws, thread, owner, fleet, shared, job, phase, begin, n_real, n, share, grads_at, costs_at):
    """Add the cost of a tile of samples to the owner's partial costs, and its gradient to the partial gradient.

    Of the n elements of its rows, whole stripes, those from `used` on are in no vector with a sample.
    """
    a, da, ld = ws.a + thread * ws.buffer, ws.da + thread * ws.buffer, job.ld
    ops, grads = fleet.tapes + job.ops, grads_of(ws, owner)
    y_hat = (job.n_units - shared.n_outputs) * ld
    y, y_at, y_ld = shared.Y, begin, shared.ld
    used = (n_real + width(a) - 1) // width(a) * width(a)
    if phase == MINIBATCH_GRADIENT:
        order = ws.order + owner * shared.n
        y, y_at, y_ld = ws.y + thread * ws.y_size, 0, job.tile
        gather_columns(shared.X, shared.ld, order, begin, n_real, shared.n_features, a, ld, n)
        gather_columns(shared.Y, shared.ld, order, begin, n_real, shared.n_outputs, y, y_ld, n)
    else:
        copy_columns(shared.X, shared.ld, begin, shared.n_features, a, ld, n)
    forward(ops, job.n_ops, fleet.params, job.params, a, used, ld)
    add_cost(a, y_hat, ld, y, y_at, y_ld, shared.n_outputs, n_real, used, share,
             ws.costs + owner * cost_row(shared), costs_at, da)  # fmt: skip
    if phase != COST:
        backward(ops, job.n_ops, fleet.params, job.params, a, da, da, used, ld, grads, grads_at, a, 0)
        add_gradients(ops, job.n_ops, a, da, used, ld, ws.ones, grads, grads_at, a)


@inlined
def chunk_pass(ws, thread, owner, fleet, shared, job, phase, low, n, chunk):
    """Partial cost, and gradient unless the phase is COST, of one chunk of the pass over samples low..low + n - 1."""
    stripe = stripe_of(ws.a)
    chunks, stripes = n_chunks(n, job, stripe), (n + stripe - 1) // stripe
    first, last = boundary(chunk, chunks, 0, stripes), boundary(chunk + 1, chunks, 0, stripes)
    tiles = ((last - first) * stripe + job.tile - 1) // job.tile
    grads_at, costs_at = chunk * aligned(job.n_params), chunk * shared.n_outputs
    fill(ws.costs + owner * cost_row(shared), costs_at, shared.n_outputs, 0.0)
    if phase != COST:
        fill(grads_of(ws, owner), grads_at, aligned(job.n_params), 0.0)
    for k in range(tiles):
        begin, end = boundary(k, tiles, first, last) * stripe, boundary(k + 1, tiles, first, last) * stripe
        tile_pass(ws, thread, owner, fleet, shared, job, phase, low + begin, min(end, n) - begin, end - begin,
                  1.0 / n, grads_at, costs_at)  # fmt: skip


@inlined
def update(ws, owner, fleet, i, job, n, step, part):
    """Update one slice of the parameters from the partial gradients of a pass over n samples."""
    slices = n_slices(job.n_params)
    rows = aligned(job.n_params) // ALIGNMENT
    begin, end = boundary(part, slices, 0, rows) * ALIGNMENT, boundary(part + 1, slices, 0, rows) * ALIGNMENT
    chunks, stride = n_chunks(n, job, stripe_of(ws.a)), aligned(job.n_params)
    grads, size, at = grads_of(ws, owner), end - begin, job.params + begin
    if job.method == ADAM:
        correction_1, correction_2 = 1.0 / (1.0 - BETA_1 ** (step + 1)), 1.0 / (1.0 - BETA_2 ** (step + 1))
        adam(fleet.params, at, size, grads, begin, chunks, stride, fleet.rates, i,
             ws.means + owner * ws.part, ws.squares + owner * ws.part, begin, correction_1, correction_2)  # fmt: skip
    else:
        descend(fleet.params, at, size, grads, begin, chunks, stride, fleet.rates, i)


@jit
def n_slices(n_params):
    """Tickets of an update."""
    small()
    return min(MAX_CHUNKS, 1 + n_params // SLICE)


@linked(SAMPLES.name)
def run_ticket(
    ws_table: Table, fleet_table: Table, shared_table: Table, like: Pointer, thread: int, owner: int, ticket: int
):
    """Run one iteration of the loop that thread `owner` has opened."""
    ws, fleet, shared = workspace_at(ws_table, like), fleet_at(fleet_table, like), shared_at(shared_table, like)
    task = ws.task + owner * 8
    i, phase, low, n, step = task[JOB], task[PHASE], task[LOW], task[N], task[STEP]
    job = job_at(fleet, i, like)
    if phase == UPDATE:
        update(ws, owner, fleet, i, job, n, step, ticket)
    else:
        chunk_pass(ws, thread, owner, fleet, shared, job, phase, low, n, ticket)
    fetch_add(ws.finished, owner * 8, 1)
