"""tanh and sigmoid against 60-digit decimal arithmetic over their whole range, and the edges of all activations."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.kernels.compile.linked import Linked
from shoal.kernels.compile.warmup import load_all
from shoal.kernels.network.activate import PAIRS
from shoal.kernels.network.activations import NAMES, code_of
from shoal.kernels.simd import lanes
from shoal.kernels.simd.lanes import STRIPE
from shoal.kernels.training.fleet import ALIGNMENT
from tests import naive
from tests.naive import Array

SAMPLES, NETWORKS = lanes.SAMPLES.name, lanes.NETWORKS.name
LARGEST_ERROR = 3.0
"""In units in the last place, as promised in kernels/simd/exp.py."""


def padded(values: Array) -> Array:
    """The numbers, and ones up to a whole number of vectors, as many as rows of samples have room for."""
    return np.pad(values, (0, -len(values) % (STRIPE * ALIGNMENT)), constant_values=1)


def run(kernel: Linked, *arguments: Any) -> None:
    """Call a kernel in the dtype of its first argument."""
    dtype = arguments[0].dtype
    load_all([(kernel, dtype)])
    kernel(dtype, *arguments)


def activated(name: str, z: Array) -> Array:
    """sigma(z) by the kernels, which does not depend on what the lanes are, nor on the lane."""
    if name == "linear":
        return z  # which has no kernel
    code = code_of(name)
    turned = padded(np.roll(z, 1))
    a, b = padded(z), padded(z)
    for group, row in ((SAMPLES, a), (NETWORKS, b), (SAMPLES, turned)):
        run(PAIRS[group, code].activate, row, 1, len(row), len(row))
    assert a.tobytes() == b.tobytes()
    assert a[: len(z)].tobytes() == np.roll(turned[: len(z)], -1).tobytes()
    return a[: len(z)]


def exact_tanh(z: float) -> Decimal:
    """tanh to more than 30 digits."""
    with localcontext(prec=60):
        x = Decimal(z)
        if abs(x) < Decimal("1e-9"):
            return x - x**3 / 3
        e = (2 * x).exp()
        return (e - 1) / (e + 1)


def exact_sigmoid(z: float) -> Decimal:
    """1 / (1 + exp(-z)) to more than 30 digits."""
    with localcontext(prec=60):
        return 1 / (1 + (-Decimal(z)).exp())


def errors(got: Array, exact: list[Decimal]) -> list[float]:
    """Distance of each number from the exact one, in units in the last place of the latter."""
    units = [float(np.spacing(abs(got.dtype.type(want)))) for want in exact]
    return [float(abs(Decimal(float(g)) - want) / Decimal(u)) for g, want, u in zip(got, exact, units, strict=True)]


def spread(dtype: str, largest: float) -> Array:
    """Numbers of both signs from the smallest there are to `largest`, dense where tanh and sigmoid bend."""
    generator = np.random.default_rng(0)
    smallest = np.log2(float(np.finfo(dtype).smallest_subnormal))
    z = np.concatenate([np.exp2(np.linspace(smallest, np.log2(largest), 500)), generator.uniform(0.0, 30.0, 1500)])
    return np.concatenate([z, -z]).astype(dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_tanh_is_exact_to_3_units_in_the_last_place(dtype: str) -> None:
    z = spread(dtype, 1e300 if dtype == "float64" else 1e38)
    near = [float(np.clip(value, -100, 100)) for value in z]  # beyond, it is 1 to 80 digits
    assert max(errors(activated("tanh", z), [exact_tanh(value) for value in near])) <= LARGEST_ERROR


@pytest.mark.parametrize(("dtype", "largest"), [("float64", 708.0), ("float32", 87.0)])
def test_sigmoid_is_exact_to_3_units_in_the_last_place(dtype: str, largest: float) -> None:
    z = spread(dtype, largest)
    assert max(errors(activated("sigmoid", z), [exact_sigmoid(float(value)) for value in z])) <= LARGEST_ERROR


@settings(deadline=None, max_examples=300)
@given(z=st.floats(-708, 708))
def test_any_single_number(z: float) -> None:
    values = np.array([z])
    assert errors(activated("tanh", values), [exact_tanh(max(-100.0, min(z, 100.0)))])[0] <= LARGEST_ERROR
    assert errors(activated("sigmoid", values), [exact_sigmoid(z)])[0] <= LARGEST_ERROR


@settings(deadline=None, max_examples=100)
@given(z=st.lists(st.floats(width=32), min_size=1, max_size=40))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NAMES)
def test_no_number_falls_out_of_its_range_and_nan_stays_nan(name: str, dtype: str, z: list[float]) -> None:
    values = np.array(z, dtype)
    a = activated(name, values)
    np.testing.assert_array_equal(np.isnan(a), np.isnan(values))
    fine = a[np.argsort(values)][: np.count_nonzero(~np.isnan(a))]
    low, high = {"relu": (0, np.inf), "tanh": (-1, 1), "sigmoid": (0, 1), "linear": (-np.inf, np.inf)}[name]
    assert ((low <= fine) & (fine <= high)).all()
    assert (fine[:-1] <= fine[1:] + 1e-15).all()  # all of them rise


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_edges(dtype: str) -> None:
    z = np.array([np.inf, -np.inf, 0.0, -0.0, np.finfo(dtype).max, np.finfo(dtype).min], dtype)
    large = float(np.finfo(dtype).max)
    assert activated("linear", z).tolist() == z.tolist()
    assert activated("relu", z).tolist() == [np.inf, 0.0, 0.0, 0.0, large, 0.0]
    assert activated("tanh", z).tolist() == [1.0, -1.0, 0.0, 0.0, 1.0, -1.0]
    sigmoid = activated("sigmoid", z)
    assert sigmoid[[0, 2, 3, 4]].tolist() == [1.0, 0.5, 0.5, 1.0]
    lowest = activated("sigmoid", np.array([-708.0 if dtype == "float64" else -87.0], dtype))[0]
    assert sigmoid[[1, 5]].tolist() == [lowest, lowest]
    assert 0.0 < lowest < 2 * np.finfo(dtype).tiny


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NAMES)
def test_nan_stays_nan_and_in_its_place(name: str, dtype: str) -> None:
    z = np.array([np.nan, 1.0, -np.nan, np.inf, -1.0, -np.inf, np.nan, 0.5], dtype)
    assert np.isnan(activated(name, z)).tolist() == np.isnan(z).tolist()


@settings(deadline=None, max_examples=100)
@given(z=st.floats(0.0, 50.0))
def test_symmetry(z: float) -> None:
    values = np.array([z, -z])
    tanh, sigmoid = activated("tanh", values), activated("sigmoid", values)
    assert tanh[0] == -tanh[1]
    assert math.isclose(sigmoid.sum(), 1.0, rel_tol=1e-15)


@pytest.mark.parametrize("name", NAMES[1:])
def test_derivatives(name: str) -> None:
    """Over the rows of a wider array as well: what stands beside them stays."""
    n = 5 * ALIGNMENT
    z = np.concatenate([np.random.default_rng(0).normal(0.0, 1.0, 2 * n - 1), [0.0]])
    a, da = activated(name, z), np.linspace(-1.0, 1.0, z.size)
    want = da * naive.sigma_prime(name, z)
    for group in (SAMPLES, NETWORKS):
        dz, part = np.empty(z.size), np.ones(z.size)
        kernel = PAIRS[group, code_of(name)].differentiate
        run(kernel, a, da, dz, 2, n, n)
        run(kernel, a, da, part, 2, n - ALIGNMENT, n)
        np.testing.assert_allclose(dz, want, rtol=1e-12, atol=0)
        inside = np.arange(z.size) % n < n - ALIGNMENT
        np.testing.assert_array_equal(part, np.where(inside, dz, 1.0))
