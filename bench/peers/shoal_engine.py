"""shoal itself, by its door, as the sweep stage calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench.workloads import SEED, Workload
from shoal.kernels import ensemble
from shoal.kernels.ensemble import NetworkSpec

TITLE = "shoal"
PACKAGE = "numba"
CONFIGURATIONS = ((1, 2),)
SLOW = False
EXACT_ORDER = True


def supports(workload: Workload) -> bool:
    """Whatever there is."""
    return True


def prepare(workload: Workload, specs: Sequence[NetworkSpec], dtype: str, n_threads: int) -> Callable[[], np.ndarray]:
    """See `bench.peers.load`."""
    x, y = workload.data

    def train() -> np.ndarray:
        runs = ensemble.train(specs, x, y, seed=SEED, dtype=dtype, n_threads=n_threads)
        return np.array([run.costs[-1].sum() for run in runs])

    return train
