"""The language of formulas and what is made of it: on vectors in registers the same as on NumPy's arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from shoal.kernels.matrix.tile import Place, Tile
from shoal.kernels.matrix.totals import lane_totals
from shoal.kernels.simd import division, exp, formula
from shoal.kernels.simd.division import LARGEST
from shoal.kernels.simd.instructions import INT64, address, broadcast, llvm_type
from shoal.kernels.simd.integers import Bits
from shoal.kernels.simd.lanes import SAMPLES
from shoal.kernels.simd.vector import fma, keep_first, store, widened, zeros
from shoal.kernels.streams import split_mix
from tests import naive
from tests.naive import Array

N = 64
EDGES = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-30, -1e30]
load, width = SAMPLES.load, SAMPLES.width


def everything(x: Any, y: Any) -> Any:
    """Every word of the language but polynomials, powers and the parts of a number, which exp.py and log.py take."""
    limited = formula.at_most(formula.at_least(x, -2.0), 2.0 * formula.absolute(y))
    root = formula.square_root(formula.absolute(x)) / (1.5 - formula.where_positive(y, -1.0, 1.0))
    return formula.where_negative(x, formula.with_sign(root, y), -limited) + 3.0 - (y - x) * 0.5


def pairs(dtype: str) -> tuple[Array, Array]:
    """Numbers and all pairs of edges among them."""
    x, y = np.random.default_rng(0).normal(size=(2, 3 * N))
    a, b = (values.ravel() for values in np.meshgrid(EDGES, EDGES))
    x[: a.size], y[: b.size] = a, b
    return x.astype(dtype), y.astype(dtype)


lifted = formula.lifted(everything, 2)
exp_of_minus = formula.lifted(exp.exp_of_minus, 1)
quotient = formula.lifted(division.quotient, 2)
choice = formula.choice({3: lambda x: x * x, 5: lambda x: -x})


@numba.njit
def over_pairs(x: Any, y: Any, target: Any) -> None:
    for t in range(0, len(x), width(x)):
        store(target, t, lifted(load(x, t), load(y, t)))


@numba.njit
def divided(x: Any, d: Any, target: Any) -> None:
    for t in range(0, len(x), width(x)):
        store(target, t, quotient(load(x, t), load(d, t)))


@numba.njit
def over(x: Any, y: Any, chosen: Any, first: Any, powers: Any, wide: Any) -> None:
    for t in range(0, len(x), width(x)):
        vector = load(x, t)
        store(y, t, fma(vector, 2.0, zeros(vector) + 1.0) / 4.0 - vector)
        store(chosen, t, choice(3, vector) + choice(5, vector) + choice(4, vector))
        store(first, t, keep_first(vector, 10 - t))
        store(powers, t, exp_of_minus(vector))
        store(wide, t, widened(vector))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_formulas_are_the_same_on_vectors_and_arrays(dtype: str) -> None:
    """But for a rounding, which a fused multiply-add leaves out."""
    x, y = pairs(dtype)
    got = np.empty_like(x)
    over_pairs(x, y, got)
    with np.errstate(all="ignore"):
        want = everything(x, y)
    np.testing.assert_allclose(got, want, rtol=4 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_quotient_has_the_bits_of_a_division_or_in_float32_nearly(dtype: str) -> None:
    generator, most = np.random.default_rng(0), 140.0 if dtype == "float64" else 18.0
    n = 400_000
    x = (generator.normal(size=n) * 10 ** generator.uniform(-most, most, n)).astype(dtype)
    d = (10 ** generator.uniform(-most, most, n)).astype(dtype)
    d[: n // 2] = 1 + generator.integers(0, 2**20, n // 2) * np.finfo(dtype).eps  # where a rounding is decided narrowly
    x[: n // 4] = 1 + generator.integers(-(2**20), 2**20, n // 4) * np.finfo(dtype).eps / 2
    edges = np.array(np.meshgrid([0.0, 1.0, -3.0, np.inf, -np.inf, np.nan], [1e-20, 2.0, np.inf, np.nan]), dtype)
    x[-24:], d[-24:] = edges.reshape(2, 24)
    got = np.empty_like(x)
    divided(x, d, got)
    with np.errstate(all="ignore"):
        want = x / d
    for values in (got, want):
        values[np.isinf(values)] = np.nan  # either is a network that diverged
    far = 4 / LARGEST[dtype == "float64"]  # x / d of an infinite d is 3 / LARGEST at most
    np.testing.assert_allclose(got, want, rtol=np.finfo(dtype).eps if dtype == "float32" else 0, atol=far)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_operations_on_vectors(dtype: str) -> None:
    x = np.random.default_rng(0).uniform(0.0, 80.0, N).astype(dtype)
    y, chosen, first, powers = (np.empty_like(x) for _ in range(4))
    wide, unit = np.empty(N), np.finfo(dtype).eps
    over(x, y, chosen, first, powers, wide)
    np.testing.assert_allclose(y, (2 * x.astype(float) + 1) / 4 - x, rtol=0, atol=80 * unit)
    np.testing.assert_allclose(chosen, x.astype(float) ** 2, rtol=2 * unit, atol=80 * unit)
    assert first[:10].tolist() == x[:10].tolist() and not first[10:].any()
    np.testing.assert_allclose(powers, np.exp(-x.astype(float)), rtol=3 * unit)
    assert wide.tolist() == x.tolist()


@intrinsic
def mixed(typingctx: Any, key: Any, counter: Any) -> Any:
    """split_mix of vectors of which every lane is the same; one of the lanes."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        whole = ir.VectorType(INT64, 4)
        found = split_mix(*(Bits(builder, broadcast(builder, arg, whole)) for arg in args))
        return builder.extract_element(found.value, ir.Constant(ir.IntType(32), 2))

    return types.uint64(types.uint64, types.uint64), codegen


@numba.njit
def mixed_bits(key: Any, counter: Any) -> Any:
    return mixed(key, counter)


def test_formulas_of_bits_are_the_same_on_vectors_and_whole_numbers() -> None:
    for key, counter in ((0, 0), (2**64 - 1, 7), (0x9E3779B97F4A7C15, 2**63)):
        assert mixed_bits(np.uint64(key), np.uint64(counter)) == naive.split_mix_64(key, counter)


# --- register tiles -------------------------------------------------------------------------------------------------


def totals_of(n_vectors: int, lanes: int) -> Callable[..., Any]:
    """A kernel: the sum of the lanes of each of the vectors that stand one behind the other."""

    def sums(typingctx: Any, source: Any, target: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            kind, zero = llvm_type(sig.args[0].dtype, lanes), INT64(0)
            x, result = (address(context, builder, t, value, zero) for t, value in zip(sig.args, args, strict=True))
            tile = Tile(builder, kind, n_vectors, 1)
            found, places = lane_totals(builder, tile.load(Place(x, zero, INT64(lanes), zero)))
            for k, (which, lane) in places.items():
                value = builder.extract_element(found[which], ir.Constant(ir.IntType(32), lane))
                builder.store(value, builder.gep(result, [INT64(k)]))
            return context.get_dummy_value()

        return types.void(source, target), codegen

    total = intrinsic(sums)

    @numba.njit
    def kernel(source: Any, target: Any) -> None:
        total(source, target)

    return kernel  # type: ignore[no-any-return]


@pytest.mark.parametrize("lanes", [4, 16])
@pytest.mark.parametrize("n_vectors", [1, 2, 3, 7, 25])
def test_totals_of_lanes(n_vectors: int, lanes: int) -> None:
    """Whole numbers, whose sums are exact."""
    x = np.random.default_rng(n_vectors).integers(-99, 99, (n_vectors, lanes)).astype(float)
    got = np.empty(n_vectors)
    totals_of(n_vectors, lanes)(x.ravel(), got)
    assert got.tolist() == x.sum(axis=1).tolist()
