"""NumPy with the threads of its BLAS, for a network that is alone: the program of numpy_hand.py in one piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from bench.peers import numpy_hand
from bench.peers.common import stacks
from bench.workloads import Workload
from shoal.kernels.ensemble import NetworkSpec

TITLE = "NumPy, hand-tuned, BLAS threads"
PACKAGE = "numpy"
CONFIGURATIONS = ((1, 2),)
SLOW = False
EXACT_ORDER = True


def supports(workload: Workload) -> bool:
    """Workloads of one network."""
    return len(workload.specs) == 1


def prepare(workload: Workload, specs: Sequence[NetworkSpec], dtype: str, n_threads: int) -> Callable[[], np.ndarray]:
    """See `bench.peers.load`."""
    threadpool_limits(n_threads)
    [stack] = stacks(workload, specs, lambda sizes: 1)
    return numpy_hand.full_batch(workload, stack, dtype, 1)
