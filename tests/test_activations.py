"""Activations against 60-digit arithmetic over their whole range, and their edges."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from shoal.kernels.compile.linked import Linked
from shoal.kernels.compile.warmup import load_all
from shoal.kernels.network.activate import PAIRS
from shoal.kernels.network.activations import ACTIVATIONS as TABLE
from shoal.kernels.network.activations import NAMES, code_of
from shoal.kernels.simd import lanes
from shoal.kernels.simd.lanes import STRIPE
from shoal.kernels.simd.sine import EXACT as EXACT_SINE
from shoal.kernels.training.fleet import ALIGNMENT
from tests import naive
from tests.naive import Array

SAMPLES, NETWORKS = lanes.SAMPLES.name, lanes.NETWORKS.name
DTYPES = ("float64", "float32")


class Exact(NamedTuple):
    """An activation in 60 digits: sigma(z), its slope from what the file has it from, and sigma of -inf and of inf.

    A slope that is a sum is a tuple of its terms. The largest error is in units in the last place of the exact number,
    or of the largest of its terms.
    """

    value: Callable[[Any], Any]
    slope: Callable[[Any], Any]
    left: float
    right: float
    largest_error: float = 3.0


SCALE, ALPHA = mpf("1.0507009873554804934193349852946"), mpf("1.6732632423543772848170429916717")


def logistic(z: Any) -> Any:
    """1 / (1 + exp(-z))."""
    return 1 / (1 + mp.exp(-z))


def tail(z: Any) -> Any:
    """Phi(z), to which mpmath's erfc has no way where it is 0 or 1 to 60 digits."""
    return mp.erfc(-z / mp.sqrt(2)) / 2 if abs(z) < 100 else mpf(z > 0)


def tanh_of_softplus(z: Any) -> Any:
    """tanh(log(1 + exp(z)))."""
    n = mp.exp(z) * (mp.exp(z) + 2)
    return n / (n + 2)


EXACT = {
    "linear": Exact(lambda z: z, lambda a: mpf(1), -math.inf, math.inf),
    "relu": Exact(lambda z: max(z, mpf(0)), lambda a: mpf(a > 0), 0.0, math.inf),
    "tanh": Exact(mp.tanh, lambda a: 1 - a * a, -1.0, 1.0),
    "sigmoid": Exact(logistic, lambda a: a * (1 - a), 0.0, 1.0),
    "softsign": Exact(lambda z: z / (1 + abs(z)), lambda a: (1 - abs(a)) ** 2, -1.0, 1.0),
    "leaky_relu": Exact(lambda z: z if z > 0 else z / 100, lambda a: 1 if a > 0 else mpf("0.01"), -math.inf, math.inf),
    "elu": Exact(lambda z: z if z > 0 else mp.expm1(z), lambda a: 1 if a > 0 else a + 1, -1.0, math.inf),
    "selu": Exact(
        lambda z: SCALE * (z if z > 0 else ALPHA * mp.expm1(z)),
        lambda a: SCALE if a > 0 else (a, SCALE * ALPHA),
        float(-SCALE * ALPHA),
        math.inf,
    ),
    "softplus": Exact(lambda z: mp.log1p(mp.exp(z)), lambda a: -mp.expm1(-a), 0.0, math.inf),
    "gelu": Exact(lambda z: z * tail(z), lambda z: (tail(z), z * mp.npdf(z)), 0.0, math.inf, 4.0),
    "silu": Exact(
        lambda z: z * logistic(z), lambda z: (logistic(z), z * logistic(z) * logistic(-z)), 0.0, math.inf, 4.0
    ),
    "mish": Exact(
        lambda z: z * tanh_of_softplus(z),
        lambda z: (tanh_of_softplus(z), z * (1 - tanh_of_softplus(z) ** 2) * logistic(z)),
        0.0,
        math.inf,
        4.0,
    ),
    "sin": Exact(mp.sin, mp.cos, math.nan, math.nan),
}
FLAT = {("sigmoid", "float64"): 708.0, ("sigmoid", "float32"): 87.0}
"""Below minus this number the activation keeps the value that it has there."""


@pytest.fixture(autouse=True)
def sixty_digits() -> Iterator[None]:
    """mpmath's precision is a setting of the process."""
    with mp.workdps(60):
        yield


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
    for row in (a, b, turned):
        row[np.isnan(row)] = np.nan  # whose sign nobody minds
    assert a.tobytes() == b.tobytes()
    assert a[: len(z)].tobytes() == np.roll(turned[: len(z)], -1).tobytes()
    return a[: len(z)]


def slope_of(name: str, z: Array, a: Array) -> Array:
    """sigma' by the kernels of either meaning of the lanes."""
    if name == "linear":
        return np.ones_like(a)
    found = []
    for group in (SAMPLES, NETWORKS):
        ones, dz = padded(np.ones_like(a)), padded(a)
        run(PAIRS[group, code_of(name)].differentiate, padded(z), padded(a), ones, dz, 1, len(dz), len(dz))
        found.append(dz[: len(a)])
    assert found[0].tobytes() == found[1].tobytes()
    return found[0]


def worst(got: Array, exact: Callable[[Any], Any], of: Array) -> float:
    """The largest distance from the exact numbers of `of`, in units in their last place, or in that of their terms."""
    largest = 0.0
    for number, argument in zip(got, of, strict=True):
        terms = exact(mpf(float(argument)))
        terms = terms if isinstance(terms, tuple) else (terms,)
        unit = np.spacing(got.dtype.type(float(max(map(abs, (*terms, sum(terms)))))))
        error = float(abs(mpf(float(number)) - sum(terms)) / mpf(float(unit)))
        largest = max(largest, error if np.isfinite(number) else math.inf)
    return largest


def spread(name: str, dtype: str) -> Array:
    """Numbers of both signs from the smallest there are to almost the largest, dense where activations bend.

    Among them the neighbours of multiples of pi / 2.
    """
    generator, limits = np.random.default_rng(0), np.finfo(dtype)
    magnitudes = np.exp2(np.linspace(np.log2(float(limits.smallest_subnormal)), np.log2(float(limits.max)) - 1, 200))
    turns = generator.integers(1, 4000, 100) * (np.pi / 2)
    uniform = [generator.uniform(0.0, highest, n) for highest, n in ((3.0, 300), (120.0, 150), (800.0, 150))]
    z = np.concatenate([magnitudes, turns, *uniform])
    z = np.concatenate([z, -z, [0.0]]).astype(dtype)
    highest = EXACT_SINE[dtype != "float32"] if name == "sin" else math.inf
    return z[(z >= -FLAT.get((name, dtype), math.inf)) & (np.abs(z) <= highest)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_values_and_slopes_are_exact_to_some_units_in_the_last_place(name: str, dtype: str) -> None:
    """Slopes as functions of what they are given, which may be the rounded activation."""
    z, (value, slope, *_, largest_error) = spread(name, dtype), EXACT[name]
    a = activated(name, z)
    assert worst(a, value, z) <= largest_error
    assert worst(slope_of(name, z, a), slope, z if TABLE[code_of(name)].needs_z else a) <= largest_error


@settings(deadline=None, max_examples=25)
@given(z=st.lists(st.floats(-708, 708), min_size=1, max_size=9))
@pytest.mark.parametrize("name", NAMES)
def test_any_number(name: str, z: list[float]) -> None:
    values = np.array(z)
    assert worst(activated(name, values), EXACT[name].value, values) <= EXACT[name].largest_error


@settings(deadline=None, max_examples=30)
@given(z=st.lists(st.floats(width=32), min_size=1, max_size=40))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_no_number_falls_out_of_its_range_and_nan_stays_nan(name: str, dtype: str, z: list[float]) -> None:
    values = np.array(z, dtype)
    a = activated(name, values)
    np.testing.assert_array_equal(np.isnan(a), np.isnan(values) | (np.isinf(values) & (name == "sin")))
    fine = a[np.argsort(values)]
    fine = fine[~np.isnan(fine)]
    if TABLE[code_of(name)].needs_z:
        assert (np.abs(fine) <= 1).all() if name == "sin" else (fine > -0.32).all()
    else:
        roundings = 1 + 4 * np.finfo(dtype).eps
        assert ((EXACT[name].left * roundings <= fine) & (fine <= EXACT[name].right)).all()
        equal = np.isclose(fine[:-1], fine[1:], rtol=4 * np.finfo(dtype).eps, atol=1e-15)
        assert ((fine[:-1] <= fine[1:]) | equal).all()  # all of them rise


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_infinities_and_the_largest_numbers(name: str, dtype: str) -> None:
    limits, exact = np.finfo(dtype), EXACT[name]
    ends = activated(name, np.array([-np.inf, np.inf], dtype))
    np.testing.assert_allclose(ends, [exact.left, exact.right], rtol=limits.eps, atol=2 * float(limits.tiny))
    far = activated(name, np.array([limits.min, limits.max], dtype) / 2)
    assert np.isfinite(far).all()
    near = np.isfinite(ends)
    assert far[near].tolist() == ends[near].tolist()


@pytest.mark.parametrize("dtype", DTYPES)
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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_nan_stays_nan_and_in_its_place(name: str, dtype: str) -> None:
    z = np.array([np.nan, 1.0, -np.nan, 3e4, -1.0, -3e4, np.nan, 0.5], dtype)
    assert np.isnan(activated(name, z)).tolist() == np.isnan(z).tolist()


@settings(deadline=None, max_examples=40)
@given(z=st.floats(0.0, 50.0))
def test_symmetry(z: float) -> None:
    values = np.array([z, -z])
    tanh, sigmoid = activated("tanh", values), activated("sigmoid", values)
    assert tanh[0] == -tanh[1]
    assert math.isclose(sigmoid.sum(), 1.0, rel_tol=1e-15)


@pytest.mark.parametrize(("dtype", "highest"), [("float64", 1e14), ("float32", 1e6)])
def test_far_out_sin_is_that_of_a_number_next_to_z(dtype: str, highest: float) -> None:
    z = np.random.default_rng(1).uniform(-highest, highest, 1000).astype(dtype)
    exact = np.array([float(mp.sin(mpf(float(value)))) for value in z])
    assert (np.abs(activated("sin", z) - exact) <= np.spacing(np.abs(z))).all()


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
        run(kernel, z, a, da, dz, 2, n, n)
        run(kernel, z, a, da, part, 2, n - ALIGNMENT, n)
        np.testing.assert_allclose(dz, want, rtol=1e-12, atol=0)
        inside = np.arange(z.size) % n < n - ALIGNMENT
        np.testing.assert_array_equal(part, np.where(inside, dz, 1.0))
