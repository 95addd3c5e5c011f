"""Samples of networks side by side into the rows of a tile, of each network from where its data set begins."""

from __future__ import annotations

from shoal.kernels.compile.jit import jit
from shoal.kernels.network.sample_blocks import pick_blocks, pick_others
from shoal.kernels.simd.lanes import GROUP, NETWORKS
from shoal.kernels.simd.vector import small

group_width = NETWORKS.width


@jit
def elements(n, like):
    """Elements of a row of n samples: whole vectors of the dtype of `like`, but for one sample alone."""
    small()
    step = group_width(like)
    return GROUP if n == 1 else (n * GROUP + step - 1) // step * step


@jit
def apart(n, like):
    """From one row of a tile to the next: an odd number of vectors, so that rows do not evict each other from the
    cache, and never one alone, as the narrowest tile of a product has two."""
    small()
    step = group_width(like)
    return GROUP if n == 1 else max(elements(n, like) // step | 1, 3) * step


@jit
def gather(source, begins, source_ld, order, n_samples, rows, target, n, places):
    """target[r, t, lane] = source[begins[lane] + (r, order[lane, t])] for n samples, then the last of them again; the
    networks' orders are `n_samples` apart. `places` is memory for a row of whole numbers."""
    ld, size, wide = apart(n, target), elements(n, target), rows // GROUP * GROUP
    if wide:
        for t in range(size // GROUP):
            for lane in range(GROUP):
                s = order[lane * n_samples + min(t, n - 1)]
                places[t * GROUP + lane] = begins[lane] + rows * source_ld + s * wide
        pick_blocks(source, places, rows, target, ld, size)
    if wide < rows:
        for t in range(size // GROUP):
            for lane in range(GROUP):
                places[t * GROUP + lane] = begins[lane] + order[lane * n_samples + min(t, n - 1)]
        pick_others(source, source_ld, places, rows, target, ld, size)


@jit
def _are_alike(begins):
    small()
    alike = True
    for lane in range(1, GROUP):
        alike = alike and begins[lane] == begins[0]
    return alike


@jit
def spread(source, begins, source_ld, rows, target, n):
    """target[r, t, lane] = source[begins[lane] + (r, t)] for n samples, then the last of them again."""
    ld, filled_up = apart(n, target), elements(n, target) // GROUP
    if _are_alike(begins):
        for r in range(rows):
            for t in range(filled_up):
                value = source[begins[0] + r * source_ld + min(t, n - 1)]
                for lane in range(GROUP):
                    target[r * ld + t * GROUP + lane] = value
        return
    for r in range(rows):
        for t in range(filled_up):
            from_, at = r * source_ld + min(t, n - 1), r * ld + t * GROUP
            for lane in range(GROUP):
                target[at + lane] = source[begins[lane] + from_]
