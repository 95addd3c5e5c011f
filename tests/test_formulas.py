"""Formulas that activations and losses share, evaluated by NumPy, against 40-digit arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp, mpf

from shoal.kernels.simd.log import log_from_1
from shoal.kernels.simd.normal import tail
from tests.fleet import DTYPES


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_from_1_to_2_to_the_32(dtype: str) -> None:
    """Within 2 roundings of log(2), or of the logarithm where that is larger; near 1, of the logarithm itself."""
    x = np.append(1 + np.logspace(-6, 0, 200), 2 ** np.linspace(0, 32, 301)).astype(dtype)
    with mp.workdps(40):
        want = [mp.log(mpf(float(value))) for value in x]
    rounding = np.finfo(dtype).eps
    for got, exact, value in zip(log_from_1(x), want, x, strict=True):
        scale = exact if value < 2 else max(exact, mp.log(2))
        assert abs(mpf(float(got)) - exact) <= 2 * rounding * scale
    assert log_from_1(np.array([1.0], dtype)) == 0.0
    assert np.isnan(log_from_1(np.array([np.nan], dtype)))


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
