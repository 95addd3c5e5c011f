"""Samples of one network into the rows of a tile; rows of X and Y are `source_ld` apart."""

from __future__ import annotations

from shoal.kernels.compile.jit import jit
from shoal.kernels.network.sample_blocks import pick_blocks, pick_others
from shoal.kernels.simd.lanes import GROUP, SAMPLES
from shoal.kernels.simd.vector import small, store

load, width = SAMPLES.load, SAMPLES.width


@jit
def fill(a, n, value):
    """a[:n] = value."""
    for i in range(n):
        a[i] = value


@jit
def copy_columns(source, source_ld, rows, target, target_ld, n):
    """target[r, t] = source[r, t] for `rows` rows of n elements."""
    small()
    for r in range(rows):
        for t in range(0, n, width(target)):
            store(target, r * target_ld + t, load(source, r * source_ld + t))


@jit
def gather_columns(source, source_ld, order, n_real, rows, target, target_ld, n, places):
    """target[r, t] = source[r, order[t]] for t < n_real, then the last of them again up to n.

    `places` is memory for n whole numbers; both n are rounded up to a multiple of GROUP, for which stripes have room.
    """
    small()
    size, wide = (n + GROUP - 1) // GROUP * GROUP, rows // GROUP * GROUP
    if wide:
        for t in range(size):
            places[t] = rows * source_ld + order[min(t, n_real - 1)] * wide
        pick_blocks(source, places, rows, target, target_ld, size)
    if wide < rows:
        for t in range(size):
            places[t] = order[min(t, n_real - 1)]
        pick_others(source, source_ld, places, rows, target, target_ld, size)
