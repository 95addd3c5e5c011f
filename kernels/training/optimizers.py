"""Parameter updates, for either meaning of the lanes.

    gd      p -= rate g
    adam    m = 0.9 m + 0.1 g;  v = 0.999 v + 0.001 g^2;  p -= rate (m / (1 - 0.9^t)) / (sqrt(v / (1 - 0.999^t)) + 1e-8)
            at step t = 1, 2, ... (Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015)

g is the sum of `n_parts` partial gradients, added in their order: one for each chunk of samples (samples.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from shoal.kernels.simd.lanes import Lanes
from shoal.kernels.compile.linked import Pointer, linked
from shoal.kernels.simd.vector import fma, square_root, store

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class Optimizers(NamedTuple):
    """The kernels for one meaning of the lanes."""

    descend: Any
    adam: Any


def make_optimizers(lanes: Lanes) -> Optimizers:
    """Compile the updates for samples or for networks in lanes."""
    load, parameter, width = lanes.load, lanes.parameter, lanes.width

    @linked(lanes.name)
    def descend(
        params: Pointer,
        at: int,
        n: int,
        grads: Pointer,
        grads_at: int,
        n_parts: int,
        part: int,
        rates: Pointer,
        rate: int,
    ):
        """Gradient descent on n elements of `params`; partial gradients are `part` elements apart."""
        for p in range(0, n, width(params)):
            g = load(grads, grads_at + p)
            for k in range(1, n_parts):
                g = g + load(grads, grads_at + k * part + p)
            store(params, at + p, fma(-1.0 * parameter(rates, rate), g, load(params, at + p)))

    @linked(lanes.name)
    def adam(
        params: Pointer, at: int, n: int, grads: Pointer, grads_at: int, n_parts: int, part: int,
        rates: Pointer, rate: int, means: Pointer, squares: Pointer, state_at: int,
        correction_1: float, correction_2: float,
    ):  # fmt: skip
        """The same for Adam; `means` m and `squares` v from `state_at` on, correction_k = 1 / (1 - beta_k^t)."""
        for p in range(0, n, width(params)):
            g = load(grads, grads_at + p)
            for k in range(1, n_parts):
                g = g + load(grads, grads_at + k * part + p)
            m = fma(1.0 - BETA_1, g, BETA_1 * load(means, state_at + p))
            v = fma(1.0 - BETA_2, g * g, BETA_2 * load(squares, state_at + p))
            store(means, state_at + p, m)
            store(squares, state_at + p, v)
            move = (m * correction_1) / (square_root(v * correction_2) + EPSILON)
            store(params, at + p, fma(-1.0 * parameter(rates, rate), move, load(params, at + p)))

    return Optimizers(descend, adam)
