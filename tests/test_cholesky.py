"""Cholesky factors and solutions against numpy.linalg."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from shoal.kernels.matrix.cholesky import cholesky, solve
from tests.naive import Array

UNIT = np.finfo(np.float64).eps / 2
BESIDE = 7.0
"""What stands in the rest of the rows, and above the diagonal."""


@numba.njit
def factor(A: Array, n: int, ld: int) -> None:
    cholesky(A, n, ld)


@numba.njit
def solution(L: Array, n: int, ld: int, x: Array) -> None:
    solve(L, n, ld, x)


def positive_definite(n: int) -> Array:
    values = np.random.default_rng(n).normal(size=(n, n + 3))
    return values @ values.T + 0.1 * np.eye(n)


def factored(A: Array, ld: int) -> Array:
    """Rows `ld` apart, of which the lower triangle has the factor."""
    rows = np.full((len(A), ld), BESIDE)
    rows[:, : len(A)] = np.where(np.tri(len(A)), A, BESIDE)
    factor(rows.ravel(), len(A), ld)
    return rows


def test_factors_and_solutions_of_all_sizes_agree_with_numpy() -> None:
    """Backward errors as in Higham (2002), theorems 10.3 and 10.4: (n + 1) u and 2 (3 n + 1) u times |L| |L^T|."""
    for n in range(1, 41):
        A, ld = positive_definite(n), n + n % 4
        rows, x = factored(A, ld), np.random.default_rng([n, 1]).normal(size=n)
        L = np.tril(rows[:, :n])
        sizes = abs(L) @ abs(L.T)
        assert np.all(abs(L @ L.T - A) <= (2 * n + 2) * UNIT * sizes)  # n + 1 of them for the product here
        condition = np.linalg.cond(A)
        np.testing.assert_allclose(L, np.linalg.cholesky(A), rtol=0, atol=n * UNIT * condition * abs(L).max())
        want = np.linalg.solve(A, x)
        got = x.copy()
        solution(rows.ravel(), n, ld, got)
        assert np.all(abs(A @ got - x) <= 4 * (2 * n + 1) * UNIT * (sizes @ abs(got)))
        np.testing.assert_allclose(got, want, rtol=0, atol=8 * n * UNIT * condition * abs(want).max())
        assert (rows[:, n:] == BESIDE).all() and (rows[:, :n][~np.tri(n, dtype=bool)] == BESIDE).all()


@pytest.mark.parametrize("bad", [-1.0, np.nan])
def test_a_matrix_that_is_not_positive_definite_has_nan_in_its_factor(bad: float) -> None:
    A = positive_definite(5)
    A[3, 3] = bad
    assert np.isnan(factored(A, 5)[3:, 3]).all()
