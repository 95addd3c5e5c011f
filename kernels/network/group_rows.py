"""Samples of networks side by side into the rows of a tile, of each network from where its data set begins.

Rows of X and Y are `source_ld` apart. Behind them the numbers of the whole blocks of GROUP rows stand once more, sample
after sample: what one sample has of a block is a vector, and a mini-batch touches few cache lines.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from shoal.kernels.compile.jit import jit
from shoal.kernels.simd.instructions import INT64, Builder, address, load_at, shuffle, store_at
from shoal.kernels.simd.lanes import GROUP, NETWORKS
from shoal.kernels.simd.vector import small

group_width = NETWORKS.width


def blocked(rows: int) -> int:
    """How many of the rows are in whole blocks."""
    return rows // GROUP * GROUP


@intrinsic
def _turn(typingctx: Any, source: Any, row: Any, places: Any, first: Any, target: Any, at: Any, ld: Any) -> Any:
    """target[at + r ld + lane] = source[places[first + lane] + row + r] for GROUP rows r and GROUP lanes."""

    def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
        source_, row_, places_, first_, target_, at, ld = args
        kind = ir.VectorType(context.get_value_type(source.dtype), GROUP)
        vectors = []
        for lane in range(GROUP):
            place = builder.load(address(context, builder, places, places_, builder.add(first_, INT64(lane))))
            vectors.append(load_at(builder, address(context, builder, source, source_, builder.add(place, row_)), kind))
        halves = [[half + k // 2 + GROUP * (k % 2) for k in range(GROUP)] for half in (0, GROUP // 2)]
        for _ in range(GROUP.bit_length() - 1):  # shuffling all of them like cards transposes the whole
            pairs = zip(vectors[: GROUP // 2], vectors[GROUP // 2 :], strict=True)
            vectors = [shuffle(builder, x, y, lanes) for x, y in pairs for lanes in halves]
        for r, vector in enumerate(vectors):
            place = builder.add(at, builder.mul(ld, INT64(r)))
            store_at(builder, vector, address(context, builder, target, target_, place))
        return context.get_dummy_value()

    return types.void(source, types.intp, places, types.intp, target, types.intp, types.intp), codegen


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
        for t in range(0, size, GROUP):
            for r in range(0, wide, GROUP):
                _turn(source, r, places, t, target, r * ld + t, ld)
    if wide < rows:
        for t in range(size // GROUP):
            for lane in range(GROUP):
                places[t * GROUP + lane] = begins[lane] + order[lane * n_samples + min(t, n - 1)]
        for r in range(wide, rows):
            for i in range(size):
                target[r * ld + i] = source[r * source_ld + places[i]]


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
