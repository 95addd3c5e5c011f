"""Samples into the rows of a tile, for either meaning of the lanes; rows of X and Y are `source_ld` apart."""

from __future__ import annotations

from shoal.kernels.compile.jit import jit
from shoal.kernels.simd.lanes import GROUP, NETWORKS, SAMPLES
from shoal.kernels.simd.vector import small, store

load, width, group_width = SAMPLES.load, SAMPLES.width, NETWORKS.width


@jit
def fill(a, at, n, value):
    """a[at : at + n] = value."""
    small()
    for i in range(at, at + n):
        a[i] = value


@jit
def copy_columns(source, source_ld, start, rows, target, target_ld, n):
    """target[r, t] = source[r, start + t] for `rows` rows of n elements."""
    small()
    for r in range(rows):
        for t in range(0, n, width(target)):
            store(target, r * target_ld + t, load(source, r * source_ld + start + t))


@jit
def gather_columns(source, source_ld, order, start, n_real, rows, target, target_ld, n):
    """target[r, t] = source[r, order[start + t]] for t < n_real, then the last of them again up to n."""
    small()
    for r in range(rows):
        for t in range(n):
            target[r * target_ld + t] = source[r * source_ld + order[start + min(t, n_real - 1)]]


@jit
def elements(n, like):
    """Elements of a row of n samples: whole vectors, but for one sample alone."""
    small()
    step = group_width(like)
    return GROUP if n == 1 else (n * GROUP + step - 1) // step * step


@jit
def row(n, like):
    """From one row of a tile to the next: an odd number of vectors, so that rows do not evict each other from the
    cache."""
    small()
    step = group_width(like)
    return GROUP if n == 1 else (elements(n, like) // step | 1) * step


@jit
def gather(source, source_ld, order, n_samples, low, rows, target, n):
    """target[r, t, lane] = source[r, order[lane, low + t]] for n samples, then the last of them again."""
    small()
    ld, filled_up = row(n, target), elements(n, target) // GROUP
    for r in range(rows):
        for t in range(filled_up):
            at, sample = r * ld + t * GROUP, low + min(t, n - 1)
            for lane in range(GROUP):
                target[at + lane] = source[r * source_ld + order[lane * n_samples + sample]]


@jit
def spread(source, source_ld, low, rows, target, n):
    """target[r, t, lane] = source[r, low + t] for n samples, then the last of them again."""
    small()
    ld, filled_up = row(n, target), elements(n, target) // GROUP
    for r in range(rows):
        for t in range(filled_up):
            value, at = source[r * source_ld + low + min(t, n - 1)], r * ld + t * GROUP
            for lane in range(GROUP):
                target[at + lane] = value
