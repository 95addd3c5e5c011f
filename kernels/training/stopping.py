"""Stopping by the validation cost: when it is taken, and what is made of it. The best parameters so far are kept.

A network waits while validations bring no improvement of more than `min_delta` on the last one that did, and stops when
it has waited for `patience` of them. The lowest cost so far, however little lower, has its parameters kept. A cost that
is not finite is never lower. (Other rules: Prechelt, "Early stopping - but when?", 1998.)
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from shoal.kernels.compile.jit import jit
from shoal.kernels.simd.vector import small

PATIENCE, MIN_DELTA, LOWEST, REFERENCE, WAITED, N_WATCH = range(6)
"""Numbers (float64) of a network that is watched: what it asks for, and how it stands."""


def watches_of(patience: np.ndarray, min_deltas: np.ndarray) -> np.ndarray:
    """The numbers of networks (n,) at the beginning, (n, N_WATCH)."""
    watches = np.zeros((len(patience), N_WATCH))
    watches[:, PATIENCE], watches[:, MIN_DELTA] = patience, min_deltas
    watches[:, [LOWEST, REFERENCE]] = np.inf
    return watches


@jit
def is_lowest(watch, cost, is_first):
    """Take note of a validation cost; whether it is the lowest so far, or the first."""
    small()
    if cost < watch[REFERENCE] - watch[MIN_DELTA]:
        watch[REFERENCE] = cost
        watch[WAITED] = 0.0
    elif not is_first:
        watch[WAITED] += 1.0
    lowest = cost < watch[LOWEST]
    if lowest:
        watch[LOWEST] = cost
    return lowest or is_first


@jit
def is_over(watch):
    """Whether the network has waited for long enough."""
    small()
    return watch[WAITED] >= watch[PATIENCE]


@lru_cache(maxsize=256)
def validation_steps(steps: int, batch_size: int | None, n_samples: int, every: int) -> tuple[int, ...]:
    """Steps at which the validation cost is taken: 0, the end of every epoch (full batch: every `every` steps), the
    last."""
    period = every if batch_size is None else -(-n_samples // batch_size)
    return (*range(0, steps, period), steps)
