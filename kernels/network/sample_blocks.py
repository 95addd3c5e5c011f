"""Samples picked from a data set in any order, into the rows of a tile.

Rows of X and Y are `source_ld` apart. Behind them the numbers of the whole blocks of GROUP rows stand once more, sample
after sample: what one sample has of a block is a vector, and a mini-batch touches few cache lines. What is picked is
named by `places`, a whole number for each of the n elements of a row.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from shoal.kernels.compile.jit import jit
from shoal.kernels.simd.instructions import INT64, Builder, address, broadcast, load_at, shuffle, store_at
from shoal.kernels.simd.lanes import GROUP
from shoal.kernels.simd.vector import small


def n_blocked(rows: int) -> int:
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
def pick_blocks(source, places, rows, target, ld, n):
    """target[r, t] = source[places[t] + r] for the rows in whole blocks and n elements, a multiple of GROUP."""
    small()
    for t in range(0, n, GROUP):
        for r in range(0, rows // GROUP * GROUP, GROUP):
            _turn(source, r, places, t, target, r * ld + t, ld)


def _spread_rows(n: int) -> Any:
    """An intrinsic: target[at + r ld + lane] = source[place + r] for n rows r and GROUP lanes."""

    def spread(typingctx: Any, source: Any, place: Any, target: Any, at: Any, ld: Any) -> Any:
        def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
            source_, place, target_, at, ld = args
            kind = ir.VectorType(context.get_value_type(source.dtype), GROUP)
            for r in range(n):
                number = builder.load(address(context, builder, source, source_, builder.add(place, INT64(r))))
                there = builder.add(at, builder.mul(ld, INT64(r)))
                store_at(builder, broadcast(builder, number, kind), address(context, builder, target, target_, there))
            return context.get_dummy_value()

        return types.void(source, types.intp, target, types.intp, types.intp), codegen

    return intrinsic(spread)


_spread_block, _spread_row = _spread_rows(GROUP), _spread_rows(1)


@jit
def spread_samples(source, begin, source_ld, samples, rows, target, ld, n):
    """target[r, t] = source[begin + (r, samples[t])], where these are alike for all GROUP lanes from t on."""
    small()
    wide = rows // GROUP * GROUP
    for t in range(0, n, GROUP):
        sample, block = begin + samples[t], begin + rows * source_ld + samples[t] * wide
        for r in range(0, wide, GROUP):
            _spread_block(source, block + r, target, r * ld + t, ld)
        for r in range(wide, rows):
            _spread_row(source, sample + r * source_ld, target, r * ld + t, ld)


@jit
def pick_others(source, source_ld, places, rows, target, ld, n):
    """target[r, t] = source[places[t] + (r, 0)] for the other rows."""
    small()
    for r in range(rows // GROUP * GROUP, rows):
        for t in range(n):
            target[r * ld + t] = source[r * source_ld + places[t]]
