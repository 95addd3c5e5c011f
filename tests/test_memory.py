"""Memory: the workspace does not grow with the number of networks, and nothing is allocated while they are trained."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np
import pytest
from numba.core.runtime import _nrt_python, rtsys

from shoal.kernels.ensemble import Replicates, Samples, train_replicates
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.tape import layout_of
from shoal.kernels.training import fleet, run
from shoal.kernels.training.methods import METHODS, WAYS
from shoal.kernels.training.packing import pack
from shoal.kernels.training.way import Way
from tests.fleet import DATA, FLEETS, N_SAMPLES, spec, train

LAYOUT = layout_of(Architecture.plain((5,), "tanh", 2), 2)
PER_NETWORK = 2000
"""Bytes for a network beside its parameters and curve, in the fleet and the result: 200 MB for 100,000 of them."""
PER_REPLICATE = 700
"""The same where they differ in their replicate alone, and results are arrays; more than half of it is a job's row."""


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_the_workspace_does_not_grow_with_the_number_of_networks(way: Way, method: str) -> None:
    job = fleet.Job(LAYOUT, method, (), 0, (0, 1), (1,), 20)
    dtype = np.dtype(float)
    run.load({way: [job]}, dtype, None)

    def sizes(n_networks: int) -> list[int]:
        params, numbers = np.zeros((n_networks, LAYOUT.n_params)), np.zeros(n_networks)
        keys = numbers.astype(np.uint64)
        members = fleet.Members(params, keys.view(np.int64), *[numbers] * 6, keys, keys)
        packed = pack([(job, members)], way.stride, way.lanes, dtype)
        return [part.size for part in way.workspace(packed) if isinstance(part, np.ndarray)]

    assert sizes(2000) == sizes(10)


@pytest.fixture
def allocations() -> Iterator[Callable[[], int]]:
    """How many arrays compiled code has allocated so far."""
    _nrt_python.memsys_enable_stats()
    yield lambda: int(rtsys.get_allocation_stats().mi_alloc)
    _nrt_python.memsys_disable_stats()


@numba.njit  # type: ignore[misc,untyped-decorator,unused-ignore]
def allocate() -> Any:
    """What no kernel does."""
    return np.empty(3)


def test_nothing_is_allocated_in_compiled_code(allocations: Callable[[], int]) -> None:
    before = allocations()
    for n, specs in FLEETS.items():
        train(specs, n=n)
    assert allocations() == before
    allocate()
    assert allocations() > before


@pytest.mark.parametrize(("optimizer", "batch_size"), [("gd", None), ("adam", 10)])
def test_a_fleet_needs_little_beside_its_parameters_and_curves(optimizer: str, batch_size: int | None) -> None:
    n_networks = 5000
    specs = [
        spec("dense 5 > tanh > dense 2", replicate, optimizer=optimizer, batch_size=batch_size, steps=10)
        for replicate in range(n_networks)
    ]
    train(specs[:10])
    tracemalloc.start()
    results = train(specs, n_threads=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    own = sum(result.params.nbytes + result.costs.nbytes for result in results)
    assert peak < own + n_networks * PER_NETWORK


def test_replicates_need_less_than_a_kilobyte_beside_their_parameters_and_curves() -> None:
    n, one, (x, y) = 5000, spec("dense 5 > tanh > dense 2", steps=10), DATA[N_SAMPLES]
    wanted = [Replicates(one, np.arange(n))]
    train_replicates([Replicates(one, np.arange(2))], [Samples(x, y)], [0], seed=1)
    tracemalloc.start()
    [results] = train_replicates(wanted, [Samples(x, y)], [0], seed=1, n_threads=2)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    params, costs = results.params.nbytes, results.costs.nbytes
    assert held < params + costs + 200 * n
    assert peak < 3 * params + costs + PER_REPLICATE * n  # as drawn, as trained and as kept
