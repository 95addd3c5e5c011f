"""Samples into the rows of a tile: copied or gathered, and filled up with the last of them.

Networks side by side have data sets of their own, which begin at different places.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from shoal.kernels.network import group_rows, rows
from shoal.kernels.network.sample_blocks import n_blocked
from shoal.kernels.simd.lanes import GROUP, STRIPE
from tests.naive import Array

UNTOUCHED = -1.0
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])
LD, UNITS = 7 * 64, 3
WIDE = 2 * GROUP + 3
"""Rows of which two blocks stand once more, sample after sample."""
RANDOM = np.random.default_rng(0)


@numba.njit
def copy_columns(source: Any, source_ld: Any, n_rows: Any, target: Any, ld: Any, n: Any) -> None:
    rows.copy_columns(source, source_ld, n_rows, target, ld, n)


@numba.njit
def gather_columns(source: Any, order: Any, n_real: Any, units: Any, target: Any, n: Any) -> None:
    rows.gather_columns(source, LD, order, n_real, units, target, LD, n, np.empty(LD, np.int64))


@numba.njit
def gather(source: Any, begins: Any, order: Any, units: Any, target: Any, n: Any, alike: Any) -> None:
    samples = np.empty(LD, np.int64)
    group_rows.name_samples(order, LD, n, samples, target)
    group_rows.gather(source, begins, LD, samples, units, target, n, np.empty(LD, np.int64), alike)


@numba.njit
def spread(source: Any, source_ld: Any, target: Any, n: Any) -> None:
    group_rows.spread(source, source_ld, UNITS, target, n)


@numba.njit
def are_alike(numbers: Any) -> Any:
    return group_rows.are_alike(numbers)


@numba.njit
def sizes(n: Any, like: Any) -> Any:
    return group_rows.elements(n, like), group_rows.apart(n, like), group_rows.group_width(like), rows.width(like)


def data(dtype: str) -> tuple[Array, Array]:
    """(UNITS, LD) numbers, and where they go."""
    source = RANDOM.normal(size=(UNITS, LD)).astype(dtype)
    return source, np.full((UNITS, 2 * LD), UNTOUCHED, dtype)


def by_row_and_sample(source: Array) -> Array:
    """Rows one behind the other, then those of whole blocks sample after sample."""
    return np.concatenate([source.ravel(), source[: n_blocked(len(source))].T.ravel()])


def filled_up(n: int, to: int) -> Array:
    """0, 1, ..., n - 1, then the last again."""
    return np.minimum(np.arange(to), n - 1)


@DTYPES
def test_columns_are_copied(dtype: str) -> None:
    source, target = data(dtype)
    n = STRIPE * sizes(1, source)[3]
    copy_columns(source.ravel(), LD, UNITS, target.ravel(), 2 * LD, n)
    np.testing.assert_array_equal(target[:, :n], source[:, :n])
    assert (target[:, n:] == UNTOUCHED).all()


@DTYPES
@pytest.mark.parametrize("units", [UNITS, WIDE])
def test_columns_are_gathered_in_any_order_and_filled_up_with_the_last(dtype: str, units: int) -> None:
    for n_real, n in ((1, 8), (1, 12), (2, 8), (15, 16), (16, 16), (17, 20), (63, 64), (64, 64)):
        source, order = RANDOM.normal(size=(units, LD)).astype(dtype), RANDOM.permutation(LD)
        target, size = np.full((units, LD), UNTOUCHED, dtype), -(-n // GROUP) * GROUP
        gather_columns(by_row_and_sample(source), order, n_real, units, target.ravel(), n)
        np.testing.assert_array_equal(target[:, :size], source[:, order[filled_up(n_real, size)]])
        assert (target[:, size:] == UNTOUCHED).all()


@DTYPES
def test_rows_of_networks_are_whole_vectors_an_odd_number_but_not_one_apart(dtype: str) -> None:
    for n in range(1, 33):
        elements, apart, width, _ = sizes(n, np.empty(0, dtype))
        if n == 1:
            assert elements == apart == GROUP
        else:
            assert elements % width == 0 and 0 <= elements - n * GROUP < width
            assert apart % width == 0 and apart // width == max(3, elements // width | 1)


@DTYPES
@pytest.mark.parametrize("units", [UNITS, WIDE])
@pytest.mark.parametrize("alike", [False, True])
def test_every_network_gathers_the_samples_of_its_own_order(dtype: str, units: int, alike: bool) -> None:
    sets, own = RANDOM.normal(size=(3, units, LD)).astype(dtype), np.arange(GROUP) % 3 if not alike else [2] * GROUP
    packed = np.concatenate([by_row_and_sample(one) for one in sets])
    for n in (1, 2, 3, 7, 32):
        target = np.full(units * LD, UNTOUCHED, dtype)
        elements, apart, _, _ = sizes(n, sets)
        orders = np.array([RANDOM.permutation(LD) for _ in range(GROUP)])
        orders = orders[[0] * GROUP] if alike else orders
        gather(packed, np.array(own) * (len(packed) // 3), orders.ravel(), units, target, n, alike)
        tile = target[: units * apart].reshape(units, apart)
        got = tile[:, :elements].reshape(units, -1, GROUP)
        for lane, order in enumerate(orders):
            np.testing.assert_array_equal(got[:, :, lane], sets[own[lane]][:, order[filled_up(n, elements // GROUP)]])
        assert (tile[:, elements:] == UNTOUCHED).all()


@DTYPES
def test_samples_that_all_networks_have_are_spread_over_the_lanes(dtype: str) -> None:
    for n in (1, 2, 3, 7, 32):
        source, target = data(dtype)
        elements, apart, _, _ = sizes(n, source)
        spread(source.ravel(), LD, target.ravel(), n)
        tile = target.ravel()[: UNITS * apart].reshape(UNITS, apart)
        np.testing.assert_array_equal(tile[:, :elements], source[:, : elements // GROUP].repeat(GROUP, axis=1))
        assert (tile[:, elements:] == UNTOUCHED).all()


@pytest.mark.parametrize("lane", [None, *range(GROUP)])
def test_numbers_of_networks_are_alike_where_all_are_one(lane: int | None) -> None:
    numbers = np.full(GROUP, 7)
    if lane is not None:
        numbers[lane] = 8
    assert are_alike(numbers) == (lane is None)
