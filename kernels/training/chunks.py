"""One network with samples in the lanes: its cost and gradient, chunk by chunk; see cuts.py.

Every chunk sums into a partial cost and gradient of its own, and these are added in order, so that any thread may run
any chunk and the bits stay the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from shoal.kernels.compile.jit import inlined, jit
from shoal.kernels.matrix.blocks import FROM_SUM, FROM_ZERO
from shoal.kernels.network.cost import add_cost
from shoal.kernels.network.dropout import draw_masks
from shoal.kernels.network.of_samples import add_gradients, backward, forward
from shoal.kernels.network.rows import copy_columns, fill, gather_columns
from shoal.kernels.simd.vector import small
from shoal.kernels.training.cuts import (
    COST,
    MINIBATCH_GRADIENT,
    VALIDATION,
    aligned,
    boundary,
    n_chunks,
    stripe_of,
    width,
)


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
             fleet.loss_hypers + job.loss_hypers, costs, 1, ws.da + output)  # fmt: skip
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
