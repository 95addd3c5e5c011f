"""Samples that all networks in the lanes have: the first layer reads them as if they had been spread before."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from shoal.kernels.compile.linked import kernels, kernels_of
from shoal.kernels.compile.warmup import load_all
from shoal.kernels.network import group_rows, of_networks, shared_input
from shoal.kernels.network.activate import activation_kernels, with_addresses
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.tape import layout_of
from shoal.kernels.simd.lanes import GROUP, NETWORKS
from tests.fleet import DTYPES
from tests.fleet import NETWORKS as TEXTS

FEATURES, LD, N_MOST = 11, 64, 32
ONCE = (*TEXTS[:4], TEXTS[5], "dense 6 > gelu > dense 3")
OTHERWISE = (TEXTS[4], "(skip & dense 3 > tanh) > dense 2", "tanh > dense 2")


@numba.njit
def spread_tile(x: Any, a: Any, n: Any) -> Any:
    group_rows.spread(x, LD, FEATURES, a, n)
    return group_rows.elements(n, a), group_rows.apart(n, a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("text", ONCE)
def test_all_units_are_those_of_samples_that_were_spread(text: str, dtype: str) -> None:
    layout, kind = layout_of(Architecture.parse(text), FEATURES), np.dtype(dtype)
    assert layout.reads_input_once
    wanted = [*kernels_of(NETWORKS.name), *activation_kernels(NETWORKS.name, layout.ops)]
    load_all([(kernel, kind) for kernel in wanted])
    ops = with_addresses(layout.ops, NETWORKS.name, kind).view(np.int64)
    generator = np.random.default_rng(1)
    params, x = (generator.normal(size=size).astype(dtype) for size in (layout.n_params * GROUP, FEATURES * LD))
    forward, forward_shared = (
        kernels[NETWORKS.name, call.__name__] for call in (of_networks.forward, shared_input.forward_shared)
    )
    for n in range(2, N_MOST + 1):
        want, got = (np.zeros((layout.n_units + 1) * (N_MOST + 2) * GROUP, dtype) for _ in range(2))
        size, ld = spread_tile(x, want, n)
        forward(kind, ops, len(layout.ops), params, want, size, ld)
        forward_shared(kind, ops, len(layout.ops), params, x, LD, got, n)
        units = [tile[: layout.n_units * ld].reshape(-1, ld)[FEATURES:, : n * GROUP] for tile in (got, want)]
        np.testing.assert_array_equal(*units)


@pytest.mark.parametrize("text", OTHERWISE)
def test_what_reads_the_input_otherwise_has_it_spread(text: str) -> None:
    assert not layout_of(Architecture.parse(text), FEATURES).reads_input_once
