"""The cost of a tile, and its derivative: the mean over the samples of the sum over the outputs of a loss.

    C = (1/N) sum_n sum_k c(y_hat_nk - y_nk)         dC/dy_hat_nk = (1/N) c'(y_hat_nk - y_nk)

It is kept per output k; their sum is the number that is differentiated, optimised and recorded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shoal.kernels.compile.linked import Doubles, Pointer, linked
from shoal.kernels.network.losses import squared
from shoal.kernels.simd.formula import lifted
from shoal.kernels.simd.lanes import GROUP, Lanes
from shoal.kernels.simd.vector import keep_first, store, widened, zeros

UNSCALED = np.ones(GROUP)
loss, slope = lifted(squared.cost, 1), lifted(squared.slope, 1)


def make_cost(lanes: Lanes) -> Any:
    """Compile the cost for samples or for networks in lanes."""
    load, width, add_total, stride = lanes.load, lanes.width, lanes.add_gradient, lanes.stride

    @linked(lanes.name)
    def add_cost(
        y_hat: Pointer, ld: int, y: Pointer, y_ld: int, n_outputs: int, n_real: int, n: int, share: float,
        costs: Doubles, dy: Pointer,
    ):  # fmt: skip
        """costs[k] (float64) += share sum c(y_hat - y) and dy = share c'(y_hat - y), laid out as y_hat.

        `share` is 1 / N. Of the n elements of a row those from n_real on fill up the last vector and count nothing.
        """
        for k in range(n_outputs):
            sums = widened(zeros(load(y_hat, 0)))
            for t in range(0, n, width(y_hat)):
                r = keep_first(load(y_hat, k * ld + t) - load(y, k * y_ld + t), n_real - t)
                sums = sums + loss(widened(r))
                store(dy, k * ld + t, slope(r) * share)
            add_total(sums * share, costs, k * stride(), UNSCALED)

    return add_cost
