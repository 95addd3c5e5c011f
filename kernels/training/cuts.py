"""Where the passes over one network's samples, and its update, are cut for threads to share.

The n samples of a pass are cut into chunks, a chunk into tiles whose activations stay in cache, and a row of parameters
into slices. Where they are cut depends on n, on the network's `tile` and on the dtype alone.
"""

from __future__ import annotations

from typing import NamedTuple

from shoal.kernels.compile.jit import jit
from shoal.kernels.compile.linked import unpacked
from shoal.kernels.simd.lanes import SAMPLES, STRIPE
from shoal.kernels.simd.vector import small
from shoal.kernels.training.fleet import ALIGNMENT, rounded_up

VALIDATION, COST, GRADIENT, MINIBATCH_GRADIENT, NORM, UPDATE = range(6)
"""Phases of training that threads share: passes over samples, then those over slices of the parameters."""
width, aligned = SAMPLES.width, jit(rounded_up)


class SharedTask(NamedTuple):
    """What an open loop is about: a phase of job i, over samples low..low + n - 1."""

    i: int
    phase: int
    low: int
    n: int


task_at = unpacked(SharedTask)


@jit
def n_chunks(n, job, stripe):
    """Chunks of a pass over n samples: one, or an even number, so that two threads have equally much to do."""
    small()
    padded, pair = (n + stripe - 1) // stripe * stripe, 2 * job.tile
    return 1 if padded <= job.tile else min(job.max_chunks, 2 * ((padded + pair - 1) // pair))


@jit
def stripe_of(a):
    """Samples that rows are padded to a whole number of."""
    small()
    return width(a) * STRIPE


@jit
def boundary(k, parts, first, last):
    """Where part k begins when [first, last) is cut into equal parts."""
    small()
    return first + k * (last - first) // parts


@jit
def slice_of(job, part):
    """Where one slice of a row of parameters begins and ends."""
    small()
    rows = aligned(job.n_params) // ALIGNMENT
    return boundary(part, job.n_slices, 0, rows) * ALIGNMENT, boundary(part + 1, job.n_slices, 0, rows) * ALIGNMENT
