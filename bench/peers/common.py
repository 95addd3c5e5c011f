"""What the peers share: networks of equal shape in stacks, their initial weights, aligned memory, threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from bench.workloads import Weights, Workload
from shoal.kernels.ensemble import NetworkSpec

CHUNK_BYTES = 2_000_000
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector."""


class Stack(NamedTuple):
    """Networks of one shape and activation; `index` says where they stand in the call's `specs`."""

    index: list[int]
    specs: list[NetworkSpec]
    sizes: list[int]
    activation: str

    @property
    def learning_rate(self) -> float:
        """That of all its networks: under gradient descent it goes with the activation."""
        return self.specs[0].learning_rate

    @property
    def rates(self) -> np.ndarray:
        """Learning rates (n_networks,)."""
        return np.array([spec.learning_rate for spec in self.specs])

    def weights(self, workload: Workload, dtype: str) -> Weights:
        """(W, b) layer by layer, W (n_networks, fan_out, fan_in) and b (n_networks, fan_out)."""
        layers = zip(*(workload.weights(spec) for spec in self.specs), strict=True)
        return [tuple(np.stack(tensors).astype(dtype) for tensors in zip(*pairs, strict=True)) for pairs in layers]

    def orders(self, workload: Workload) -> np.ndarray:
        """The shuffles (n_networks, n_epochs, n_samples)."""
        return np.stack([workload.orders(spec) for spec in self.specs])


def stacks(workload: Workload, specs: Sequence[NetworkSpec], height: Callable[[list[int]], int]) -> list[Stack]:
    """The networks in stacks of at most height(sizes), as even as can be."""
    alike: dict[tuple, list[int]] = {}
    for i, spec in enumerate(specs):
        key = (tuple(workload.sizes(spec)), workload.activation(spec))
        alike.setdefault(key, []).append(i)
    result = []
    for (sizes, activation), index in alike.items():
        n_stacks = -(-len(index) // max(1, height(list(sizes))))
        most = -(-len(index) // n_stacks)
        for start in range(0, len(index), most):
            part = index[start : start + most]
            result.append(Stack(part, [specs[i] for i in part], list(sizes), activation))
    return result


def plain_batches(workload: Workload) -> bool:
    """Full batch, or mini-batches of one size by gradient descent: what NumPy's and Numba's peers are written for."""
    in_batches = workload.batch_size is not None
    gd_of_equal = workload.specs[0].optimizer == "gd" and workload.n_samples % (workload.batch_size or 1) == 0
    return not workload.own_targets and (gd_of_equal or not in_batches)


def chunks_of(n_samples: int, bytes_of_sample: int, n_threads: int) -> int:
    """Into how many equal chunks to cut the samples: as many for each thread, small enough for a second-level cache."""
    least = n_samples * bytes_of_sample / CHUNK_BYTES
    fitting = [c for c in range(n_threads, n_samples + 1, n_threads) if c >= least and n_samples % c == 0]
    return fitting[0] if fitting else 1


def aligned(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """An array of zeros that starts on a cache line; NumPy's own may start 16 bytes behind one."""
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(n_bytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + n_bytes].view(dtype).reshape(shape)


def trainer(parts: Sequence[Stack], runs: Sequence[Callable[[], np.ndarray]], n_threads: int) -> Callable:
    """The function that runs every stack, on a pool of threads, and returns the final costs in the order of specs."""

    def train() -> np.ndarray:
        costs = np.empty(sum(len(stack.index) for stack in parts))
        with ThreadPoolExecutor(n_threads) as pool:
            for stack, cost in zip(parts, pool.map(lambda run: run(), runs), strict=True):
                costs[stack.index] = cost
        return costs

    return train
