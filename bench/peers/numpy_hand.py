"""NumPy, hand-tuned.

Feature-major values (units, samples), so that every ufunc runs along rows as long as the batch. Each W has its b as
last column and each a a row of ones below it: one matrix product gives W a + b, and one gives dW and db, without passes
of their own. A single output has a second one beside it that stays zero, as NumPy leaves BLAS where an inner size is 1.
The parameters of all layers lie behind each other, so that an update is one call. Every array is allocated once, on a
cache line, and written by `out=`. Small networks of one shape are stacked, and np.matmul runs through the stack.
Samples are cut into chunks whose values stay in the second-level cache; a network that is alone has its chunks
computed by all threads. BLAS has one thread throughout: its own threads lose on W5 and W6, and may win on W1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_limits

from bench.peers.common import BETA_1, BETA_2, EPSILON, Stack, aligned, chunks_of, plain_batches, stacks, trainer
from bench.workloads import Workload
from shoal.kernels.ensemble import NetworkSpec

TITLE = "NumPy, hand-tuned"
PACKAGE = "numpy"
CONFIGURATIONS = ((2, 1), (1, 2))
SLOW = False
EXACT_ORDER = True
STACK_BYTES = 400_000
"""Of one layer's values of a stack."""
supports = plain_batches


class Params:
    """One flat array and its views layer by layer, (n_networks, fan_out, fan_in + 1)."""

    def __init__(self, sizes: list[int], n_networks: int, dtype: str) -> None:
        shapes = [(n_networks, fan_out, fan_in + 1) for fan_in, fan_out in pairwise(sizes)]
        ends = np.cumsum([np.prod(shape) for shape in shapes])
        self.flat = aligned((ends[-1],), dtype)
        self.layers = [part.reshape(shape) for part, shape in zip(np.split(self.flat, ends[:-1]), shapes, strict=True)]


class Chunk:
    """Forward and backward pass of a stack over some samples; x, y (n_networks or 1, features or outputs, n)."""

    def __init__(self, stack: Stack, params: Params, n: int, dtype: str) -> None:
        height, self.sizes, self.activation = len(stack.index), padded(stack.sizes), stack.activation
        self.a = [aligned((height, size + 1, n), dtype) for size in self.sizes[:-1]]
        for a in self.a:
            a[:, -1] = 1
        self.z = [*(a[:, :-1] for a in self.a[1:]), aligned((height, self.sizes[-1], n), dtype)]
        self.delta = [aligned((height, size, n), dtype) for size in self.sizes[1:]]
        scratch = bool if stack.activation == "relu" else dtype
        self.scratch = [aligned((height, size, n), scratch) for size in self.sizes[1:]]
        self.W, self.grads = params.layers, Params(self.sizes, height, dtype)
        self.W_transposed = [W[:, :, :-1].swapaxes(1, 2) for W in self.W]
        self.a_transposed = [a.swapaxes(1, 2) for a in self.a]
        self.outer = np.multiply if n == 1 else np.matmul

    def cost(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """1/2 (y_hat - y)^2 summed over samples and outputs, (n_networks,); leaves the errors to `gradient`."""
        self.forward(x, y)
        flat = self.delta[-1].reshape(len(self.delta[-1]), 1, -1)
        return 0.5 * np.matmul(flat, flat.swapaxes(1, 2))[:, 0, 0]

    def forward(self, x: np.ndarray, y: np.ndarray) -> None:
        """The values of all layers, and the errors."""
        self.a[0][:, :-1] = x
        for W, a, z in zip(self.W, self.a, self.z, strict=True):
            np.matmul(W, a, out=z)
            if z is not self.z[-1] and self.activation != "linear":
                np.maximum(z, 0, out=z) if self.activation == "relu" else np.tanh(z, out=z)
        np.subtract(self.z[-1], y, out=self.delta[-1])

    def gradient(self, scale: float) -> np.ndarray:
        """`scale` times the sum of the samples' gradients, flat, from what the forward pass has left."""
        self.delta[-1] *= scale
        for i in range(len(self.W) - 1, -1, -1):
            self.outer(self.delta[i], self.a_transposed[i], out=self.grads.layers[i])
            if i:
                np.matmul(self.W_transposed[i], self.delta[i], out=self.delta[i - 1])
                self.through_activation(self.z[i - 1], self.delta[i - 1], self.scratch[i - 1])
        return self.grads.flat

    def through_activation(self, a: np.ndarray, delta: np.ndarray, scratch: np.ndarray) -> None:
        """delta *= sigma'(z), in terms of a."""
        if self.activation == "relu":
            np.multiply(delta, np.greater(a, 0, out=scratch), out=delta)
        elif self.activation == "tanh":
            np.subtract(1, np.multiply(a, a, out=scratch), out=scratch)
            np.multiply(delta, scratch, out=delta)


class Adam:
    """Kingma and Ba's update, in place; the step's corrections are folded into two scalars."""

    def __init__(self, params: np.ndarray, learning_rate: float) -> None:
        self.params, self.learning_rate = params, learning_rate
        self.m, self.v, self.scratch = (np.zeros_like(params) for _ in range(3))

    def step(self, grads: np.ndarray, t: int) -> None:
        """Update number `t`, from 1; overwrites `grads`."""
        root, scratch = np.sqrt(1 - BETA_2**t), self.scratch
        self.m += np.multiply(np.subtract(grads, self.m, out=scratch), 1 - BETA_1, out=scratch)
        np.subtract(np.multiply(grads, grads, out=grads), self.v, out=grads)
        self.v += np.multiply(grads, 1 - BETA_2, out=grads)
        np.add(np.sqrt(self.v, out=scratch), EPSILON * root, out=scratch)
        np.multiply(np.divide(self.m, scratch, out=scratch), self.learning_rate * root / (1 - BETA_1**t), out=scratch)
        self.params -= scratch


def padded(sizes: list[int]) -> list[int]:
    """The sizes with two outputs at least."""
    return [*sizes[:-1], max(2, sizes[-1])]


def start(params: Params, weights: list) -> None:
    """Set to the initial weights."""
    for layer, (W, b) in zip(params.layers, weights, strict=True):
        layer[:, : W.shape[1], :-1], layer[:, : W.shape[1], -1] = W, b


def full_batch(workload: Workload, stack: Stack, dtype: str, n_threads: int) -> Callable[[], np.ndarray]:
    """Training of a stack on all samples, chunks of them on `n_threads` threads."""
    params, n = Params(padded(stack.sizes), len(stack.index), dtype), workload.n_samples
    initial, x, y = stack.weights(workload, dtype), *feature_major(workload, dtype)
    n_chunks = chunks_of(n, 2 * sum(stack.sizes) * np.dtype(dtype).itemsize * len(stack.index), n_threads)
    size = n // n_chunks
    cuts = [slice(start, start + size) for start in range(0, n, size)]
    chunks = [(Chunk(stack, params, size, dtype), x[:, :, cut], y[:, :, cut]) for cut in cuts]
    shares = [chunks[i::n_threads] for i in range(n_threads)]
    adam, rate = stack.specs[0].optimizer == "adam", stack.learning_rate

    def share(chunks: list, scale: float) -> tuple[np.ndarray, np.ndarray]:
        cost = grads = 0
        for chunk, x, y in chunks:
            cost = cost + chunk.cost(x, y)
            grads = grads + chunk.gradient(scale) if len(chunks) > 1 else chunk.gradient(scale)
        return cost, grads

    def train() -> np.ndarray:
        start(params, initial)
        optimizer = Adam(params.flat, rate)
        costs = np.empty((workload.steps + 1, len(stack.index)))
        with ThreadPoolExecutor(n_threads) as pool:
            each = map if n_threads == 1 else pool.map
            for step in range(workload.steps):
                parts = list(each(share, shares, [(1 if adam else rate) / n] * n_threads))
                costs[step] = sum(cost for cost, _ in parts) / n
                grads = parts[0][1]
                for _, other in parts[1:]:
                    grads += other
                if adam:
                    optimizer.step(grads, step + 1)
                else:
                    params.flat -= grads
        costs[-1] = sum(chunk.cost(x, y) for chunk, x, y in chunks) / n
        return costs[-1]

    return train


def mini_batch(workload: Workload, stack: Stack, dtype: str) -> Callable[[], np.ndarray]:
    """Training of a stack on mini-batches, which are gathered epoch by epoch."""
    height, n, size = len(stack.index), workload.n_samples, workload.batch_size
    params, initial = Params(padded(stack.sizes), height, dtype), stack.weights(workload, dtype)
    x, y = feature_major(workload, dtype)
    everything, batch = Chunk(stack, params, n, dtype), Chunk(stack, params, size, dtype)
    recorded = set(workload.recorded.tolist())

    def batches(values: np.ndarray, order: np.ndarray) -> np.ndarray:
        shuffled = values[0][:, order].reshape(-1, height, n // size, size)
        return np.ascontiguousarray(shuffled.transpose(2, 1, 0, 3))

    def train() -> np.ndarray:
        start(params, initial)
        costs = [everything.cost(x, y) / n]
        for epoch, order in enumerate(stack.orders(workload).swapaxes(0, 1)):
            samples = zip(batches(x, order), batches(y, order), strict=True)
            for step, (x_batch, y_batch) in enumerate(samples, epoch * (n // size) + 1):
                batch.forward(x_batch, y_batch)
                params.flat -= batch.gradient(stack.learning_rate / size)
                if step in recorded:
                    costs.append(everything.cost(x, y) / n)
        return costs[-1]

    return train


def feature_major(workload: Workload, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """x (1, n_features, n_samples) and y (1, n_outputs or 2, n_samples)."""
    x, y = (np.ascontiguousarray(values.T[None], dtype) for values in workload.data)
    return x, np.concatenate([y, np.zeros_like(y)], axis=1) if workload.n_outputs == 1 else y


def prepare(workload: Workload, specs: Sequence[NetworkSpec], dtype: str, n_threads: int) -> Callable[[], np.ndarray]:
    """See `bench.peers.load`."""
    threadpool_limits(1)
    bytes_of_unit = (workload.batch_size or workload.n_samples) * np.dtype(dtype).itemsize
    parts = stacks(workload, specs, lambda sizes: STACK_BYTES // (max(sizes) * bytes_of_unit))
    if workload.batch_size is not None:
        return trainer(parts, [mini_batch(workload, stack, dtype) for stack in parts], n_threads)
    inner = n_threads if len(parts) < n_threads else 1
    return trainer(parts, [full_batch(workload, stack, dtype, inner) for stack in parts], n_threads)
