"""Ridge regression on the inputs of the last dense layer, all layers before it left as they are.

Minimises  sum_n sum_k (y_nk - W_k . h_n - b_k)^2 + alpha sum_k |W_k|^2  with b free: with H and Y centred,
W^T = (H^T H + alpha I)^-1 H^T Y  and  b = mean(y) - W mean(h)  (Hoerl and Kennard, Technometrics 12, 1970).
Where samples have weights w_n, of mean 1, their squares and the means are weighted: rows are multiplied by sqrt(w_n).
Sums and solution are in float64, by Cholesky factors, whatever the dtype of the network.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from shoal.kernels.compile.jit import jit
from shoal.kernels.compile.linked import Doubles, Integers, Pointer, linked, unpacked
from shoal.kernels.matrix.blocks import FROM_SUM
from shoal.kernels.matrix.cholesky import cholesky, solve
from shoal.kernels.network.cost import add_cost
from shoal.kernels.network.of_samples import forward, weight_gradient
from shoal.kernels.network.rows import copy_columns, fill
from shoal.kernels.network.tape import N_FIELDS, op_at
from shoal.kernels.network.whole import TILE
from shoal.kernels.simd.lanes import SAMPLES
from shoal.kernels.simd.memory import empty
from shoal.kernels.simd.vector import small
from shoal.kernels.training.data import data_at, shared_of
from shoal.kernels.training.fleet import Fleet, Job, fleet_at, job_at
from shoal.kernels.training.team import finish_job, next_job
from shoal.kernels.training.way import Way

NEEDS = ("alpha",)
LOSSES = ("squared",)


class ReadoutWorkspace(NamedTuple):
    """Memory of a thread.

    a, da: tile buffers. rows: the last layer's inputs h and the targets y of a tile, float64, less their means, times
    roots: of the weights of its samples. means: of h and y. gram: sums of the products of any two of their rows.
    """

    a: Pointer
    da: Pointer
    rows: Doubles
    roots: Doubles
    means: Doubles
    gram: Doubles


class Hypers(NamedTuple):
    """The strength of the penalty."""

    alpha: float


hypers_at = unpacked(Hypers)
workspace_at, N_WORKSPACE = unpacked(ReadoutWorkspace), len(ReadoutWorkspace._fields)


def workspace(fleet: Fleet) -> ReadoutWorkspace:
    """Memory of a thread for the largest network of the fleet."""
    units, dtype = int(fleet.jobs["n_units"].max()), fleet.params.dtype
    rows = int(fleet.tapes["fan_in"].max()) + int(fleet.jobs["n_outputs"].max())
    return ReadoutWorkspace(
        a=empty(units * TILE, dtype),
        da=empty(units * TILE, dtype),
        rows=empty(rows * TILE),
        roots=empty(TILE),
        means=empty(rows),
        gram=empty(rows * rows),
    )


class ReadoutAt(NamedTuple):
    """Where a network is fitted: the memory of its thread, and the network, whose last layer is `last`."""

    ws: Any
    fleet: Any
    shared: Any
    job: Any
    last: Any


@jit
def tile_forward(at, begin):
    """Forward pass over the samples from `begin` on; returns how many elements of the rows there are."""
    small()
    ws, shared, job = at.ws, at.shared, at.job
    n = min(TILE, shared.ld - begin)
    copy_columns(shared.X + begin, shared.ld, shared.n_features, ws.a, TILE, n)
    forward(at.fleet.tapes + job.ops, job.n_ops, at.fleet.params + job.params, ws.a, n, TILE)
    return n


@jit
def hidden_rows(at, begin):
    """Fill `rows` with h and y of a tile, and `roots`; returns its number of elements. What fills up the last vector
    is 0."""
    small()
    ws, shared, last = at.ws, at.shared, at.last
    n = tile_forward(at, begin)
    n_real = min(n, shared.n - begin)
    fill(ws.roots, n, 1.0)
    if shared.y_rows > shared.n_outputs:
        for t in range(n):
            ws.roots[t] = np.sqrt(np.float64(shared.Y[shared.n_outputs * shared.ld + begin + t]))
    for r in range(last.fan_in + shared.n_outputs):
        for t in range(n):
            if t >= n_real:  # sums are over whole vectors, whose other lanes must count nothing
                ws.rows[r * TILE + t] = 0.0
            elif r < last.fan_in:
                ws.rows[r * TILE + t] = (ws.a[(last.source + r) * TILE + t] - ws.means[r]) * ws.roots[t]
            else:
                y = shared.Y[(r - last.fan_in) * shared.ld + begin + t]
                ws.rows[r * TILE + t] = (y - ws.means[r]) * ws.roots[t]
    return n


@jit
def centred_sums(at, n_rows):
    """Fill the means of h and y, and the sums of the products of the rows less their means."""
    small()
    rows, means, gram, n_samples = at.ws.rows, at.ws.means, at.ws.gram, at.shared.n
    fill(means, n_rows, 0.0)
    sums = gram
    fill(sums, n_rows, 0.0)
    for begin in range(0, n_samples, TILE):
        n = hidden_rows(at, begin)
        for r in range(n_rows):
            for t in range(n):
                sums[r] += rows[r * TILE + t] * at.ws.roots[t]
    for r in range(n_rows):
        means[r] = sums[r] / n_samples
    fill(gram, n_rows * n_rows, 0.0)
    for begin in range(0, n_samples, TILE):
        n = hidden_rows(at, begin)
        weight_gradient(rows, n_rows, rows, n_rows, n, TILE, gram, rows, FROM_SUM)


@jit
def fit(at, alpha):
    """Fit the last layer of one network."""
    small()
    means, gram, units, n_outputs = at.ws.means, at.ws.gram, at.last.fan_in, at.shared.n_outputs
    n_rows, W = units + n_outputs, at.fleet.params + at.job.params + at.last.offset
    centred_sums(at, n_rows)
    for r in range(units):
        gram[r * n_rows + r] += alpha
    cholesky(gram, units, n_rows)
    for k in range(n_outputs):
        moments, intercept = gram + (units + k) * n_rows, means[units + k]
        solve(gram, units, n_rows, moments)
        for r in range(units):
            W[k * units + r] = moments[r]
            intercept -= moments[r] * means[r]
        W[n_outputs * units + k] = intercept


@jit
def readout_cost(at):
    """Fill the cost per output over all samples; returns their sum."""
    small()
    ws, shared, n_outputs = at.ws, at.shared, at.shared.n_outputs
    output, costs = (at.job.n_units - n_outputs) * TILE, at.fleet.costs + at.job.costs
    fill(costs, n_outputs, 0.0)
    for begin in range(0, shared.n, TILE):
        n = tile_forward(at, begin)
        add_cost(at.job.add_cost, ws.a + output, TILE, shared.Y + begin, shared.ld, n_outputs, min(n, shared.n - begin),
                 n, 1.0 / shared.n, at.fleet.loss_hypers + at.job.loss_hypers, costs, 1, ws.da + output)  # fmt: skip
    total = 0.0
    for k in range(n_outputs):
        total += costs[k]
    return total


@linked(SAMPLES.name, entry=True)
def fit_readouts(
    thread: int, control: Integers, workspaces: Integers, fleet_table: Integers, data_table: Integers, like: Pointer
):
    """What every thread runs: fit networks from the queue, see team.py for `control`; stopped[i] is 0 where the cost is
    not finite."""
    small()
    ws = workspace_at(workspaces + thread * N_WORKSPACE, like)
    fleet, data = fleet_at(fleet_table, like), data_at(data_table, like)
    i = next_job(control, fleet.n_jobs)
    while i >= 0:
        job, shared = job_at(fleet, i), shared_of(data, fleet.data[i])
        at = ReadoutAt(ws, fleet, shared, job, op_at(fleet.tapes + job.ops + (job.n_ops - 1) * N_FIELDS))
        fit(at, hypers_at(fleet.hypers + job.hypers).alpha)
        if not np.isfinite(readout_cost(at)):
            fleet.stopped[i] = 0
        for p in range(job.n_params):
            fleet.snapshots[job.kept + p] = fleet.params[job.params + p]
        finish_job(control)
        i = next_job(control, fleet.n_jobs)


READOUT = Way("ridge readout", fit_readouts, workspace, 1, SAMPLES.name, in_double=True, has_steps=False)


def hypers_of(spec: Any) -> tuple[float, ...]:
    """The method's own numbers in a specification."""
    return (spec.alpha,)


def way_of(job: Job) -> Way:
    """All networks go one way."""
    return READOUT


def recorded_steps(steps: int, batch_size: int | None) -> np.ndarray:
    """A readout records its cost, as of step 0."""
    return np.zeros(1, np.int64)
