"""A register tile: rows x columns of vectors that stay in registers while a matrix product runs through them.

    tile[r, c] += sum_k x[r, k] * y[k, c]       (`accumulate`: rows + columns loads for rows * columns multiply-adds)

x are numbers or groups of them, repeated to fill the lanes, or vectors. A machine with 32 registers holds 5 x 4
accumulators with room for the operands, one with 16 registers 5 x 2. (Five rows, as people like widths of 10, 25, 50
and 100: 4 x 4 leaves over 2 rows of 50, which took a sixth of the time.) `Tile` makes the operations for one size;
remainders take narrower tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, register_model

from kernels.instructions import (
    Builder,
    add_scaled_at,
    address,
    clamped,
    llvm_type,
    load_at,
    loop,
    multiply_add,
    repeated_at,
    shuffle,
    store_at,
)
from kernels.totals import lane_totals


class Registers(types.Type):
    """The type of rows x columns vectors of `lanes` numbers of `dtype`."""

    def __init__(self, dtype: Any, lanes: int, rows: int, columns: int) -> None:
        self.dtype, self.lanes, self.rows, self.columns = dtype, lanes, rows, columns
        super().__init__(f"Registers({dtype}, {lanes}, {rows}, {columns})")


@register_model(Registers)
class RegistersModel(models.PrimitiveModel):  # type: ignore[misc]
    """An LLVM array of vectors, which its optimiser splits into registers."""

    def __init__(self, manager: Any, kind: Registers) -> None:
        super().__init__(manager, kind, ir.ArrayType(llvm_type(kind.dtype, kind.lanes), kind.rows * kind.columns))


class Tile:
    """The operations on a tile of `rows` x `columns` vectors of `lanes(dtype)` numbers.

    zeros(array)                                    a tile of zeros, in the dtype of the array
    bias(array, at, step)                           tile[r, c] = array[at + r step], as `accumulate` takes x
    load(array, at, row, column)                    tile[r, c] = array[at + r row + c column ...]
    store(tile, array, at, row, column)             array[at + r row + c column ...] = tile[r, c]
    floored(tile)                                   max(tile[r, c], 0)
    combined(build)                                 makes an operation of the tile and one that is loaded
    accumulate(tile, n, x, x_at, x_row, x_step, y, y_at, y_column, y_step)
                                                    n products: x[r, k] = x[x_at + r x_row + k x_step ...], `group`
                                                    numbers, repeated; y[k, c] = y[y_at + c y_column + k y_step ...]
    multiply(...)                                   the same with vectors for x
    add_gradient(tile, array, at, row, scale)       array[at + r row + c] += the sum of the lanes of tile[r, c]; or,
                                                    where a group of lanes are networks of their own,
                                                    array[at + r row + c group ...] += scale[0 ...] * (their sums over
                                                    the samples in tile[r, c]); `scale` may be None
    """

    def __init__(self, rows: int, columns: int, lanes: Callable[[Any], int], group: int) -> None:
        self.rows, self.columns, self.lanes, self.group = rows, columns, lanes, group
        self.zeros = self._zeros()
        self.bias = self._bias()
        self.load = self._load()
        self.store = self._store()
        self.floored = self._floored()
        self.accumulate = self._accumulate(repeated=True)
        self.multiply = self._accumulate(repeated=False)
        self.add_gradient = self._add_totals() if group == 1 else self._add_scaled()

    def _kind(self, array: Any) -> Registers:
        return Registers(array.dtype, self.lanes(array.dtype), self.rows, self.columns)

    def _each(self) -> Iterator[tuple[int, int, int]]:
        return ((r, c, r * self.columns + c) for r in range(self.rows) for c in range(self.columns))

    def _zeros(self) -> Any:
        def zeros(typingctx: Any, array: Any) -> Any:
            kind = self._kind(array)
            return kind(array), lambda context, builder, sig, args: ir.Constant(context.get_value_type(kind), None)

        return intrinsic(zeros)

    def _bias(self) -> Any:
        def bias(typingctx: Any, array: Any, at: Any, step: Any) -> Any:
            kind = self._kind(array)

            def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
                out = ir.Constant(context.get_value_type(kind), ir.Undefined)
                vectors = _operands(context, builder, sig.args[0], args, kind, self.rows, self.group)
                for r, _, k in self._each():
                    out = builder.insert_value(out, vectors[r], k)
                return out

            return kind(array, types.intp, types.intp), codegen

        return intrinsic(bias)

    def _load(self) -> Any:
        def load(typingctx: Any, array: Any, at: Any, row: Any, column: Any) -> Any:
            kind = self._kind(array)

            def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
                out = ir.Constant(context.get_value_type(kind), ir.Undefined)
                for r, c, k in self._each():
                    pointer = _element(context, builder, sig.args[0], args, r, c)
                    out = builder.insert_value(out, load_at(builder, pointer, llvm_type(kind.dtype, kind.lanes)), k)
                return out

            return kind(array, types.intp, types.intp, types.intp), codegen

        return intrinsic(load)

    def _store(self) -> Any:
        def store(typingctx: Any, tile: Any, array: Any, at: Any, row: Any, column: Any) -> Any:
            def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
                for r, c, k in self._each():
                    pointer = _element(context, builder, sig.args[1], args[1:5], r, c)
                    store_at(builder, builder.extract_value(args[0], k), pointer)
                return context.get_dummy_value()

            return types.void(tile, array, types.intp, types.intp, types.intp), codegen

        return intrinsic(store)

    def combined(self, build: Callable[..., Any]) -> Any:
        """An intrinsic (tile, array, at, row, column): build(builder, tile[r, c], array[at + r row + c column ...])."""

        def combine(typingctx: Any, tile: Any, array: Any, at: Any, row: Any, column: Any) -> Any:
            def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
                out = args[0]
                for r, c, k in self._each():
                    pointer = _element(context, builder, sig.args[1], args[1:5], r, c)
                    other = load_at(builder, pointer, llvm_type(tile.dtype, tile.lanes))
                    out = builder.insert_value(out, build(builder, builder.extract_value(out, k), other), k)
                return out

            return tile(tile, array, types.intp, types.intp, types.intp), codegen

        return intrinsic(combine)

    def _floored(self) -> Any:
        def floored(typingctx: Any, tile: Any) -> Any:
            def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
                out, zero = args[0], ir.Constant(llvm_type(tile.dtype, tile.lanes), None)
                for _, _, k in self._each():
                    out = builder.insert_value(out, clamped(builder, "<", builder.extract_value(out, k), zero), k)
                return out

            return tile(tile), codegen

        return intrinsic(floored)

    def _accumulate(self, repeated: bool) -> Any:
        def accumulate(
            typingctx: Any, tile: Any, n: Any, x: Any, x_at: Any, x_row: Any, x_step: Any,
            y: Any, y_at: Any, y_column: Any, y_step: Any,
        ) -> Any:  # fmt: skip
            def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
                group = self.group if repeated else None
                tile_value, n, x, x_at, x_row, x_step, y, y_at, y_column, y_step = args
                sums = [builder.extract_value(tile_value, k) for k in range(self.rows * self.columns)]
                with loop(builder, n, [x_at, y_at, *sums]) as (state, update):
                    x_now, y_now, *now = state
                    ys = _operands(context, builder, sig.args[6], (y, y_now, y_column), tile, self.columns)
                    xs = _operands(context, builder, sig.args[2], (x, x_now, x_row), tile, self.rows, group)
                    now = [multiply_add(builder, xs[r], ys[c], now[k]) for r, c, k in self._each()]
                    update(builder.add(x_now, x_step), builder.add(y_now, y_step), *now)
                for k, value in enumerate(state[2:]):
                    tile_value = builder.insert_value(tile_value, value, k)
                return tile_value

            size = types.intp
            return tile(tile, size, x, size, size, size, y, size, size, size), codegen

        return intrinsic(accumulate)

    def _add_totals(self) -> Any:
        def add_totals(typingctx: Any, tile: Any, array: Any, at: Any, row: Any, scale: Any) -> Any:
            def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
                n = self.rows * self.columns
                totals, places = lane_totals(builder, [builder.extract_value(args[0], k) for k in range(n)])
                together = min(self.columns, tile.lanes)
                for r, c, k in self._each():
                    if c % together:
                        continue
                    vector = totals[places[k][0]]
                    sums = shuffle(builder, vector, vector, [places[k + n][1] for n in range(together)])
                    one = ir.Constant(args[2].type, 1)
                    pointer = _element(context, builder, sig.args[1], (*args[1:4], one), r, c)
                    store_at(builder, builder.fadd(load_at(builder, pointer, sums.type), sums), pointer)
                return context.get_dummy_value()

            return types.void(tile, array, types.intp, types.intp, scale), codegen

        return intrinsic(add_totals)

    def _add_scaled(self) -> Any:
        def add_scaled(typingctx: Any, tile: Any, array: Any, at: Any, row: Any, scale: Any) -> Any:
            def codegen(context: Any, builder: Builder, sig: Any, args: Any) -> Any:
                step = ir.Constant(args[2].type, self.group)
                for r, c, k in self._each():
                    pointer = _element(context, builder, sig.args[1], (*args[1:4], step), r, c)
                    add_scaled_at(context, builder, builder.extract_value(args[0], k), pointer, sig.args[4], args[4],
                                  self.group)  # fmt: skip
                return context.get_dummy_value()

            return types.void(tile, array, types.intp, types.intp, scale), codegen

        return intrinsic(add_scaled)


def _element(context: Any, builder: Builder, array_type: Any, place: Any, r: int, c: int) -> Any:
    """Pointer to where tile[r, c] belongs; `place` is (array, at, row, column)."""
    array, at, row, column = place
    down = builder.mul(row, ir.Constant(at.type, r))
    right = builder.mul(column, ir.Constant(at.type, c))
    return address(context, builder, array_type, array, builder.add(builder.add(at, down), right))


def _operands(
    context: Any, builder: Builder, array_type: Any, place: Any, kind: Any, n: int, group: int | None = None
) -> list[Any]:
    """n vectors from array[at + k step] on, whole or `group` numbers repeated; `place` is (array, at, step)."""
    array, at, step = place
    vector = llvm_type(kind.dtype, kind.lanes)
    starts = [builder.add(at, builder.mul(step, ir.Constant(at.type, k))) for k in range(n)]
    pointers = [address(context, builder, array_type, array, start) for start in starts]
    return [repeated_at(builder, pointer, vector, group or kind.lanes) for pointer in pointers]
