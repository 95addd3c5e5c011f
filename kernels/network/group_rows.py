"""Samples of networks side by side into the rows of a tile, of each network from where its data set begins."""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.extending import intrinsic

from shoal.kernels.compile.jit import jit
from shoal.kernels.network.sample_blocks import pick_blocks, pick_others, spread_samples
from shoal.kernels.simd.instructions import INT64, Builder, address, llvm_type, spread_at, store_at
from shoal.kernels.simd.lanes import GROUP, NETWORKS, STRIPE
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
def name_samples(order, n_samples, n, samples, like):
    """samples[t, lane] = order[lane, t] for n samples, then the last of them again, so that rows of the dtype of `like`
    are full; the networks' orders are `n_samples` apart."""
    small()
    for t in range(elements(n, like) // GROUP):
        for lane in range(GROUP):
            samples[t * GROUP + lane] = order[lane * n_samples + min(t, n - 1)]


@jit
def gather(source, begins, source_ld, samples, rows, target, n, places, alike):
    """target[r, t, lane] = source[begins[lane] + (r, samples[t, lane])], `alike` for all lanes or not; `places`: memory
    for a row of numbers."""
    small()
    ld, size, wide = apart(n, target), elements(n, target), rows // GROUP * GROUP
    if alike:
        spread_samples(source, begins[0], source_ld, samples, rows, target, ld, size)
        return
    if wide:
        for i in range(size):
            places[i] = begins[i % GROUP] + rows * source_ld + samples[i] * wide
        pick_blocks(source, places, rows, target, ld, size)
    if wide < rows:
        for i in range(size):
            places[i] = begins[i % GROUP] + samples[i]
        pick_others(source, source_ld, places, rows, target, ld, size)


@jit
def are_alike(numbers):
    """Whether the numbers of all networks, such as where their data sets begin, are one."""
    small()
    alike = True
    for lane in range(1, GROUP):
        alike = alike and numbers[lane] == numbers[0]
    return alike


def _put_in_lanes(n: int) -> Any:
    """An intrinsic: target[at ...] = n vectors of source[k ...], each number in GROUP lanes."""

    def put(typingctx: Any, target: Any, at: Any, source: Any, k: Any) -> Any:
        def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
            kind = llvm_type(target.dtype, NETWORKS.count(target.dtype))
            vectors = spread_at(builder, address(context, builder, source, args[2], args[3]), kind, GROUP, n)
            for i, vector in enumerate(vectors):
                place = builder.add(args[1], INT64(i * kind.count))
                store_at(builder, vector, address(context, builder, target, args[0], place))
            return context.get_dummy_value()

        return types.void(target, types.intp, source, types.intp), codegen

    return intrinsic(put)


_put_one, _put_some = _put_in_lanes(1), _put_in_lanes(STRIPE)


@jit
def spread(source, source_ld, rows, target, n):
    """target[r, t, lane] = source[r, t] for n samples, and what is behind them to fill a vector up."""
    small()
    ld, size, step = apart(n, target), elements(n, target), group_width(target)
    even = size // (STRIPE * step) * STRIPE * step
    for r in range(rows):
        for at in range(0, even, STRIPE * step):
            _put_some(target, r * ld + at, source, r * source_ld + at // GROUP)
        for at in range(even, size, step):
            _put_one(target, r * ld + at, source, r * source_ld + at // GROUP)
