"""Formulas that activations and losses share, evaluated by NumPy, against 40-digit arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp, mpf

from shoal.kernels.simd.normal import tail


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
