"""The matrix products of a dense layer z = W a + b, for either meaning of the lanes (lanes.py).

Shapes: W (fan_out, fan_in), b (fan_out,); a, da (fan_in, n); z, dz (fan_out, n). All are pointers to their first
element; `ld` is the distance between two rows of a, da, z, dz, whose n elements are contiguous. Rows and columns of the
result are worked on in register tiles of the two largest sizes, and what they do not cover one by one, so that the
order of every sum depends on the shapes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from shoal.kernels.compile.jit import inlined
from shoal.kernels.compile.linked import Pointer, linked
from shoal.kernels.matrix.blocks import FROM_BIAS, Ends, Panel, Rows, Weights, gradient_block, product_block
from shoal.kernels.simd.lanes import Lanes


class Products(NamedTuple):
    """The kernels for one meaning of the lanes."""

    forward: Any
    columns: Any  # how many of the vectors that are left in a row it takes in one go
    backward: Any  # `product`, which is da = W^T dz where it does not start from the bias
    weight_gradient: Any


def make_products(lanes: Lanes, ends: Ends) -> Products:
    """Compile the kernels for samples or for networks in lanes, with what may be the end of a product."""
    product = _product(lanes, ends)

    @inlined
    def forward(W, fan_out, fan_in, a, a_ld, z, n, ld, end):
        """z = W a + b, then what `end` says; b stands behind W."""
        product(W, fan_out, fan_in, a, a_ld, z, z, n, ld, FROM_BIAS, end)

    return Products(forward, _columns(lanes)[1], product, _weight_gradient(lanes))


def _sizes(rows: Sequence[int], columns: Sequence[int]) -> list[tuple[int, int]]:
    return list(dict.fromkeys((r, c) for r in rows for c in columns if c > 0))


def _pieces(most: int) -> Any:
    """How many of the rows or columns that are left the next tile takes.

    All of them take `most` or one less if that comes out even, as it does for every number from (most - 1) (most - 2)
    on; else the last ones take 1.
    """

    @inlined
    def piece(left):
        if left >= -left % most * (most - 1):
            return most - 1 if left % most else most
        return most if left >= most else 1

    return piece


def _columns(lanes: Lanes) -> tuple[list[int], Any]:
    """The same for the vectors of a row, and the sizes that there are: samples' last tile may run over the end, no
    further than a STRIPE goes, and a lone vector of networks takes two, for which there is room (group_rows.py)."""
    most = lanes.product_tile[1]
    least = max(1, min(2, most - 1)) if lanes.networks else most - 1

    @inlined
    def of_samples(left):
        return most - 1 if left % most else most

    @inlined
    def of_networks(left):
        if left % most != 1:
            return left % most or most
        return most - 1 if left > most else least

    return list(range(most, least - 1, -1)), of_networks if lanes.networks else of_samples


def _product(lanes: Lanes, ends: Ends) -> Any:
    """The loops over the tiles. The one inside runs over the operand that is in the first-level cache: with samples in
    lanes w is small and some columns of y stay there, with networks in lanes y is small and rows of w stay there."""
    (rows, _), (widths, next_columns), next_rows = lanes.product_tile, _columns(lanes), _pieces(lanes.product_tile[0])
    block = product_block(lanes, _sizes((rows, rows - 1, 1), widths), ends)
    width, stride, inner_columns = lanes.width, lanes.stride, lanes.networks

    @linked(lanes.name)
    def product(
        W: Pointer, fan_out: int, fan_in: int, y: Pointer, y_ld: int, z: Pointer, a: Pointer, n: int, ld: int,
        start: int, end: int,
    ):  # fmt: skip
        """z = W y + b where `start` is FROM_BIAS, else z = W^T y, or z += W^T y where it is FROM_SUM; then what `end`
        says, which may look at a."""
        step, row = width(y), fan_in * stride()
        n_rows, n_steps, w_row, w_step = fan_in, fan_out, stride(), row
        if start == FROM_BIAS:
            n_rows, n_steps, w_row, w_step = fan_out, fan_in, row, stride()
        b, r, t = W + fan_out * row, 0, 0
        while r < n_rows and t < n:
            rows, columns = next_rows(n_rows - r), next_columns((n - t + step - 1) // step)
            at = r * ld + t
            w, panel = Weights(W + r * w_row, w_row, w_step, b + r * stride()), Panel(y + t, y_ld, z + at, a + at, ld)
            block(rows, columns, w, panel, n_steps, start, end)
            # what the loop inside goes through again and again is what stays in the first-level cache
            if inner_columns:
                t += columns * step
                if t >= n:
                    r, t = r + rows, 0
            else:
                r += rows
                if r == n_rows:
                    r, t = 0, t + columns * step

    return product


def _weight_gradient(lanes: Lanes) -> Any:
    (rows, columns), width, stride = lanes.gradient_tile, lanes.width, lanes.stride
    block = gradient_block(lanes, _sizes((rows, rows - 1, 1), (columns, columns - 1, 1)))
    next_rows, next_columns = _pieces(rows), _pieces(columns)

    @linked(lanes.name)
    def weight_gradient(
        dz: Pointer, fan_out: int, a: Pointer, fan_in: int, n: int, ld: int, grads: Pointer, scale: Pointer, start: int
    ):
        """grads = dz a^T, or where `start` is FROM_SUM grads += dz a^T, each lane of it times its `scale` where lanes
        are networks."""
        row, vectors, o = fan_in * stride(), n // width(dz), 0
        while o < fan_out:
            rows, i = next_rows(fan_out - o), 0
            while i < fan_in:
                columns = next_columns(fan_in - i)
                sums = Rows(grads + o * row + i * stride(), row)
                block(rows, columns, Rows(dz + o * ld, ld), Rows(a + i * ld, ld), vectors, sums, scale, start)
                i += columns
            o += rows

    return weight_gradient
