"""The quadratic cost, defined once.

With N samples and K outputs:

    half_mse = (1/N) sum_n 1/2 sum_k (y_hat_nk - y_nk)^2      dC/dy_hat_nk = (y_hat_nk - y_nk) / N

It is kept per output k; their sum is the number that is differentiated, optimised and recorded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shoal.kernels.simd.lanes import GROUP, Lanes
from shoal.kernels.compile.linked import Costs, Pointer, linked
from shoal.kernels.simd.vector import constant, fma, keep_first, store, widened

UNSCALED = np.ones(GROUP)
zero = constant(0.0, 0.0)


def make_loss(lanes: Lanes) -> Any:
    """Compile the cost for samples or for networks in lanes."""
    load, width, add_total, stride = lanes.load, lanes.width, lanes.add_gradient, lanes.stride

    @linked(lanes.name)
    def add_cost(
        y_hat: Pointer, y_hat_at: int, ld: int, y: Pointer, y_at: int, y_ld: int, n_outputs: int, n_real: int, n: int,
        share: float, costs: Costs, costs_at: int, dy: Pointer,
    ):  # fmt: skip
        """costs[k] (float64) += share/2 sum (y_hat - y)^2 and dy = share (y_hat - y), laid out as y_hat.

        `share` is 1 / N. Of the n elements of a row those from n_real on fill up the last vector and count nothing.
        """
        for k in range(n_outputs):
            sums = widened(zero(load(y_hat, y_hat_at)))
            for t in range(0, n, width(y_hat)):
                at = y_hat_at + k * ld + t
                residual = keep_first(load(y_hat, at) - load(y, y_at + k * y_ld + t), n_real - t)
                sums = fma(widened(residual), widened(residual), sums)
                store(dy, at, residual * share)
            add_total(sums * (0.5 * share), costs, costs_at + k * stride(), UNSCALED)

    return add_cost
