"""The dense layer z = W a + b where networks are in the lanes and each has one sample: W is all there is to load.

Activations stand close together, so that a vector takes one unit of the networks, or two where it has room for them
(float32 with AVX-512). It lies along a row of W in the same way: W[o, i] of all networks, then W[o, i + 1]. Sums over i
are kept in vectors and folded at the end. W is gone through once for both its gradients.

Shapes: W (fan_out, fan_in), b (fan_out,), a and da (fan_in,), z and dz (fan_out,), each number GROUP wide.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from shoal.kernels.network import tape as layout
from shoal.kernels.compile.jit import inlined
from shoal.kernels.matrix.blocks import gradient_block
from shoal.kernels.simd.lanes import GROUP, Lanes, narrow
from shoal.kernels.compile.linked import Pointer, linked
from shoal.kernels.simd.vector import at_least, constant, fma, store

ROWS = 4
"""Rows of W gone through at once; what is left over, one by one."""
zero = constant(0.0, 0.0)


class OneSample(NamedTuple):
    """The kernels."""

    forward: Any
    backward: Any


def make_one_sample(lanes: Lanes) -> OneSample:
    """Compile the kernels for networks in lanes."""
    return OneSample(_forward(lanes), _backward(lanes))


def _forward(lanes: Lanes) -> Any:
    width, add_product = lanes.width, gradient_block(lanes, [(ROWS, 1), (1, 1)])

    @linked(lanes.name)
    def one_forward(params: Pointer, w_at: int, fan_out: int, fan_in: int, code: int, a: Pointer, z: Pointer):
        """z = W a + b; where `code` is RELU, it is max(W a + b, 0)."""
        row, step = fan_in * GROUP, width(a)
        done, tiled, bias = row - row % step, fan_out - fan_out % ROWS, w_at + fan_out * row
        for o in range(fan_out):
            value = narrow(params, bias + o * GROUP)
            if done < row:
                value = fma(narrow(params, w_at + o * row + done), narrow(a, done), value)
            store(z, o * GROUP, value)
        o = 0
        while o < fan_out:
            rows = ROWS if o < tiled else 1
            add_product(rows, 1, params, w_at + o * row, row, a, 0, 0, done // step, z, o * GROUP, GROUP, None)
            o += rows
        if code == layout.RELU:
            for o in range(fan_out):
                store(z, o * GROUP, at_least(narrow(z, o * GROUP), 0.0))

    return one_forward


def _backward(lanes: Lanes) -> Any:
    width, load = lanes.width, lanes.load
    whole, whole_end = _four_rows(load, lanes.parameter, width), _four_rows(narrow, narrow, _one_unit)
    lower, lower_end = _row(load, lanes.parameter, width), _row(narrow, narrow, _one_unit)

    @linked(lanes.name)
    def one_backward(
        params: Pointer, w_at: int, fan_out: int, fan_in: int, dz: Pointer, a: Pointer, da: Pointer, start: int,
        grads: Pointer, g_at: int, scale: Pointer,
    ):  # fmt: skip
        """da = W^T dz, or da += W^T dz where `start` is FROM_SUM; grads += scale dC/dW and scale dC/db.

        From the last row of W to the first: the forward pass, which goes the other way, has left the last ones in the
        cache, and finds the first ones there.
        """
        row = fan_in * GROUP
        done, tiled = row - row % width(a), fan_out - fan_out % ROWS
        if start != layout.FROM_SUM:
            for i in range(0, row, GROUP):
                store(da, i, zero(narrow(dz, 0)))
        for o in range(tiled, fan_out):
            w, g, d = w_at + o * row, g_at + o * row, dz + o * GROUP
            lower(params, w, 0, done, d, a, da, grads, g, scale)
            lower_end(params, w, done, row, d, a, da, grads, g, scale)
        for o in range(tiled - ROWS, -1, -ROWS):
            w, g, d = w_at + o * row, g_at + o * row, dz + o * GROUP
            whole(params, w, row, 0, done, d, a, da, grads, g, scale)
            whole_end(params, w, row, done, row, d, a, da, grads, g, scale)
        bias = g_at + fan_out * row
        for o in range(0, fan_out * GROUP, GROUP):
            store(grads, bias + o, fma(narrow(scale, 0), narrow(dz, o), narrow(grads, bias + o)))

    return one_backward


@inlined
def _one_unit(array):
    return GROUP


def _four_rows(load: Any, spread: Any, width: Any) -> Any:
    """Units from `begin` to `end` for four rows of W, in vectors that `load` takes and `spread` fills."""

    @inlined
    def four_rows(params, w, row, begin, end, dz, a, da, grads, g, scale):
        d0, d1, d2, d3 = spread(dz, 0), spread(dz, GROUP), spread(dz, 2 * GROUP), spread(dz, 3 * GROUP)
        factor = spread(scale, 0)
        g0, g1, g2, g3 = factor * d0, factor * d1, factor * d2, factor * d3
        for i in range(begin, end, width(a)):
            p, q = w + i, g + i
            w0, w1, w2, w3 = (
                load(params, p),
                load(params, p + row),
                load(params, p + 2 * row),
                load(params, p + 3 * row),
            )
            value = load(a, i)
            store(da, i, fma(w3, d3, fma(w2, d2, fma(w1, d1, fma(w0, d0, load(da, i))))))
            store(grads, q, fma(g0, value, load(grads, q)))
            store(grads, q + row, fma(g1, value, load(grads, q + row)))
            store(grads, q + 2 * row, fma(g2, value, load(grads, q + 2 * row)))
            store(grads, q + 3 * row, fma(g3, value, load(grads, q + 3 * row)))

    return four_rows


def _row(load: Any, spread: Any, width: Any) -> Any:
    """The same for one row."""

    @inlined
    def one_row(params, w, begin, end, dz, a, da, grads, g, scale):
        delta = spread(dz, 0)
        scaled = spread(scale, 0) * delta
        for i in range(begin, end, width(a)):
            store(da, i, fma(load(params, w + i), delta, load(da, i)))
            store(grads, g + i, fma(scaled, load(a, i), load(grads, g + i)))

    return one_row
