"""The inside of the matrix products: one register tile of a result, as one operation for kernels.

Written instruction by instruction: Numba takes three times as long to compile the same in its own Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from shoal.kernels.network import tape as layout
from shoal.kernels.network.activations import relu_derivative, sigmoid_derivative, tanh_derivative
from shoal.kernels.simd.instructions import INT64, Builder, address, chosen, clamped, llvm_type
from shoal.kernels.simd.lanes import GROUP, Lanes
from shoal.kernels.matrix.tile import Place, Tile

KEEP, FLOOR = layout.LINEAR, -1
"""Ends of a matrix product that are not the code of an activation."""
THROUGH = {layout.RELU: relu_derivative, layout.TANH: tanh_derivative, layout.SIGMOID: sigmoid_derivative}
Sizes = Sequence[tuple[int, int]]


def product_block(lanes: Lanes, sizes: Sizes) -> Any:
    """An intrinsic: z = what `start` says + w y, and then what `end` says, over a tile of `rows` x `columns` vectors.

    w[r, k] = w[w_at + r w_row + k w_step]; y[k], z and a are rows `ld` apart. The size is one of `sizes`.
    """

    def product(
        typingctx: Any, rows: Any, columns: Any, w: Any, w_at: Any, w_row: Any, w_step: Any, n_steps: Any, start: Any,
        b_at: Any, y: Any, y_at: Any, z: Any, z_at: Any, ld: Any, end: Any, a: Any, a_at: Any,
    ) -> Any:  # fmt: skip
        kind = llvm_type(z.dtype, lanes.count(z.dtype))

        def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
            (rows, columns, w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, ld, end, a,
             a_at) = _pointers(context, builder, sig, args)  # fmt: skip
            step, stride = INT64(kind.count), INT64(lanes.group)

            def build(tile: Tile) -> None:
                there = Place(z, z_at, ld, step)
                starts = {
                    layout.FROM_BIAS: lambda: tile.repeated(Place(w, b_at, stride, stride), lanes.group),
                    layout.FROM_SUM: lambda: tile.load(there),
                }
                sums = chosen(builder, start, starts, tile.zeros())
                operands = Place(w, w_at, w_row, w_step), Place(y, y_at, ld, step)
                sums = tile.accumulate(sums, n_steps, *operands, lanes.group)
                zero = ir.Constant(kind, None)
                ends = {FLOOR: lambda: [clamped(builder, "<", vector, zero) for vector in sums]} | {
                    code: partial(tile.combined, sums, derivative, Place(a, a_at, ld, step))
                    for code, derivative in THROUGH.items()
                }
                tile.store(chosen(builder, end, ends, sums), there)

            _by_size(builder, kind, rows, columns, sizes, build)
            return context.get_dummy_value()

        return _signature(rows, columns, w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, ld, end, a,
                          a_at), codegen  # fmt: skip

    return intrinsic(product)


def gradient_block(lanes: Lanes, sizes: Sizes) -> Any:
    """An intrinsic: add x y^T, a sum over n vectors, to the gradients `grads`, over `rows` x `columns` of them.

    Rows of x are `x_row` apart, those of y `y_row`, those of grads `row`. With networks in lanes the sum is multiplied
    by `scale`, unless that is None.
    """

    def gradient(
        typingctx: Any, rows: Any, columns: Any, x: Any, x_at: Any, x_row: Any, y: Any, y_at: Any, y_row: Any, n: Any,
        grads: Any, at: Any, row: Any, scale: Any,
    ) -> Any:  # fmt: skip
        kind = llvm_type(x.dtype, lanes.count(x.dtype))

        def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
            rows, columns, x, x_at, x_row, y, y_at, y_row, n, grads, at, row, factors = _pointers(
                context, builder, sig, args
            )
            step, place = INT64(kind.count), Place(grads, at, row, INT64(lanes.group))

            def build(tile: Tile) -> None:
                # y's rows are the tile's columns here, and both operands go on by a vector
                sums = tile.accumulate(tile.zeros(), n, Place(x, x_at, x_row, step), Place(y, y_at, step, y_row))
                if lanes.networks:
                    tile.add_scaled(sums, place, None if scale == types.none else factors, GROUP)
                else:
                    tile.add_totals(sums, place)

            _by_size(builder, kind, rows, columns, sizes, build)
            return context.get_dummy_value()

        return _signature(rows, columns, x, x_at, x_row, y, y_at, y_row, n, grads, at, row, scale), codegen

    return intrinsic(gradient)


def _signature(*kinds: Any) -> Any:
    return types.void(*(types.intp if isinstance(kind, types.Integer) else kind for kind in kinds))


def _pointers(context: Any, builder: Builder, sig: Any, args: Any) -> list[Any]:
    """The arguments, arrays as pointers to their first element."""
    return [
        address(context, builder, kind, value, INT64(0)) if isinstance(kind, types.Array) else value
        for kind, value in zip(sig.args, args, strict=True)
    ]


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
