"""Ridge regression on the inputs of the last dense layer, all layers before it left as they are.

Minimises  sum_n sum_k (y_nk - W_k . h_n - b_k)^2 + alpha sum_k |W_k|^2  with b free: with H and Y centred,
W^T = (H^T H + alpha I)^-1 H^T Y  and  b = mean(y) - W mean(h)  (Hoerl and Kennard, Technometrics 12, 1970).
Sums and solution are in float64, by Cholesky factors, whatever the dtype of the network.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from shoal.kernels.compile.jit import jit
from shoal.kernels.training.fleet import Fleet, Shared, fleet_at, job_at, shared_at
from shoal.kernels.simd.lanes import SAMPLES
from shoal.kernels.network.tape import FAN_IN, N_FIELDS, OFFSET, SOURCE
from shoal.kernels.compile.linked import Costs, Pointer, Table, linked, unpacked
from shoal.kernels.simd.memory import empty
from shoal.kernels.network.rows import copy_columns, fill
from shoal.kernels.training.chunks import add_cost, forward, weight_gradient
from shoal.kernels.training.team import finish_job, next_job
from shoal.kernels.simd.vector import small

TILE = 64
"""Samples worked on at once: a whole number of vectors in every dtype."""


class Workspace(NamedTuple):
    """Memory of the threads, one row each.

    a, da: tile buffers. rows: the last layer's inputs h and the targets y of a tile, float64, less their means.
    means: of h and y. gram: sums of the products of any two of their rows.
    """

    a: Pointer
    da: Pointer
    buffer: int
    rows: Costs
    means: Costs
    gram: Costs
    n_rows: int


workspace_at = unpacked(Workspace)


def workspace(fleet: Fleet, shared: Shared, n_threads: int) -> Workspace:
    """Memory for the largest network of the fleet."""
    units = int(fleet.jobs["n_units"].max())
    rows = int(fleet.tapes[FAN_IN::N_FIELDS].max()) + shared.n_outputs
    return Workspace(
        a=empty((n_threads, units * TILE), fleet.params.dtype),
        da=empty((n_threads, units * TILE), fleet.params.dtype),
        buffer=units * TILE,
        rows=empty((n_threads, rows * TILE)),
        means=empty((n_threads, rows)),
        gram=empty((n_threads, rows * rows)),
        n_rows=rows,
    )


@jit
def of_thread(ws, thread):
    """The thread's rows of a workspace."""
    small()
    return Workspace(
        ws.a + thread * ws.buffer, ws.da + thread * ws.buffer, ws.buffer, ws.rows + thread * ws.n_rows * TILE,
        ws.means + thread * ws.n_rows, ws.gram + thread * ws.n_rows * ws.n_rows, ws.n_rows,
    )  # fmt: skip


@jit
def cholesky(A, n, ld):
    """Overwrite the lower triangle of a positive definite A (n, n), rows `ld` apart, by L with A = L L^T.

    NaN where A is not positive definite.
    """
    small()
    for j in range(n):
        s = A[j * ld + j]
        for k in range(j):
            s -= A[j * ld + k] * A[j * ld + k]
        A[j * ld + j] = math.sqrt(s)
        for i in range(j + 1, n):
            s = A[i * ld + j]
            for k in range(j):
                s -= A[i * ld + k] * A[j * ld + k]
            A[i * ld + j] = s / A[j * ld + j]


@jit
def solve(L, n, ld, x, at):
    """Overwrite x (n,), from `at` on, by the solution of L L^T x = x."""
    small()
    for i in range(n):
        for k in range(i):
            x[at + i] -= L[i * ld + k] * x[at + k]
        x[at + i] /= L[i * ld + i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            x[at + i] -= L[k * ld + i] * x[at + k]
        x[at + i] /= L[i * ld + i]


@jit
def hidden_rows(ws, fleet, shared, job, begin):
    """Fill `rows` with h and y of a tile; returns its number of samples. What fills up the last vector is 0."""
    small()
    a, rows, means = ws.a, ws.rows, ws.means
    last = fleet.tapes + job.ops + (job.n_ops - 1) * N_FIELDS
    units, source, m = last[FAN_IN], last[SOURCE], min(TILE, shared.ld - begin)
    copy_columns(shared.X, shared.ld, begin, shared.n_features, a, TILE, m)
    forward(fleet.tapes + job.ops, job.n_ops, fleet.params, job.params, a, m, TILE)
    n_real = min(m, shared.n - begin)
    for r in range(units + shared.n_outputs):
        for t in range(m):
            if t >= n_real:
                rows[r * TILE + t] = 0.0
            elif r < units:
                rows[r * TILE + t] = a[(source + r) * TILE + t] - means[r]
            else:
                rows[r * TILE + t] = shared.Y[(r - units) * shared.ld + begin + t] - means[r]
    return m


@jit
def centred_sums(ws, fleet, shared, job, n_rows):
    """Fill the means of h and y, and the sums of the products of the rows less their means."""
    small()
    rows, means, gram = ws.rows, ws.means, ws.gram
    fill(means, 0, n_rows, 0.0)
    sums = gram
    fill(sums, 0, n_rows, 0.0)
    for begin in range(0, shared.n, TILE):
        m = hidden_rows(ws, fleet, shared, job, begin)
        for r in range(n_rows):
            for t in range(m):
                sums[r] += rows[r * TILE + t]
    for r in range(n_rows):
        means[r] = sums[r] / shared.n
    fill(gram, 0, n_rows * n_rows, 0.0)
    for begin in range(0, shared.n, TILE):
        m = hidden_rows(ws, fleet, shared, job, begin)
        weight_gradient(rows, 0, n_rows, rows, 0, n_rows, m, TILE, gram, 0, rows)


@jit
def fit(ws, fleet, shared, i):
    """Fit the last layer of one network; stopped[i] is 0 if its cost is not finite."""
    small()
    job = job_at(fleet, i, ws.a)
    last = fleet.tapes + job.ops + (job.n_ops - 1) * N_FIELDS
    units = last[FAN_IN]
    n_rows, means, gram = units + shared.n_outputs, ws.means, ws.gram
    centred_sums(ws, fleet, shared, job, n_rows)
    for r in range(units):
        gram[r * n_rows + r] += fleet.penalties[i]
    cholesky(gram, units, n_rows)
    W = job.params + last[OFFSET]
    for k in range(shared.n_outputs):
        moments = (units + k) * n_rows
        solve(gram, units, n_rows, gram, moments)
        intercept = means[units + k]
        for r in range(units):
            fleet.params[W + k * units + r] = gram[moments + r]
            intercept -= gram[moments + r] * means[r]
        fleet.params[W + shared.n_outputs * units + k] = intercept
    if not np.isfinite(readout_cost(ws, fleet, shared, job)):
        fleet.stopped[i] = 0
    for p in range(job.n_params):
        fleet.snapshots[job.rows + p] = fleet.params[job.params + p]


@jit
def readout_cost(ws, fleet, shared, job):
    """Fill the cost per output over all samples; returns their sum."""
    small()
    a, output = ws.a, (job.n_units - shared.n_outputs) * TILE
    fill(fleet.costs, job.costs, shared.n_outputs, 0.0)
    for begin in range(0, shared.n, TILE):
        m = min(TILE, shared.ld - begin)
        copy_columns(shared.X, shared.ld, begin, shared.n_features, a, TILE, m)
        forward(fleet.tapes + job.ops, job.n_ops, fleet.params, job.params, a, m, TILE)
        add_cost(a, output, TILE, shared.Y, begin, shared.ld, shared.n_outputs, min(m, shared.n - begin), m,
                 1.0 / shared.n, fleet.costs, job.costs, ws.da)  # fmt: skip
    total = 0.0
    for k in range(shared.n_outputs):
        total += fleet.costs[job.costs + k]
    return total


@linked(SAMPLES.name, entry=True)
def fit_readouts(thread: int, control: Table, ws_table: Table, fleet_table: Table, shared_table: Table, like: Pointer):
    """What every thread runs: fit networks from the queue; see team.py for `control`."""
    small()
    ws, fleet = of_thread(workspace_at(ws_table, like), thread), fleet_at(fleet_table, like)
    shared = shared_at(shared_table, like)
    i = next_job(control, fleet.n_jobs)
    while i >= 0:
        fit(ws, fleet, shared, i)
        finish_job(control)
        i = next_job(control, fleet.n_jobs)
