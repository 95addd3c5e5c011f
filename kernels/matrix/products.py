"""The matrix products of a dense layer z = W a + b, for either meaning of the lanes (lanes.py).

Shapes: W (fan_out, fan_in), b (fan_out,); a, da (fan_in, n); z, dz (fan_out, n). All are flat arrays with the index of
their first element; `ld` is the distance between two rows of a, da, z, dz, whose n elements are contiguous. Rows and
columns of the result are worked on in register tiles of the two largest sizes, and what they do not cover one by one,
so that the order of every sum depends on the shapes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from shoal.kernels.network import tape as layout
from shoal.kernels.compile.jit import inlined
from shoal.kernels.matrix.blocks import FLOOR, KEEP, gradient_block, product_block
from shoal.kernels.simd.lanes import GROUP, Lanes
from shoal.kernels.compile.linked import Pointer, linked
from shoal.kernels.matrix.single_sample import make_one_sample


class Dense(NamedTuple):
    """The kernels for one meaning of the lanes."""

    forward: Any
    backward: Any
    weight_gradient: Any


def make_dense(lanes: Lanes) -> Dense:
    """Compile the kernels for samples or for networks in lanes."""
    product, stride = _product(lanes), lanes.stride

    @inlined
    def forward(params, w_at, fan_out, fan_in, code, a, a_at, z_at, n, ld):
        """z = W a + b, in the same buffer; where `code` is RELU, it is max(W a + b, 0)."""
        row, end = fan_in * stride(), FLOOR if code == layout.RELU else KEEP
        b_at = w_at + fan_out * row
        product(params, w_at, row, stride(), fan_in, layout.FROM_BIAS, b_at, a, a_at, a, z_at, fan_out, n, ld,
                end, a, z_at)  # fmt: skip

    @inlined
    def backward(params, w_at, fan_out, fan_in, dz, dz_at, a, da, at, n, ld, start, through, grads, g_at, scale):
        """da = W^T dz, or da += W^T dz where `start` is FROM_SUM; times sigma'(z) of the activation `through`."""
        row = fan_in * stride()
        product(params, w_at, stride(), row, fan_out, start, w_at, dz, dz_at, da, at, fan_in, n, ld,
                through, a, at)  # fmt: skip

    several = Dense(forward, backward, _weight_gradient(lanes))
    return _or_one_sample(lanes, several) if lanes.networks else several


def _or_one_sample(lanes: Lanes, several: Dense) -> Dense:
    """The kernels, or those for one sample where there is one; then `backward` adds the gradients of W and b too."""
    one_forward, one_backward = make_one_sample(lanes)
    several_forward, several_backward = several.forward, several.backward

    @inlined
    def forward(params, w_at, fan_out, fan_in, code, a, a_at, z_at, n, ld):
        if n == GROUP:
            one_forward(params, w_at, fan_out, fan_in, code, a + a_at, a + z_at)
        else:
            several_forward(params, w_at, fan_out, fan_in, code, a, a_at, z_at, n, ld)

    @inlined
    def backward(params, w_at, fan_out, fan_in, dz, dz_at, a, da, at, n, ld, start, through, grads, g_at, scale):
        if n == GROUP:
            one_backward(params, w_at, fan_out, fan_in, dz + dz_at, a + at, da + at, start, grads, g_at, scale)
        else:
            several_backward(params, w_at, fan_out, fan_in, dz, dz_at, a, da, at, n, ld, start, through, grads, g_at,
                             scale)  # fmt: skip

    return Dense(forward, backward, several.weight_gradient)


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


def _columns(lanes: Lanes) -> Any:
    """The same for the vectors of a row, where the last tile may run over the end: no further than a STRIPE goes."""
    most = lanes.columns

    @inlined
    def columns(left):
        return most - 1 if left % most else most

    return columns


def _product(lanes: Lanes) -> Any:
    """The loops over the tiles. The one inside runs over the operand that is in the first-level cache: with samples in
    lanes w is small and some columns of y stay there, with networks in lanes y is small and rows of w stay there."""
    rows, columns, width, stride = lanes.rows, lanes.columns, lanes.width, lanes.stride
    block = product_block(lanes, _sizes((rows, rows - 1, 1), (columns, columns - 1)))
    next_rows, next_columns, inner_columns = _pieces(rows), _columns(lanes), lanes.networks

    @linked(lanes.name)
    def product(
        w: Pointer, w_at: int, w_row: int, w_step: int, n_steps: int, start: int, b_at: int,
        y: Pointer, y_at: int, z: Pointer, z_at: int, n_rows: int, n: int, ld: int, end: int, a: Pointer, a_at: int,
    ):  # fmt: skip
        """z[r] = start + sum_k w[w_at + r w_row + k w_step] y[k] for n_rows rows r, and then what `end` says.

        It keeps the sum (KEEP), takes max(sum, 0) (FLOOR), or multiplies it by sigma' of an activation, from a[r].
        """
        step = width(y)
        r = t = 0
        while r < n_rows and t < n:
            rows, columns = next_rows(n_rows - r), next_columns((n - t + step - 1) // step)
            block(rows, columns, w, w_at + r * w_row, w_row, w_step, n_steps, start, b_at + r * stride(),
                  y, y_at + t, z, z_at + r * ld + t, ld, end, a, a_at + r * ld + t)  # fmt: skip
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
    rows, columns, width, stride = lanes.rows, lanes.columns, lanes.width, lanes.stride
    block = gradient_block(lanes, _sizes((rows, rows - 1, 1), (columns, columns - 1, 1)))
    next_rows, next_columns = _pieces(rows), _pieces(columns)

    @linked(lanes.name)
    def weight_gradient(
        dz: Pointer, dz_at: int, fan_out: int, a: Pointer, a_at: int, fan_in: int, n: int, ld: int,
        grads: Pointer, at: int, scale: Pointer,
    ):  # fmt: skip
        """grads += dz a^T, at W's place `at`; each lane times its `scale` where lanes are networks."""
        row, vectors, o = fan_in * stride(), n // width(dz), 0
        while o < fan_out:
            rows, i = next_rows(fan_out - o), 0
            while i < fan_in:
                columns = next_columns(fan_in - i)
                block(rows, columns, dz, dz_at + o * ld, ld, a, a_at + i * ld, ld, vectors,
                      grads, at + o * row + i * stride(), row, scale)  # fmt: skip
                i += columns
            o += rows

    return weight_gradient
