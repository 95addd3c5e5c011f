"""The inside of the matrix products: one register tile of a result, as one operation for kernels.

Written instruction by instruction: Numba takes three times as long to compile the same in its own Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numba
from llvmlite import ir
from numba.extending import intrinsic

from shoal.kernels.matrix.tile import Place, Tile
from shoal.kernels.simd.formula import Formula
from shoal.kernels.simd.instructions import INT64, Builder, address, chosen, llvm_type
from shoal.kernels.simd.lanes import GROUP, Lanes

types: Any = numba.types
FROM_ZERO, FROM_SUM, FROM_BIAS = range(3)
"""What a matrix product starts from: nothing, what stands in its place, or the bias."""
KEEP = 0
"""The end of a matrix product that leaves the sums as they are."""
Ends = Mapping[int, Formula]
"""What may be done with the sums before they leave the registers: a formula of the sum and what `beside` has."""
Sizes = Sequence[tuple[int, int]]
ZERO = INT64(0)


class Weights(NamedTuple):
    """One operand of a product: w[r, k] = first[r row + k step], and b, one for each row."""

    first: Any
    row: Any
    step: Any
    b: Any


class Panel(NamedTuple):
    """The rows of vectors of a product: y, `y_ld` apart, goes in, z comes out, and `beside` is for its end, both `ld`
    apart."""

    y: Any
    y_ld: Any
    z: Any
    beside: Any
    ld: Any


class Rows(NamedTuple):
    """Rows that are `apart` from each other."""

    first: Any
    apart: Any


def product_block(lanes: Lanes, sizes: Sizes, ends: Ends) -> Any:
    """An intrinsic: z = what `start` says + w y, and then what `end` says, over a tile of `rows` x `columns` vectors.

    w are `Weights`, y and z in a `Panel`, n the rows of y. The size is one of `sizes`.
    """

    def product(typingctx: Any, rows: Any, columns: Any, w: Any, panel: Any, n: Any, start: Any, end: Any) -> Any:
        kind = _kind(lanes, panel)

        def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
            rows, columns, w, panel, n, start, end = _values(context, builder, sig, args)
            (w, w_row, w_step, b), (y, y_ld, z, beside, ld) = w, panel
            step, stride = INT64(kind.count), INT64(lanes.group)

            def build(tile: Tile) -> None:
                there = Place(z, ZERO, ld, step)
                starts = {
                    FROM_BIAS: lambda: tile.repeated(Place(b, ZERO, stride, stride), lanes.group),
                    FROM_SUM: lambda: tile.load(there),
                }
                sums = chosen(builder, start, starts, tile.zeros())
                operands = Place(w, ZERO, w_row, w_step), Place(y, ZERO, y_ld, step)
                sums = tile.accumulate(sums, n, *operands, lanes.group)
                # the sums are in registers still: to go through memory once more would cost more than the formula does
                ended = {
                    code: partial(tile.combined, sums, formula, Place(beside, ZERO, ld, step))
                    for code, formula in ends.items()
                }
                tile.store(chosen(builder, end, ended, sums), there)

            _by_size(builder, kind, rows, columns, sizes, build)
            return context.get_dummy_value()

        return _signature(rows, columns, w, panel, n, start, end), codegen

    return intrinsic(product)


def gradient_block(lanes: Lanes, sizes: Sizes) -> Any:
    """An intrinsic: x y^T, a sum over n vectors, becomes the gradients `grads`, over `rows` x `columns` of them, or is
    added to them where `start` is FROM_SUM.

    x, y and grads are `Rows`. With networks in lanes what is added is multiplied by `scale`, unless that is None.
    """

    def gradient(
        typingctx: Any, rows: Any, columns: Any, x: Any, y: Any, n: Any, grads: Any, scale: Any, start: Any
    ) -> Any:
        kind = _kind(lanes, x)

        def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
            rows, columns, (x, x_row), (y, y_row), n, (grads, row), scale_at, start = _values(
                context, builder, sig, args
            )
            factors = scale_at if lanes.networks and scale != types.none else None
            step, place = INT64(kind.count), Place(grads, ZERO, row, INT64(lanes.group))

            def build(tile: Tile) -> None:
                # y's rows are the tile's columns here, and both operands go on by a vector
                vectors = tile.accumulate(tile.zeros(), n, Place(x, ZERO, x_row, step), Place(y, ZERO, step, y_row))
                sums = tile.folded(vectors, GROUP) if lanes.networks else tile.totals(vectors)

                def put() -> list[Any]:
                    tile.put(sums, place)
                    return []

                def add() -> list[Any]:
                    tile.add(sums, place, factors)
                    return []

                chosen(builder, start, {FROM_ZERO: put, FROM_SUM: add}, [])

            _by_size(builder, kind, rows, columns, sizes, build)
            return context.get_dummy_value()

        return _signature(rows, columns, x, y, n, grads, scale, start), codegen

    return intrinsic(gradient)


def _signature(*kinds: Any) -> Any:
    return types.void(*(types.intp if isinstance(kind, types.Integer) else kind for kind in kinds))


def _kind(lanes: Lanes, rows: Any) -> ir.VectorType:
    """The vectors of the dtype of some rows (the Numba type of a tuple that begins with them)."""
    dtype = rows.types[0].dtype
    return llvm_type(dtype, lanes.count(dtype))


def _values(context: Any, builder: Builder, sig: Any, args: Any) -> list[Any]:
    """The arguments, tuples as lists of their fields and arrays as pointers to their first element."""

    def native(kind: Any, value: Any) -> Any:
        if isinstance(kind, types.BaseTuple):
            return [native(t, builder.extract_value(value, k)) for k, t in enumerate(kind)]
        return address(context, builder, kind, value, ZERO) if isinstance(kind, types.Array) else value

    return [native(kind, value) for kind, value in zip(sig.args, args, strict=True)]


def _by_size(
    builder: Builder, kind: ir.VectorType, rows: Any, columns: Any, sizes: Sizes, build: Callable[[Tile], None]
) -> None:
    """What `build` writes for a tile, for the one of `sizes` that is rows x columns."""
    most = 1 + max(columns for _, columns in sizes)

    def case(r: int, c: int) -> list[Any]:
        build(Tile(builder, kind, r, c))
        return []

    size = builder.add(builder.mul(rows, INT64(most)), columns)
    chosen(builder, size, {r * most + c: partial(case, r, c) for r, c in sizes}, [])
