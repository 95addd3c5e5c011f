"""Systems of linear equations with a positive definite matrix, by Cholesky factors."""

from __future__ import annotations

import math

from shoal.kernels.compile.jit import jit
from shoal.kernels.simd.vector import small


@jit
def cholesky(A, n, ld):
    """Overwrite the lower triangle of a positive definite A (n, n), rows `ld` apart, by L with A = L L^T.

    NaN where A is not positive definite.
    """
    small()
    for j in range(n):
        s = A[j * ld + j]
        for k in range(j):
            s -= A[j * ld + k] * A[j * ld + k]
        A[j * ld + j] = math.sqrt(s)
        for i in range(j + 1, n):
            s = A[i * ld + j]
            for k in range(j):
                s -= A[i * ld + k] * A[j * ld + k]
            A[i * ld + j] = s / A[j * ld + j]


@jit
def solve(L, n, ld, x):
    """Overwrite x (n,) by the solution of L L^T x = x."""
    small()
    for i in range(n):
        for k in range(i):
            x[i] -= L[i * ld + k] * x[k]
        x[i] /= L[i * ld + i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            x[i] -= L[k * ld + i] * x[k]
        x[i] /= L[i * ld + i]
