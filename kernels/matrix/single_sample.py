"""The dense layer z = W a + b where networks are in the lanes and each has one sample: W is all there is to load.

Activations stand close together, so that a vector takes one unit of the networks, or two where it has room for them
(float32 with AVX-512). It lies along a row of W in the same way: W[o, i] of all networks, then W[o, i + 1]. Sums over i
are kept in vectors and folded at the end. W is gone through once for both its gradients.

Shapes: W (fan_out, fan_in), b (fan_out,), a and da (fan_in,), z and dz (fan_out,), each number GROUP wide.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from shoal.kernels.compile.jit import inlined
from shoal.kernels.compile.linked import Pointer, linked
from shoal.kernels.matrix.blocks import FROM_SUM, KEEP, Ends, Rows, gradient_block
from shoal.kernels.simd.formula import choice
from shoal.kernels.simd.lanes import GROUP, Lanes, narrow
from shoal.kernels.simd.vector import fma, store, zeros

ROWS = 4
"""Rows of W gone through at once; what is left over, one by one."""


class SingleSample(NamedTuple):
    """The kernels."""

    forward: Any
    backward: Any


def make_single_sample(lanes: Lanes, ends: Ends) -> SingleSample:
    """Compile the kernels for networks in lanes, with what may be the end of z = W a + b."""
    return SingleSample(_forward(lanes, ends), _backward(lanes))


def _forward(lanes: Lanes, ends: Ends) -> Any:
    width, add_product, ended = lanes.width, gradient_block(lanes, [(ROWS, 1), (1, 1)]), choice(ends)

    @linked(lanes.name)
    def one_forward(W: Pointer, fan_out: int, fan_in: int, a: Pointer, z: Pointer, end: int):
        """z = W a + b, then what `end` says; b stands behind W."""
        row, step = fan_in * GROUP, width(a)
        done, tiled, b = row - row % step, fan_out - fan_out % ROWS, W + fan_out * row
        for o in range(fan_out):
            value = narrow(b, o * GROUP)
            if done < row:
                value = fma(narrow(W, o * row + done), narrow(a, done), value)
            store(z, o * GROUP, value)
        o = 0
        while o < fan_out:
            rows = ROWS if o < tiled else 1
            add_product(rows, 1, Rows(W + o * row, row), Rows(a, 0), done // step, Rows(z + o * GROUP, GROUP), None,
                        FROM_SUM)  # fmt: skip
            o += rows
        if end != KEEP:
            for o in range(fan_out):
                store(z, o * GROUP, ended(end, narrow(z, o * GROUP)))

    return one_forward


def _backward(lanes: Lanes) -> Any:
    width, load = lanes.width, lanes.load
    whole, whole_end = _four_rows(load, lanes.parameter, width), _four_rows(narrow, narrow, _one_unit)
    lower, lower_end = _row(load, lanes.parameter, width), _row(narrow, narrow, _one_unit)

    @linked(lanes.name)
    def one_backward(
        W: Pointer, fan_out: int, fan_in: int, dz: Pointer, a: Pointer, da: Pointer, start: int, grads: Pointer,
        scale: Pointer,
    ):  # fmt: skip
        """da = W^T dz, or da += W^T dz where `start` is FROM_SUM; grads += scale dC/dW and scale dC/db.

        From the last row of W to the first: the forward pass, which goes the other way, has left the last ones in the
        cache, and finds the first ones there.
        """
        row = fan_in * GROUP
        done, tiled = row - row % width(a), fan_out - fan_out % ROWS
        if start != FROM_SUM:
            for i in range(0, row, GROUP):
                store(da, i, zeros(narrow(dz, 0)))
        # a row of W in whole vectors, then its last unit where a vector has room for two and it would be half of one
        for o in range(tiled, fan_out):
            w, g, d = W + o * row, grads + o * row, dz + o * GROUP
            lower(w, 0, done, d, a, da, g, scale)
            lower_end(w, done, row, d, a, da, g, scale)
        for o in range(tiled - ROWS, -1, -ROWS):
            w, g, d = W + o * row, grads + o * row, dz + o * GROUP
            whole(w, row, 0, done, d, a, da, g, scale)
            whole_end(w, row, done, row, d, a, da, g, scale)
        b = grads + fan_out * row
        for o in range(0, fan_out * GROUP, GROUP):
            store(b, o, fma(narrow(scale, 0), narrow(dz, o), narrow(b, o)))

    return one_backward


@inlined
def _one_unit(array):
    return GROUP


def _four_rows(load: Any, spread: Any, width: Any) -> Any:
    """Units from `begin` to `end` for four rows of W, in vectors that `load` takes and `spread` fills."""

    @inlined
    def four_rows(w, row, begin, end, dz, a, da, grads, scale):
        d0, d1, d2, d3 = spread(dz, 0), spread(dz, GROUP), spread(dz, 2 * GROUP), spread(dz, 3 * GROUP)
        factor = spread(scale, 0)
        g0, g1, g2, g3 = factor * d0, factor * d1, factor * d2, factor * d3
        for i in range(begin, end, width(a)):
            w0, w1, w2, w3 = load(w, i), load(w, i + row), load(w, i + 2 * row), load(w, i + 3 * row)
            value = load(a, i)
            store(da, i, fma(w3, d3, fma(w2, d2, fma(w1, d1, fma(w0, d0, load(da, i))))))
            store(grads, i, fma(g0, value, load(grads, i)))
            store(grads, i + row, fma(g1, value, load(grads, i + row)))
            store(grads, i + 2 * row, fma(g2, value, load(grads, i + 2 * row)))
            store(grads, i + 3 * row, fma(g3, value, load(grads, i + 3 * row)))

    return four_rows


def _row(load: Any, spread: Any, width: Any) -> Any:
    """The same for one row."""

    @inlined
    def one_row(w, begin, end, dz, a, da, grads, scale):
        delta = spread(dz, 0)
        scaled = spread(scale, 0) * delta
        for i in range(begin, end, width(a)):
            store(da, i, fma(load(w, i), delta, load(da, i)))
            store(grads, i, fma(scaled, load(a, i), load(grads, i)))

    return one_row
