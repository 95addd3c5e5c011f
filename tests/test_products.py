"""The matrix products against NumPy: all sizes from 1 to 25 of outputs and inputs, both dtypes, both meanings of lanes.

Sums of k products that are rounded to u have an error of at most k u / (1 - k u) times the sum of the products' sizes,
in whatever order they are added (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1): that, and
a few roundings for what is done at their end, is all that is allowed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, cycle, product
from typing import NamedTuple

import numpy as np
import pytest

from shoal.kernels.compile.host import HOST
from shoal.kernels.compile.linked import Linked, kernels
from shoal.kernels.compile.warmup import load_all
from shoal.kernels.matrix import single_sample
from shoal.kernels.matrix.blocks import FROM_BIAS, FROM_SUM, FROM_ZERO, KEEP
from shoal.kernels.network import of_networks, of_samples
from shoal.kernels.network.activations import SLOPE_ENDS, VALUE_ENDS
from shoal.kernels.network.forward_backward import ENDS
from shoal.kernels.simd.lanes import GROUP, NETWORKS, SAMPLES, STRIPE, Lanes
from shoal.kernels.simd.memory import LINE, filled
from tests.naive import Array

LARGEST = 25
"""From 12 on the largest register tiles, which have 5 rows, cover all that is left; twice that."""
FINER = {"float32": "float64", "float64": "longdouble"}
AT_THE_END = 8
"""Roundings of the bias, of a slope and of its product with the sum, at most."""
UNTOUCHED = 1e30
EVERY_KIND = pytest.mark.parametrize(
    ("lanes", "dtype"), list(product((SAMPLES, NETWORKS), FINER)), ids=lambda kind: getattr(kind, "name", kind)
)


def kernel(lanes: Lanes, name: str, dtype: str) -> Linked:
    """A kernel that callers know by its name, loaded."""
    assert of_samples and of_networks  # which make them
    load_all([(kernels[lanes.name, name], np.dtype(dtype))])
    return kernels[lanes.name, name]


class Shape(NamedTuple):
    """A dense layer for n samples; rows of its activations are `ld` elements apart, the first `used` are worked on."""

    fan_out: int
    fan_in: int
    n: int
    used: int
    ld: int
    group: int


def shapes(lanes: Lanes, dtype: str) -> Iterator[Shape]:
    """Every size, with another number of samples each time, most of which leave part of a vector."""
    width = max(lanes.group, HOST.vector_bytes // np.dtype(dtype).itemsize)
    numbers = count()
    for fan_out, fan_in in product(range(1, LARGEST + 1), repeat=2):
        n = 1 + 7 * next(numbers) % (6 * width // lanes.group + 3)
        used = -(-n * lanes.group // width) * width
        ld = -(-used // (width * STRIPE)) * width * STRIPE + LINE // np.dtype(dtype).itemsize
        yield Shape(fan_out, fan_in, n, used, ld, lanes.group)


class Numbers:
    """Arrays of random numbers, each with what the kernels take beside it."""

    def __init__(self, shape: Shape, dtype: str) -> None:
        self.shape, self.dtype = shape, dtype
        self.random = np.random.default_rng([*shape])

    def weights(self) -> tuple[Array, Array, Array]:
        """The row of parameters, and views of W (fan_out, fan_in, group) and b (fan_out, group)."""
        fan_out, fan_in, group = self.shape.fan_out, self.shape.fan_in, self.shape.group
        row = filled(self.random.normal(size=fan_out * (fan_in + 1) * group), self.dtype)
        end = fan_out * fan_in * group
        return row, row[:end].reshape(fan_out, fan_in, group), row[end:].reshape(fan_out, group)

    def rows(self, units: int, beyond: float) -> tuple[Array, Array]:
        """Rows of a tile, and the view (units, n, group) of what is in use; `beyond` stands behind it."""
        tile = filled(np.full(units * self.shape.ld, beyond), self.dtype)
        own = in_use(tile, self.shape)
        own[:] = self.random.normal(size=own.shape)
        return tile, own


def in_use(tile: Array, shape: Shape) -> Array:
    """The view (units, n, group) of what is in use of a tile."""
    return tile.reshape(-1, shape.ld)[:, : shape.n * shape.group].reshape(-1, shape.n, shape.group)


def check(got: Array, want: Array, sizes: Array, n_terms: int) -> None:
    """Within the bound for sums of `n_terms` products whose sizes add up to `sizes`."""
    k_u = (n_terms + AT_THE_END) * np.finfo(got.dtype).eps / 2
    assert np.all(np.abs(got - want) <= k_u / (1 - k_u) * sizes)


def check_beyond(tile: Array, shape: Shape) -> None:
    """Nothing is written behind the last stripe of a row."""
    assert (tile.reshape(-1, shape.ld)[:, shape.ld - LINE // tile.itemsize :] == UNTOUCHED).all()


def first(sums: Array, beside: Array | None) -> Array:
    """The end that leaves the sums as they are."""
    return sums


def finer(*arrays: Array) -> list[Array]:
    return [array.astype(FINER[array.dtype.name]) for array in arrays]


@EVERY_KIND
def test_forward(lanes: Lanes, dtype: str) -> None:
    """z = W a + b, and sigma(z) where it is taken in the registers; NaN behind the samples stays there."""
    run, ends = kernel(lanes, "product", dtype), [(KEEP, first), *((end, ENDS[end]) for end in VALUE_ENDS)]
    for shape in shapes(lanes, dtype):
        numbers = Numbers(shape, dtype)
        (row, W, b), (a, own) = numbers.weights(), numbers.rows(shape.fan_in, np.nan)
        W_, b_, a_ = finer(W, b, own)
        z = np.einsum("oig,itg->otg", W_, a_) + b_[:, None]
        sizes = np.einsum("oig,itg->otg", abs(W_), abs(a_)) + abs(b_[:, None])
        for end, value in ends:
            got, _ = numbers.rows(shape.fan_out, UNTOUCHED)
            run(
                row.dtype, row, shape.fan_out, shape.fan_in, a, shape.ld, got, got, shape.used, shape.ld, FROM_BIAS, end
            )
            check(in_use(got, shape), value(z, None), sizes, shape.fan_in + 1)  # no value grows faster than z
            check_beyond(got, shape)


@EVERY_KIND
def test_backward(lanes: Lanes, dtype: str) -> None:
    """da = W^T dz, or da += W^T dz, and times sigma'(z) where it is taken in the registers: another one each time."""
    run, ends = kernel(lanes, "product", dtype), [(KEEP, first), *((end, ENDS[end]) for end in SLOPE_ENDS)]
    for shape, (end, through) in zip(shapes(lanes, dtype), cycle(ends), strict=False):
        numbers = Numbers(shape, dtype)
        (row, W, _), (dz, own) = numbers.weights(), numbers.rows(shape.fan_out, np.nan)
        a, activations = numbers.rows(shape.fan_in, 0.5)
        activations[:] = np.tanh(activations)
        W_, dz_, a_ = finer(W, own, activations)
        product_, sizes_ = np.einsum("oig,otg->itg", W_, dz_), np.einsum("oig,otg->itg", abs(W_), abs(dz_))
        for start in (FROM_ZERO, FROM_SUM):
            got, before = numbers.rows(shape.fan_in, UNTOUCHED)
            there = finer(before)[0] * (start == FROM_SUM)
            run(row.dtype, row, shape.fan_out, shape.fan_in, dz, shape.ld, got, a, shape.used, shape.ld, start, end)
            check(in_use(got, shape), through(product_ + there, a_), sizes_ + abs(there), shape.fan_out + 1)
            check_beyond(got, shape)


@EVERY_KIND
def test_weight_gradient(lanes: Lanes, dtype: str) -> None:
    """grads = dz a^T, or += where it says so, then of networks times each one's scale; behind the samples dz is 0, and
    a counts nothing."""
    run = kernel(lanes, "weight_gradient", dtype)
    for shape in shapes(lanes, dtype):
        numbers = Numbers(shape, dtype)
        (dz, own), (a, activations) = numbers.rows(shape.fan_out, 0.0), numbers.rows(shape.fan_in, UNTOUCHED)
        row, grads, b = numbers.weights()
        scale = filled(numbers.random.normal(size=GROUP), dtype)
        scales = finer(scale)[0] if lanes.networks else np.ones(1)
        grads_, dz_, a_ = finer(grads, own, activations)
        behind = b.copy()
        own_, sizes = np.einsum("otg,itg->oig", dz_, a_), np.einsum("otg,itg->oig", abs(dz_), abs(a_))
        for start, there, factors in ((FROM_SUM, grads_, scales), (FROM_ZERO, 0.0 * grads_, np.ones(1))):
            run(row.dtype, dz, shape.fan_out, a, shape.fan_in, shape.used, shape.ld, row, scale, start)
            check(grads, factors * own_ + there, abs(factors) * sizes + abs(there), shape.n + 1)
        np.testing.assert_array_equal(b, behind)


# --- one sample of each of eight networks -----------------------------------------------------------------------------


def single_shapes() -> Iterator[Shape]:
    """Every size, for one sample."""
    assert LARGEST > 2 * single_sample.ROWS
    for fan_out, fan_in in product(range(1, LARGEST + 1), repeat=2):
        yield Shape(fan_out, fan_in, 1, GROUP, GROUP, GROUP)


@pytest.mark.parametrize("dtype", FINER)
def test_forward_of_one_sample(dtype: str) -> None:
    run = kernel(NETWORKS, "one_forward", dtype)
    for shape in single_shapes():
        numbers = Numbers(shape, dtype)
        (row, W, b), (a, own) = numbers.weights(), numbers.rows(shape.fan_in, np.nan)
        W_, b_, a_ = finer(W, b, own)
        z = np.einsum("oig,itg->otg", W_, a_) + b_[:, None]
        sizes = np.einsum("oig,itg->otg", abs(W_), abs(a_)) + abs(b_[:, None])
        for end, value in [(KEEP, lambda z: z), *VALUE_ENDS.items()]:
            got = np.full((shape.fan_out + 1) * GROUP, UNTOUCHED, dtype)
            run(row.dtype, row, shape.fan_out, shape.fan_in, a, got, end)
            check(in_use(got[:-GROUP], shape), value(z), sizes, shape.fan_in + 1)
            assert (got[-GROUP:] == UNTOUCHED).all()


@pytest.mark.parametrize("dtype", FINER)
def test_backward_of_one_sample(dtype: str) -> None:
    """da and, on the same way through W, the gradients of W and b, each network's times its own scale."""
    run = kernel(NETWORKS, "one_backward", dtype)
    for shape, start in product(single_shapes(), (FROM_ZERO, FROM_SUM)):
        numbers = Numbers(shape, dtype)
        (row, W, _), (grads, dW, db) = numbers.weights(), numbers.weights()
        (dz, own), (a, activations) = numbers.rows(shape.fan_out, 0.0), numbers.rows(shape.fan_in, 0.0)
        da, before = numbers.rows(shape.fan_in, 0.0)
        scale = filled(numbers.random.normal(size=GROUP), dtype)
        W_, dW_, db_, dz_, a_, there, factors = finer(W, dW, db, own, activations, before, scale)
        there = there * (start == FROM_SUM)
        run(row.dtype, row, shape.fan_out, shape.fan_in, dz, a, da, start, grads, scale)
        sizes = np.einsum("oig,otg->itg", abs(W_), abs(dz_)) + abs(there)
        check(before, np.einsum("oig,otg->itg", W_, dz_) + there, sizes, shape.fan_out + 1)
        step = factors * np.einsum("otg,itg->oig", dz_, a_)
        check(dW, dW_ + step, abs(dW_) + abs(step), 2)
        check(db, db_ + factors * dz_[:, 0], abs(db_) + abs(factors * dz_[:, 0]), 2)
