"""The quadratic cost, defined once.

With N samples and K outputs:

    half_mse = (1/N) sum_n 1/2 sum_k (y_hat_nk - y_nk)^2      dC/dy_hat_nk = (y_hat_nk - y_nk) / N

It is kept per output k; their sum is the number that is differentiated, optimised and recorded.
"""

from __future__ import annotations

from kernels._jit import sum_jit


@sum_jit
def add_half_squares(y_hat, y, n_samples, costs):
    """costs[k] (float64) += 1/(2 n_samples) sum over the samples of (y_hat - y)^2, both (n_outputs, n)."""
    for k in range(costs.size):
        s = 0.0
        row, target = y_hat[k], y[k]
        for t in range(row.size):
            residual = row[t] - target[t]
            s += residual * residual
        costs[k] += 0.5 * s / n_samples


@sum_jit
def cost_gradient(y_hat, y, n_samples, dy):
    """dy = (y_hat - y) / n_samples, all (n_outputs, n)."""
    scale = dy.dtype.type(1.0 / n_samples)
    for k in range(dy.shape[0]):
        for t in range(dy.shape[1]):
            dy[k, t] = (y_hat[k, t] - y[k, t]) * scale
