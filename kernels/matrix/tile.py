"""A register tile: rows x columns of vectors that stay in registers while a matrix product runs through them.

    tile[r, c] += sum_k x[r, k] * y[k, c]       (`accumulate`: rows + columns loads for rows * columns multiply-adds)

x are numbers or groups of them, repeated to fill the lanes, or vectors. A machine with 32 registers holds 5 x 5
accumulators with room for the operands, one with 16 registers 5 x 2. Tiles of one row or column less fill up what the
largest ones leave over: 5 m + 4 n is every number from 12 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from llvmlite import ir

from shoal.kernels.matrix.totals import lane_totals
from shoal.kernels.simd.formula import Formula, V
from shoal.kernels.simd.instructions import (
    Builder,
    add_scaled_at,
    folded,
    load_at,
    loop,
    multiply_add,
    repeated_at,
    shuffle,
    store_at,
)

Vectors = list[Any]
"""The vectors of a tile, row after row."""
Sums = list[tuple[Any, int, int]]
"""Sums of lanes, and the row and the column of the tile that they begin at."""


class Place(NamedTuple):
    """Where a tile, or an operand of a product, is in memory: tile[r, c] begins at pointer[at + r row + c column]."""

    pointer: Any
    at: Any
    row: Any
    column: Any


class Tile:
    """What code may do with `rows` x `columns` vectors of one `kind`; it is written into a function by `builder`."""

    def __init__(self, builder: Builder, kind: ir.VectorType, rows: int, columns: int) -> None:
        self.builder, self.kind, self.rows, self.columns = builder, kind, rows, columns

    def _each(self) -> Iterator[tuple[int, int]]:
        return ((r, c) for r in range(self.rows) for c in range(self.columns))

    def _element(self, place: Place, r: int, c: int) -> Any:
        b = self.builder
        down, right = (b.mul(step, step.type(k)) for step, k in ((place.row, r), (place.column, c)))
        return b.gep(place.pointer, [b.add(b.add(place.at, down), right)])

    def zeros(self) -> Vectors:
        """tile[r, c] = 0."""
        return [ir.Constant(self.kind, None)] * (self.rows * self.columns)

    def load(self, place: Place) -> Vectors:
        """tile[r, c] = what is there."""
        return [load_at(self.builder, self._element(place, r, c), self.kind) for r, c in self._each()]

    def repeated(self, place: Place, group: int) -> Vectors:
        """tile[r, c] = the `group` numbers at row r, again and again."""
        rows = self._column(place, group)
        return [rows[r] for r, _ in self._each()]

    def store(self, tile: Vectors, place: Place) -> None:
        """Put it there."""
        for vector, (r, c) in zip(tile, self._each(), strict=True):
            store_at(self.builder, vector, self._element(place, r, c))

    def combined(self, tile: Vectors, formula: Formula, place: Place) -> Vectors:
        """formula(tile[r, c], what is there)."""
        b = self.builder
        return [formula(V(b, x), V(b, y)).value for x, y in zip(tile, self.load(place), strict=True)]

    def _column(self, place: Place, group: int) -> Vectors:
        pointers = [self._element(place, r, 0) for r in range(self.rows)]
        return [repeated_at(self.builder, pointer, self.kind, group) for pointer in pointers]

    def accumulate(self, tile: Vectors, n: Any, x: Place, y: Place, group: int | None = None) -> Vectors:
        """The tile, plus n products: x[r, k] is a vector, or a `group` of numbers, repeated, and y[k, c] a vector."""
        with loop(self.builder, n, [x.at, y.at, *tile]) as (state, update):
            x_at, y_at, *sums = state
            ys = Tile(self.builder, self.kind, 1, self.columns).load(y._replace(at=y_at))
            xs = self._column(x._replace(at=x_at), group or self.kind.count)
            sums = [multiply_add(self.builder, xs[r], ys[c], s) for s, (r, c) in zip(sums, self._each(), strict=True)]
            update(self.builder.add(x_at, x.column), self.builder.add(y_at, y.row), *sums)
        return state[2:]

    def totals(self, tile: Vectors) -> Sums:
        """The sums of the lanes of tile[r, c]; those of a row stand side by side."""
        totals, places = lane_totals(self.builder, tile)
        n, found = self.kind.count, []
        for r in range(self.rows):
            for c in range(0, self.columns, n):
                owners = [places[r * self.columns + k] for k in range(c, min(c + n, self.columns))]
                first, last = owners[0][0], owners[-1][0]
                lanes = [lane if which == first else n + lane for which, lane in owners]
                found.append((shuffle(self.builder, totals[first], totals[last], lanes), r, c))
        return found

    def folded(self, tile: Vectors, group: int) -> Sums:
        """The sums of the groups of lanes of tile[r, c]."""
        return [(folded(self.builder, vector, group), r, c) for vector, (r, c) in zip(tile, self._each(), strict=True)]

    def put(self, sums: Sums, place: Place) -> None:
        """What is there = the sums."""
        for value, r, c in sums:
            store_at(self.builder, value, self._element(place, r, c))

    def add(self, sums: Sums, place: Place, scale: Any) -> None:
        """What is there += the sums, times `scale` (a pointer to a group of numbers, or None)."""
        for value, r, c in sums:
            add_scaled_at(self.builder, value, self._element(place, r, c), scale)
