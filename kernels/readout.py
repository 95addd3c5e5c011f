"""Ridge regression on the inputs of the last dense layer, all layers before it left as they are.

Minimises  sum_n sum_k (y_nk - W_k . h_n - b_k)^2 + alpha sum_k |W_k|^2  with b free: with H and Y centred,
W^T = (H^T H + alpha I)^-1 H^T Y  and  b = mean(y) - W mean(h)  (Hoerl and Kennard, Technometrics 12, 1970).
Solved in float64 by Cholesky factors, whatever the dtype of the network.
"""

from __future__ import annotations

import math

from kernels._jit import jit


@jit
def cholesky(A):
    """Overwrite the lower triangle of a positive definite A (n, n) by L with A = L L^T; NaN where A is not."""
    for j in range(A.shape[0]):
        s = A[j, j]
        for k in range(j):
            s -= A[j, k] * A[j, k]
        A[j, j] = math.sqrt(s)
        for i in range(j + 1, A.shape[0]):
            s = A[i, j]
            for k in range(j):
                s -= A[i, k] * A[j, k]
            A[i, j] = s / A[j, j]


@jit
def solve(L, x):
    """Overwrite x (n,) by the solution of L L^T x = x."""
    n = x.size
    for i in range(n):
        for k in range(i):
            x[i] -= L[i, k] * x[k]
        x[i] /= L[i, i]
    for back in range(n):
        i = n - 1 - back
        for k in range(i + 1, n):
            x[i] -= L[k, i] * x[k]
        x[i] /= L[i, i]


@jit
def ridge(gram, moments, mean_h, mean_y, alpha, W, b):
    """Fill W (n_outputs, units) and b (n_outputs,) from the centred sums gram = H^T H (units, units), which is
    overwritten, and moments = Y^T H (n_outputs, units), overwritten too.
    """
    for i in range(gram.shape[0]):
        gram[i, i] += alpha
    cholesky(gram)
    for k in range(b.size):
        solve(gram, moments[k])
        intercept = mean_y[k]
        for i in range(mean_h.size):
            W[k, i] = moments[k, i]
            intercept -= moments[k, i] * mean_h[i]
        b[k] = intercept
