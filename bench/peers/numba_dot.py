"""Numba with np.dot.

The whole training of a network is one compiled call, the same for every shape: parameters, gradients and values are
flat buffers whose layers are contiguous views, so that np.dot(out=) goes to BLAS without copies. Feature-major as in
numpy_hand, with b as last column of W and a row of ones below each a. What is not a product is a plain loop that LLVM
vectorises; tanh is written with exp, which LLVM cannot vectorise without Intel's SVML either, but which costs less than
libm's tanh. Several networks run on a pool of threads without the GIL; one network has its samples cut into chunks
that prange computes. BLAS has one thread throughout.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numba import njit, prange
from scipy.linalg import blas  # noqa: F401  (the BLAS that Numba calls, loaded before its threads are limited)
from threadpoolctl import threadpool_limits

from bench.peers.common import BETA_1, BETA_2, EPSILON, Stack, aligned, chunks_of, plain_batches, stacks, trainer
from bench.workloads import Workload
from shoal.kernels.ensemble import NetworkSpec

TITLE = "Numba with np.dot"
PACKAGE = "numba"
CONFIGURATIONS = ((2, 1), (1, 2))
SLOW = False
EXACT_ORDER = True
ACTIVATIONS = {"linear": 0, "relu": 1, "tanh": 2}
FAST = {"contract", "reassoc", "arcp", "nsz"}
supports = plain_batches


@njit(nogil=True)
def matrix(flat, start, rows, columns):
    """A contiguous view of a flat buffer."""
    return flat[start : start + rows * columns].reshape(rows, columns)


@njit(nogil=True, fastmath=FAST)
def activate(z, activation):
    """z = sigma(z) in place."""
    if activation == 1:
        for i in range(z.size):
            z[i] = max(z[i], z.dtype.type(0))
    elif activation == 2:
        one, two = z.dtype.type(1), z.dtype.type(2)
        for i in range(z.size):
            z[i] = one - two / (math.exp(two * z[i]) + one)


@njit(nogil=True, fastmath=FAST)
def through_activation(a, delta, activation):
    """delta *= sigma'(z), in terms of a, in place."""
    if activation == 1:
        for i in range(a.size):
            delta[i] = delta[i] if a[i] > 0 else a.dtype.type(0)
    elif activation == 2:
        for i in range(a.size):
            delta[i] *= a.dtype.type(1) - a[i] * a[i]


@njit(nogil=True, fastmath=FAST)
def forward(params, sizes, activation, x, y, a, error):
    """Values of all layers into `a`, whose rows of ones are set, and errors; returns the samples' summed cost."""
    n, at, start = x.shape[1], 0, 0
    matrix(a, 0, sizes[0], n)[:] = x
    for i in range(sizes.size - 1):
        fan_in, fan_out = sizes[i], sizes[i + 1]
        W = matrix(params, start, fan_out, fan_in + 1)
        below = matrix(a, at, fan_in + 1, n)
        at, start = at + below.size, start + W.size
        z = matrix(a, at, fan_out, n)
        np.dot(W, below, out=z)
        if i < sizes.size - 2:
            activate(z.reshape(-1), activation)
    y_hat, total = a[at : at + y.size].reshape(y.shape), 0.0
    for k in range(y.shape[0]):
        for j in range(n):
            error[k * n + j] = y_hat[k, j] - y[k, j]
            total += 0.5 * error[k * n + j] ** 2
    return total


@njit(nogil=True, fastmath=FAST)
def backward(params, sizes, activation, a, delta, below_delta, grads, scale, n):
    """`scale` times the summed gradients, from the errors in `delta`; both delta buffers are overwritten."""
    at, start = a.size - (sizes[-1] + 1) * n, params.size
    for i in range(sizes[-1] * n):
        delta[i] *= scale
    for i in range(sizes.size - 2, -1, -1):
        fan_in, fan_out = sizes[i], sizes[i + 1]
        at, start = at - (fan_in + 1) * n, start - fan_out * (fan_in + 1)
        above = matrix(delta, 0, fan_out, n)
        np.dot(above, matrix(a, at, fan_in + 1, n).T, out=matrix(grads, start, fan_out, fan_in + 1))
        if i > 0:
            np.dot(matrix(params, start, fan_out, fan_in + 1).T, above, out=matrix(below_delta, 0, fan_in + 1, n))
            through_activation(a[at : at + fan_in * n], below_delta[: fan_in * n], activation)
            delta, below_delta = below_delta, delta


@njit(nogil=True, fastmath=FAST)
def adam(params, grads, m, v, rate, t):
    """Kingma and Ba's update number `t`, from 1."""
    one = params.dtype.type(1)
    beta_1, beta_2, epsilon = params.dtype.type(BETA_1), params.dtype.type(BETA_2), params.dtype.type(EPSILON)
    c_1, c_2 = params.dtype.type(1 / (1 - BETA_1**t)), params.dtype.type(1 / (1 - BETA_2**t))
    for i in range(params.size):
        m[i] = beta_1 * m[i] + (one - beta_1) * grads[i]
        v[i] = beta_2 * v[i] + (one - beta_2) * grads[i] * grads[i]
        params[i] -= rate * (m[i] * c_1) / (math.sqrt(v[i] * c_2) + epsilon)


def full_batch(params, sizes, activation, x, y, a, deltas, grads, m, v, rate, use_adam, costs):
    """Training on all samples; x and y (n_chunks, rows, n), the buffers' rows one for each chunk."""
    n, parts = x.shape[0] * x.shape[2], np.empty(x.shape[0])
    scale = params.dtype.type((1 if use_adam else rate) / n)
    for step in range(costs.size):
        for i in prange(x.shape[0]):
            parts[i] = forward(params, sizes, activation, x[i], y[i], a[i], deltas[i, 0])
            if step < costs.size - 1:
                backward(params, sizes, activation, a[i], deltas[i, 0], deltas[i, 1], grads[i], scale, x.shape[2])
        costs[step] = parts.sum() / n
        if step == costs.size - 1:
            break
        for i in range(1, x.shape[0]):
            grads[0] += grads[i]
        if use_adam:
            adam(params, grads[0], m, v, rate, step + 1)
        else:
            params -= grads[0]


serial_full_batch, parallel_full_batch = njit(full_batch, nogil=True), njit(full_batch, parallel=True)


@njit(nogil=True)
def mini_batch(params, sizes, activation, x, y, a, deltas, a_all, error, grads, rate, size, orders, recorded, costs):
    """Training on mini-batches of `size` in the `orders` (n_epochs, n)."""
    n, n_costs = x.shape[1], 1
    x_batch, y_batch = np.empty((x.shape[0], size), x.dtype), np.empty((y.shape[0], size), x.dtype)
    scale = params.dtype.type(rate / size)
    costs[0] = forward(params, sizes, activation, x, y, a_all, error) / n
    for step in range(orders.size // size):
        epoch, first = divmod(step * size, n)
        for j in range(size):
            sample = orders[epoch, first + j]
            x_batch[:, j], y_batch[:, j] = x[:, sample], y[:, sample]
        forward(params, sizes, activation, x_batch, y_batch, a, deltas[0])
        backward(params, sizes, activation, a, deltas[0], deltas[1], grads, scale, size)
        params -= grads
        if step + 1 == recorded[n_costs]:
            costs[n_costs] = forward(params, sizes, activation, x, y, a_all, error) / n
            n_costs = min(n_costs + 1, costs.size - 1)


def train_full_batch(workload: Workload, stack: Stack, dtype: str, n_threads: int) -> Callable[[], np.ndarray]:
    """The training of one network on all samples."""
    n_chunks = chunks_of(workload.n_samples, 2 * sum(stack.sizes) * np.dtype(dtype).itemsize, n_threads)
    n, sizes, initial = workload.n_samples // n_chunks, np.array(stack.sizes), flat_params(workload, stack, dtype)
    x, y = (np.ascontiguousarray(v.T.reshape(-1, n_chunks, n).swapaxes(0, 1), dtype) for v in workload.data)
    params, m, v = (aligned(initial.shape, dtype) for _ in range(3))
    a, grads = aligned((n_chunks, (sizes + 1).sum() * n), dtype), aligned((n_chunks, initial.size), dtype)
    deltas, costs = aligned((n_chunks, 2, (max(sizes) + 1) * n), dtype), np.empty(workload.steps + 1)
    rate, use_adam = np.dtype(dtype).type(stack.learning_rate), stack.specs[0].optimizer == "adam"
    compiled, activation = (parallel_full_batch if n_threads > 1 else serial_full_batch), ACTIVATIONS[stack.activation]
    a[:] = 1

    def train() -> np.ndarray:
        params[:], m[:], v[:] = initial, 0, 0
        compiled(params, sizes, activation, x, y, a, deltas, grads, m, v, rate, use_adam, costs)
        return costs[-1:].copy()

    return train


def train_mini_batch(workload: Workload, stack: Stack, dtype: str) -> Callable[[], np.ndarray]:
    """The training of one network on mini-batches."""
    n, size, sizes = workload.n_samples, workload.batch_size, np.array(stack.sizes)
    initial, x, y = flat_params(workload, stack, dtype), *(np.ascontiguousarray(v.T, dtype) for v in workload.data)
    params, grads = aligned(initial.shape, dtype), aligned(initial.shape, dtype)
    a, a_all = np.ones((sizes + 1).sum() * size, dtype), np.ones((sizes + 1).sum() * n, dtype)
    deltas, error = aligned((2, (max(sizes) + 1) * size), dtype), aligned((y.size,), dtype)
    costs, activation = np.empty(len(workload.recorded)), ACTIVATIONS[stack.activation]

    def train() -> np.ndarray:
        params[:], orders = initial, stack.orders(workload)[0]
        buffers = (a, deltas, a_all, error, grads)
        schedule = (stack.learning_rate, size, orders, workload.recorded, costs)
        mini_batch(params, sizes, activation, x, y, *buffers, *schedule)
        return costs[-1:].copy()

    return train


def flat_params(workload: Workload, stack: Stack, dtype: str) -> np.ndarray:
    """The initial parameters of the only network of a stack, b as last column of each W."""
    layers = stack.weights(workload, dtype)
    return np.concatenate([np.concatenate([W[0], b[0][:, None]], axis=1).ravel() for W, b in layers])


def prepare(workload: Workload, specs: Sequence[NetworkSpec], dtype: str, n_threads: int) -> Callable[[], np.ndarray]:
    """See `bench.peers.load`."""
    threadpool_limits(1)
    parts = stacks(workload, specs, lambda sizes: 1)
    if workload.batch_size is not None:
        return trainer(parts, [train_mini_batch(workload, stack, dtype) for stack in parts], n_threads)
    inner = n_threads if len(parts) < n_threads else 1
    return trainer(parts, [train_full_batch(workload, stack, dtype, inner) for stack in parts], n_threads)
