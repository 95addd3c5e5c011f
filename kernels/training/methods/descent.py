"""Descent along the gradient of the cost, by steps of an optimizer (../optimizers)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from shoal.kernels.training.fleet import Job
from shoal.kernels.training.groups import MINIBATCH_TILE
from shoal.kernels.training.one_by_one import ONE_BY_ONE
from shoal.kernels.training.optimizers import OPTIMIZERS
from shoal.kernels.training.side_by_side import SIDE_BY_SIDE
from shoal.kernels.training.way import Way

NEEDS = ("learning_rate", "steps")


def hypers_of(spec: Any) -> tuple[float, ...]:
    """The optimizer's own numbers in a specification, or their defaults."""
    return _hypers(spec.optimizer, spec.hypers)


@lru_cache(maxsize=256)
def _hypers(optimizer: str, given: tuple[tuple[str, float], ...]) -> tuple[float, ...]:
    numbers = dict(given)
    return tuple(numbers.get(name, default) for name, default in OPTIMIZERS[optimizer].hypers.items())


def way_of(job: Job) -> Way:
    """Networks stand side by side where a mini-batch is too small to fill vectors with its samples."""
    return SIDE_BY_SIDE if (job.batch_size or job.n_samples) <= MINIBATCH_TILE else ONE_BY_ONE


@lru_cache(maxsize=256)
def recorded_steps(steps: int, batch_size: int | None) -> np.ndarray:
    """Steps whose cost is recorded: all of 0..steps for full batch, else 0 and about 50 log-spaced up to `steps`."""
    if batch_size is None:
        recorded = np.arange(steps + 1)
    else:
        recorded = np.unique(np.concatenate([[0], np.rint(np.geomspace(1, steps, 50))]).astype(np.int64))
    recorded.flags.writeable = False  # one array serves all networks
    return recorded
