"""The matrix products of a dense layer z = W a + b, for either meaning of the lanes (lanes.py).

Shapes: W (fan_out, fan_in), b (fan_out,); a, da (fan_in, n); z, dz (fan_out, n). All are flat arrays with the index of
their first element; `ld` is the distance between two rows of a, da, z, dz, whose n elements are contiguous. Rows and
columns of the result are worked on in a register tile, what is left over one by one, so that the order of every sum
depends on the shapes alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kernels import layout
from kernels._jit import inlined
from kernels.activations import relu_derivative, sigmoid_derivative, tanh_derivative
from kernels.lanes import GROUP, Lanes
from kernels.linked import Pointer, linked
from kernels.one_sample import make_one_sample

KEEP, FLOOR = layout.LINEAR, -1
"""Ends of a matrix product that are not the code of an activation."""


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


def _product_block(lanes: Lanes, rows: int, columns: int) -> Any:
    tile, width, stride = lanes.tile(rows, columns), lanes.width, lanes.stride
    zeros, bias, load, store, accumulate = tile.zeros, tile.bias, tile.load, tile.store, tile.accumulate
    floored = tile.floored
    through_relu, through_tanh = tile.combined(relu_derivative), tile.combined(tanh_derivative)
    through_sigmoid = tile.combined(sigmoid_derivative)

    @inlined
    def block(w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, ld, end, a, a_at):
        step = width(y)
        if start == layout.FROM_BIAS:
            sums = bias(w, b_at, stride())
        elif start == layout.FROM_SUM:
            sums = load(z, z_at, ld, step)
        else:
            sums = zeros(z)
        sums = accumulate(sums, n_steps, w, w_at, w_row, w_step, y, y_at, step, ld)
        if end == FLOOR:
            sums = floored(sums)
        elif end == layout.RELU:
            sums = through_relu(sums, a, a_at, ld, step)
        elif end == layout.TANH:
            sums = through_tanh(sums, a, a_at, ld, step)
        elif end == layout.SIGMOID:
            sums = through_sigmoid(sums, a, a_at, ld, step)
        store(sums, z, z_at, ld, step)

    return block


def _product_cell(lanes: Lanes) -> Any:
    """One register tile; rows of samples have room for whole ones."""
    whole, lower = _product_block(lanes, lanes.rows, lanes.columns), _product_block(lanes, 1, lanes.columns)

    @inlined
    def cell(w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, tall, wide, ld, end, a, a_at):
        if tall:
            whole(w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, ld, end, a, a_at)
        else:
            lower(w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, ld, end, a, a_at)

    if not lanes.networks:
        return cell
    right, corner = _product_block(lanes, lanes.rows, 1), _product_block(lanes, 1, 1)

    @inlined
    def any_cell(w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, tall, wide, ld, end, a, a_at):
        if wide:
            cell(w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, tall, wide, ld, end, a, a_at)
        elif tall:
            right(w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, ld, end, a, a_at)
        else:
            corner(w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, ld, end, a, a_at)

    return any_cell


def _product(lanes: Lanes) -> Any:
    """The loops over the tiles. The one inside runs over the operand that is in the first-level cache: with samples in
    lanes w is small and a panel of y stays there, with networks in lanes y is small and rows of w stay there."""
    cell, width, stride, inner_columns = _product_cell(lanes), lanes.width, lanes.stride, lanes.networks
    rows, columns = lanes.rows, lanes.columns

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
            tall, wide = r + rows <= n_rows, t + columns * step <= n
            cell(w, w_at + r * w_row, w_row, w_step, n_steps, start, b_at + r * stride(),
                 y, y_at + t, z, z_at + r * ld + t, tall, wide, ld, end, a, a_at + r * ld + t)  # fmt: skip
            down, along = rows if tall else 1, columns * step if wide or not inner_columns else step
            if inner_columns:
                t += along
                if t == n:
                    r, t = r + down, 0
            else:
                r += down
                if r == n_rows:
                    r, t = 0, t + along

    return product


def _gradient_block(lanes: Lanes, rows: int, columns: int) -> Any:
    tile, width = lanes.tile(rows, columns), lanes.width
    zeros, multiply, add_gradient = tile.zeros, tile.multiply, tile.add_gradient

    @inlined
    def block(dz, dz_at, a, a_at, n, ld, grads, at, row, scale):
        step = width(dz)
        sums = multiply(zeros(dz), n // step, dz, dz_at, ld, step, a, a_at, ld, step)
        add_gradient(sums, grads, at, row, scale)

    return block


def _weight_gradient(lanes: Lanes) -> Any:
    rows, columns, stride = lanes.rows, lanes.columns, lanes.stride
    whole, lower = _gradient_block(lanes, rows, columns), _gradient_block(lanes, 1, columns)
    right, corner = _gradient_block(lanes, rows, 1), _gradient_block(lanes, 1, 1)

    @linked(lanes.name)
    def weight_gradient(
        dz: Pointer, dz_at: int, fan_out: int, a: Pointer, a_at: int, fan_in: int, n: int, ld: int,
        grads: Pointer, at: int, scale: Pointer,
    ):  # fmt: skip
        """grads += dz a^T, at W's place `at`; each lane times its `scale` where lanes are networks."""
        step = stride()
        row = fan_in * step
        for o in range(0, fan_out, rows):
            tall = o + rows <= fan_out
            for i in range(0, fan_in, columns):
                wide = i + columns <= fan_in
                for r in range(o, o + 1 if tall else fan_out):
                    for c in range(i, i + 1 if wide else fan_in):
                        z, y, w = dz_at + r * ld, a_at + c * ld, at + r * row + c * step
                        if tall and wide:
                            whole(dz, z, a, y, n, ld, grads, w, row, scale)
                        elif tall:
                            right(dz, z, a, y, n, ld, grads, w, row, scale)
                        elif wide:
                            lower(dz, z, a, y, n, ld, grads, w, row, scale)
                        else:
                            corner(dz, z, a, y, n, ld, grads, w, row, scale)

    return weight_gradient
