"""One network on one thread; many networks over all threads.

Shapes: X (n_features, n), Y (n_outputs, n), feature-major; `samples` (n,) int64 are the columns in use, in their order.
`net` is what `passes.workspace` makes, `job` one row of the structured array in `jobs.py`.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from kernels import dense, readout
from kernels._jit import fetch_add, jit, parallel_jit
from kernels.jobs import RIDGE
from kernels.layout import SOURCE
from kernels.network import TILE, block, forward, weights
from kernels.optimizers import gradient_descent
from kernels.passes import cost_pass, gather, workspace
from kernels.rng import shuffle


@jit
def take_snapshots(step, steps, taken, params, snapshots):
    """Copy `params` to every snapshot due by `step`; returns how many have been taken."""
    while taken < steps.size and steps[taken] <= step:
        snapshots[taken] = params
        taken += 1
    return taken


@jit
def descend_full_batch(net, job, params, X, Y, costs, snapshot_steps, snapshots):
    """Full-batch gradient descent; costs (n_steps + 1, n_outputs) before each update and after the last.

    Returns the step at which the cost stopped being finite, or -1.
    """
    samples = np.arange(X.shape[1])
    grads = np.empty_like(params)
    n_steps = snapshot_steps[-1]
    taken = 0
    for step in range(n_steps + 1):
        cost_pass(net, params, X, Y, samples, costs[step], grads if step < n_steps else grads[:0])
        taken = take_snapshots(step, snapshot_steps, taken, params, snapshots)
        if not np.isfinite(costs[step].sum()):
            take_snapshots(n_steps, snapshot_steps, taken, params, snapshots)
            return step
        if step < n_steps:
            gradient_descent(params, grads, job.rate)
    return -1


@jit
def descend_minibatch(net, job, params, X, Y, record_steps, costs, snapshot_steps, snapshots):
    """Mini-batch gradient descent, a fresh shuffle each epoch, the last mini-batch of an epoch holding what is left.

    Fills costs (n_records, n_outputs) with the cost over all samples at `record_steps`. Returns the step whose
    mini-batch cost was not finite, or -1.
    """
    n = X.shape[1]
    everything, order = np.arange(n), np.empty(n, np.int64)
    grads, minibatch_costs = np.empty_like(params), np.empty(Y.shape[0])
    n_steps = snapshot_steps[-1]
    taken, recorded, low, epoch = 0, 0, n, 0
    for step in range(n_steps + 1):
        if recorded < record_steps.size and record_steps[recorded] == step:
            cost_pass(net, params, X, Y, everything, costs[recorded], grads[:0])
            recorded += 1
        taken = take_snapshots(step, snapshot_steps, taken, params, snapshots)
        if step == n_steps:
            break
        if low >= n:
            shuffle(job.shuffle_key, epoch, order)
            low, epoch = 0, epoch + 1
        cost_pass(net, params, X, Y, order[low : low + job.batch_size], minibatch_costs, grads)
        if not np.isfinite(minibatch_costs.sum()):
            take_snapshots(n_steps, snapshot_steps, taken, params, snapshots)
            return step
        gradient_descent(params, grads, job.rate)
        low += job.batch_size
    return -1


@jit
def centred_sums(net, params, X, Y, samples, mean_h, mean_y, gram, moments):
    """gram += H^T H and moments += Y^T H over all samples, H the last dense layer's inputs, both less their means."""
    ops, sizes, a, _, _, _ = net
    for start in range(0, samples.size, TILE):
        n = min(TILE, samples.size - start)
        gather(X, samples[start : start + n], block(a, sizes, 0, n))
        forward(ops, sizes, params, a, n)
        h = block(a, sizes, ops[-1, SOURCE], n).astype(np.float64)
        y = Y[:, start : start + n].astype(np.float64)
        for i in range(h.shape[0]):
            h[i] -= mean_h[i]
        for k in range(y.shape[0]):
            y[k] -= mean_y[k]
        dense.weight_gradient(h, h, gram)
        dense.weight_gradient(y, h, moments)


@jit
def means(net, params, X, Y, samples, mean_h, mean_y):
    """Fill the means over all samples of the last dense layer's inputs and of Y."""
    ops, sizes, a, _, _, _ = net
    for start in range(0, samples.size, TILE):
        n = min(TILE, samples.size - start)
        gather(X, samples[start : start + n], block(a, sizes, 0, n))
        forward(ops, sizes, params, a, n)
        dense.bias_gradient(block(a, sizes, ops[-1, SOURCE], n).astype(np.float64), mean_h)
        dense.bias_gradient(Y[:, start : start + n].astype(np.float64), mean_y)
    mean_h /= samples.size
    mean_y /= samples.size


@jit
def fit_ridge(net, job, params, X, Y, costs, snapshots):
    """Ridge readout on the layers as they are; costs (1, n_outputs). Returns 0 if the cost is not finite, else -1."""
    ops, sizes = net[0], net[1]
    samples = np.arange(X.shape[1])
    units, n_outputs = sizes[ops[-1, SOURCE]], Y.shape[0]
    mean_h, mean_y = np.zeros(units), np.zeros(n_outputs)
    gram, moments = np.zeros((units, units)), np.zeros((n_outputs, units))
    means(net, params, X, Y, samples, mean_h, mean_y)
    centred_sums(net, params, X, Y, samples, mean_h, mean_y, gram, moments)
    W, b = weights(params, sizes, ops[-1])
    readout.ridge(gram, moments, mean_h, mean_y, job.rate, W, b)
    cost_pass(net, params, X, Y, samples, costs[0], params[:0])
    snapshots[0] = params
    return -1 if np.isfinite(costs[0].sum()) else 0


@jit
def train_one(job, tapes, node_sizes, X, Y, params, record_steps, costs, snapshot_steps, snapshots):
    """Run one job; returns the step at which it stopped for a cost that is not finite, or -1."""
    net = workspace(tapes[job.tape, : job.n_ops], node_sizes[job.tape, : job.n_nodes], Y.shape[0], X)
    row = params[job.params : job.params + job.n_params]
    steps = record_steps[job.records : job.records + job.n_records]
    curve = costs[job.records : job.records + job.n_records]
    due = snapshot_steps[job.snapshots : job.snapshots + job.n_snapshots]
    kept = snapshots[job.rows : job.rows + job.n_snapshots * job.n_params].reshape(job.n_snapshots, job.n_params)
    if job.method == RIDGE:
        return fit_ridge(net, job, row, X, Y, curve, kept)
    if job.batch_size == 0:
        return descend_full_batch(net, job, row, X, Y, curve, due, kept)
    return descend_minibatch(net, job, row, X, Y, steps, curve, due, kept)


@parallel_jit
def train_many(
    n_threads,
    queue,
    done,
    stopped,
    jobs,
    tapes,
    node_sizes,
    X,
    Y,
    params,
    record_steps,
    costs,
    snapshot_steps,
    snapshots,
):
    """Run all jobs, each on one thread: every thread takes the next job from the shared counter `queue` (1,) int64.

    Fills stopped (n_jobs,) int64 with what `train_one` returns; `done` (1,) counts what is finished. Raising `queue`
    to the number of jobs from outside ends the call after the jobs that are under way.
    """
    for _ in prange(n_threads):
        while True:
            i = fetch_add(queue, 1)
            if i >= jobs.size:
                break
            stopped[i] = train_one(
                jobs[i], tapes, node_sizes, X, Y, params, record_steps, costs, snapshot_steps, snapshots
            )
            fetch_add(done, 1)
