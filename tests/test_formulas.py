"""Formulas that activations and losses share, evaluated by NumPy, against 40-digit arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp, mpf

from shoal.kernels.simd.formula import flushed
from shoal.kernels.simd.log import log_of_1_plus
from shoal.kernels.simd.normal import tail
from shoal.kernels.training.optimizers import OPTIMIZERS
from tests.fleet import DTYPES


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_of_1_plus_what_is_up_to_2_to_the_32(dtype: str) -> None:
    """Within 2 roundings, however near to 0."""
    x = np.append(np.logspace(-30, 0, 400), 2 ** np.linspace(0, 32, 301)).astype(dtype)
    with mp.workdps(40):
        want = [mp.log1p(mpf(float(value))) for value in x]
    for got, exact in zip(log_of_1_plus(x), want, strict=True):
        assert abs(mpf(float(got)) - exact) <= 2 * np.finfo(dtype).eps * exact
    assert log_of_1_plus(np.array([0.0], dtype)) == 0.0
    assert np.isnan(log_of_1_plus(np.array([np.nan], dtype)))


@pytest.mark.parametrize(("dtype", "far"), [("float32", 13.0), ("float64", 37.5)])
def test_the_tail_of_the_normal_distribution(dtype: str, far: float) -> None:
    """Phi(-u), up to where it is no normal number any more."""
    u = np.linspace(0.0, far, 400).astype(dtype)
    e, power, m = tail(u)
    with mp.workdps(40):
        for k, value in enumerate(u):
            exact = mp.erfc(mpf(float(value)) / mp.sqrt(2)) / 2
            got = mpf(float(e[k])) * mpf(float(power[k])) * mpf(float(m[k]))
            assert abs(got / exact - 1) <= 4 * np.finfo(dtype).eps


@pytest.mark.parametrize(("dtype", "limit"), [("float32", 1e-36), ("float64", 1e-300)])
def test_what_is_next_to_nothing_is_0(dtype: str, limit: float) -> None:
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([0.0, tiny, -tiny, limit / 1.01, -limit / 1.01, limit * 1.01, -limit * 1.01, np.inf], dtype)
    assert flushed(x).tolist() == [0, 0, 0, 0, 0, *x[5:].tolist()]
    assert np.isnan(flushed(np.array([np.nan], dtype)))


@pytest.mark.parametrize("name", ["momentum", "nesterov", "adam", "adamw"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_mean_gradient_of_a_dead_unit_ends_at_0_and_is_never_subnormal(name: str, dtype: str) -> None:
    optimizer = OPTIMIZERS[name]
    p, g, normal = np.array([0.5], dtype), np.array([1e-3], dtype), np.finfo(dtype).smallest_normal
    state = (np.zeros(1, dtype),) * optimizer.n_states
    hypers = optimizer.Hypers(**optimizer.hypers)
    for t in range(1, 8000):
        p, state = optimizer.update(p, g, state, 0.01, optimizer.numbers(t, hypers))
        mean = state[0][0]
        assert mean == 0 or abs(mean) >= normal
        g = np.zeros(1, dtype)
    assert mean == 0
