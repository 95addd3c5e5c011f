"""Which networks stand side by side in the lanes: results do not depend on it, the time does."""

from __future__ import annotations

import numpy as np

from shoal.kernels.simd.lanes import GROUP
from shoal.kernels.training.fleet import Job, Members
from shoal.kernels.training.optimizers import OPTIMIZERS


def arranged(job: Job, members: Members) -> np.ndarray | None:
    """The numbers (n,) of a job's networks in the order to stand in, None where they stay as they are.

    Networks of one replicate, as those of a sweep over learning rates, go through the same mini-batches, which are read
    once for lanes that have them in common. But eight networks train until the last of them has stopped: where those of
    a learning rate diverge or stop early, each by itself, they stay together.
    """
    if not job.batch_size or job.validation_steps or not OPTIMIZERS[job.method].is_bounded:
        return None
    _, counts = np.unique(members.shuffle_keys, return_counts=True)
    return np.argsort(members.shuffle_keys, kind="stable") if counts.max() >= GROUP else None
