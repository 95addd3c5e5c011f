"""shoal itself, by its door, as the sweep stage calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench.workloads import Workload
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

    def train() -> np.ndarray:
        return np.array([run.costs[-1].sum() for run in workload.train(specs, dtype, n_threads)])

    return train
