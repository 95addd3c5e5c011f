"""The matrix products of a dense layer z = W a + b, for either meaning of the lanes (lanes.py).

Shapes: W (fan_out, fan_in), b (fan_out,); a, da (fan_in, n); z, dz (fan_out, n). All are flat arrays with the index of
their first element; `ld` is the distance between two rows of a, da, z, dz, whose n elements are contiguous. Rows and
columns of the result are worked on in a register tile, what is left over one by one, so that the order of every sum
depends on the shapes alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kernels import layout
from kernels._jit import inlined
from kernels.lanes import Lanes
from kernels.linked import Number, Pointer, linked
from kernels.vector import constant, fma, store


zero = constant(0.0, 0.0)


class Dense(NamedTuple):
    """The kernels for one meaning of the lanes."""

    forward: Any
    input_gradient: Any
    weight_gradient: Any
    both_gradients: Any


def make_dense(lanes: Lanes) -> Dense:
    """Compile the kernels for samples or for networks in lanes."""
    product, weight_gradient, stride = _product(lanes), _weight_gradient(lanes), lanes.stride

    @inlined
    def forward(params, w_at, fan_out, fan_in, a, a_at, z, z_at, n, ld, floor):
        """z = max(W a + b, floor): a floor of 0 is relu, -inf is none."""
        row = fan_in * stride()
        b_at = w_at + fan_out * row
        product(params, w_at, row, stride(), fan_in, layout.FROM_BIAS, b_at, a, a_at, z, z_at, fan_out, n, ld, floor)

    @inlined
    def input_gradient(params, w_at, fan_out, fan_in, dz, dz_at, da, da_at, n, ld, start):
        """da = W^T dz, or da += W^T dz where `start` is FROM_SUM."""
        row = fan_in * stride()
        product(params, w_at, stride(), row, fan_out, start, w_at, dz, dz_at, da, da_at, fan_in, n, ld, -np.inf)

    return Dense(forward, input_gradient, weight_gradient, _both_gradients(lanes))


def product_block(lanes: Lanes, rows: int, columns: int) -> Any:
    tile, width, stride = lanes.tile(rows, columns), lanes.width, lanes.stride
    zeros, bias, load, store, accumulate = tile.zeros, tile.bias, tile.load, tile.store, tile.accumulate

    @inlined
    def block(w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, ld, floor):
        step = width(y)
        if start == layout.FROM_BIAS:
            sums = bias(w, b_at, stride())
        elif start == layout.FROM_SUM:
            sums = load(z, z_at, ld, step)
        else:
            sums = zeros(z)
        sums = accumulate(sums, n_steps, w, w_at, w_row, w_step, y, y_at, step, ld)
        store(sums, z, z_at, ld, step, floor)

    return block


def _product_cell(lanes: Lanes) -> Any:
    whole, lower = product_block(lanes, lanes.rows, lanes.columns), product_block(lanes, 1, lanes.columns)
    right, corner = product_block(lanes, lanes.rows, 1), product_block(lanes, 1, 1)

    @inlined
    def cell(w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, tall, wide, ld, floor):
        if tall and wide:
            whole(w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, ld, floor)
        elif tall:
            right(w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, ld, floor)
        elif wide:
            lower(w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, ld, floor)
        else:
            corner(w, w_at, w_row, w_step, n_steps, start, b_at, y, y_at, z, z_at, ld, floor)

    return cell


def _product(lanes: Lanes) -> Any:
    """The loops over the tiles. The one inside runs over the operand that is in the first-level cache: with samples in
    lanes w is small and a panel of y stays there, with networks in lanes y is small and rows of w stay there."""
    cell, width, stride, inner_columns = _product_cell(lanes), lanes.width, lanes.stride, lanes.networks
    rows, columns = lanes.rows, lanes.columns

    @linked(lanes.name)
    def product(
        w: Pointer, w_at: int, w_row: int, w_step: int, n_steps: int, start: int, b_at: int,
        y: Pointer, y_at: int, z: Pointer, z_at: int, n_rows: int, n: int, ld: int, floor: Number,
    ):  # fmt: skip
        """z[r] = max(start + sum_k w[w_at + r w_row + k w_step] y[k], floor) for n_rows rows r."""
        step = width(y)
        r = t = 0
        while r < n_rows and t < n:
            tall, wide = r + rows <= n_rows, t + columns * step <= n
            cell(w, w_at + r * w_row, w_row, w_step, n_steps, start, b_at + r * stride(),
                 y, y_at + t, z, z_at + r * ld + t, tall, wide, ld, floor)  # fmt: skip
            down, along = rows if tall else 1, columns * step if wide else step
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
        tiled_out, tiled_in = fan_out - fan_out % rows, fan_in - fan_in % columns
        for o in range(0, tiled_out, rows):
            for i in range(0, tiled_in, columns):
                whole(dz, dz_at + o * ld, a, a_at + i * ld, n, ld, grads, at + o * row + i * step, row, scale)
            for i in range(tiled_in, fan_in):
                right(dz, dz_at + o * ld, a, a_at + i * ld, n, ld, grads, at + o * row + i * step, row, scale)
        for o in range(tiled_out, fan_out):
            for i in range(0, tiled_in, columns):
                lower(dz, dz_at + o * ld, a, a_at + i * ld, n, ld, grads, at + o * row + i * step, row, scale)
            for i in range(tiled_in, fan_in):
                corner(dz, dz_at + o * ld, a, a_at + i * ld, n, ld, grads, at + o * row + i * step, row, scale)

    return weight_gradient


def _both_gradients(lanes: Lanes) -> Any:
    load, stride = lanes.load, lanes.stride

    @linked(lanes.name)
    def both_gradients(
        params: Pointer, w_at: int, fan_out: int, fan_in: int, dz: Pointer, dz_at: int, a: Pointer, a_at: int,
        da: Pointer, da_at: int, ld: int, start: int, grads: Pointer, at: int, scale: Pointer,
    ):  # fmt: skip
        """Input and weight gradients for one sample of networks in lanes, in one pass over W: it is W that takes the
        time where there is one sample to use it."""
        step = stride()
        if start != layout.FROM_SUM:
            for i in range(fan_in):
                store(da, da_at + i * ld, zero(load(dz, dz_at)))
        factor, row = load(scale, 0), fan_in * step
        o = 0
        while o + 4 <= fan_out:
            d0, d1 = load(dz, dz_at + o * ld), load(dz, dz_at + (o + 1) * ld)
            d2, d3 = load(dz, dz_at + (o + 2) * ld), load(dz, dz_at + (o + 3) * ld)
            g0, g1, g2, g3 = factor * d0, factor * d1, factor * d2, factor * d3
            for i in range(fan_in):
                w = o * row + i * step
                w0, w1 = load(params, w_at + w), load(params, w_at + w + row)
                w2, w3 = load(params, w_at + w + 2 * row), load(params, w_at + w + 3 * row)
                value = load(a, a_at + i * ld)
                total = load(da, da_at + i * ld)
                store(da, da_at + i * ld, fma(w3, d3, fma(w2, d2, fma(w1, d1, fma(w0, d0, total)))))
                store(grads, at + w, fma(g0, value, load(grads, at + w)))
                store(grads, at + w + row, fma(g1, value, load(grads, at + w + row)))
                store(grads, at + w + 2 * row, fma(g2, value, load(grads, at + w + 2 * row)))
                store(grads, at + w + 3 * row, fma(g3, value, load(grads, at + w + 3 * row)))
            o += 4
        for r in range(o, fan_out):
            delta = load(dz, dz_at + r * ld)
            scaled = factor * delta
            for i in range(fan_in):
                w = (r * fan_in + i) * step
                store(da, da_at + i * ld, fma(load(params, w_at + w), delta, load(da, da_at + i * ld)))
                store(grads, at + w, fma(scaled, load(a, a_at + i * ld), load(grads, at + w)))

    return both_gradients
