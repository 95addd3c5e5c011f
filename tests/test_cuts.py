"""Where work is cut: rows into register tiles, samples into chunks, and how much work a network is."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import pytest

from shoal.kernels import ensemble
from shoal.kernels.matrix import products
from shoal.kernels.network import whole
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.tape import layout_of
from shoal.kernels.training import cuts, plan, work
from tests.problems import Problem, flat


class Job(NamedTuple):
    """What cuts depend on."""

    tile: int
    max_chunks: int


@numba.njit
def cut(n: Any, job: Any, stripe: Any) -> Any:
    parts = cuts.n_chunks(n, job, stripe)
    stripes = (n + stripe - 1) // stripe
    return [cuts.boundary(k, parts, 0, stripes) for k in range(parts + 1)]


@pytest.mark.parametrize("most", [4, 5])
def test_rows_are_cut_into_the_two_largest_tiles_wherever_that_comes_out_even(most: int) -> None:
    piece = products._pieces(most)

    @numba.njit
    def next_rows(left: Any) -> Any:
        return piece(left)

    for n in range(1, 101):
        left, sizes = n, []
        while left:
            sizes.append(next_rows(left))
            left -= sizes[-1]
        assert left == 0 and set(sizes) <= {most, most - 1, 1}
        even = any((n - most * k) % (most - 1) == 0 for k in range(n // most + 1))
        assert (1 in sizes) == (not even)


def test_samples_are_cut_into_one_chunk_or_an_even_number_of_equal_ones() -> None:
    job, stripe = Job(tile=128, max_chunks=8), 32
    for n in range(1, 3000, 7):
        ends = np.array(cut(n, job, stripe))
        sizes = np.diff(ends)
        assert ends[0] == 0 and ends[-1] == -(-n // stripe)
        assert sizes.min() >= 1 and np.ptp(sizes) <= 1
        assert len(sizes) == 1 if n <= job.tile else len(sizes) in (2, 4, 6, 8)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("hidden", "parts"), [((50, 50, 50), 2), ((100, 100), 4), ((256, 256, 256), 4)])
def test_a_large_network_has_chunks_for_more_threads(hidden: tuple[int, ...], parts: int, dtype: str) -> None:
    """Of 1,000 samples: half as many chunks of twice the samples are faster where there is less work in them."""
    layout = layout_of(Architecture.plain(hidden, "relu", 1), 1)
    job = Job(plan.tile_samples(layout, np.dtype(dtype)), plan.max_chunks(layout))
    assert len(cut(1000, job, plan.stripe_samples(np.dtype(dtype)))) - 1 == parts


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_prediction_does_not_depend_on_the_tile_that_its_sample_is_in(dtype: str) -> None:
    problem = Problem(Architecture.parse("dense 7 > tanh > dense 2"), 3 * whole.TILE + 5, 2, 0, 0)
    params = flat(problem.weights).astype(dtype)
    together = ensemble.predict(problem.architecture, params, problem.x)
    for n in (1, whole.TILE - 1, whole.TILE, whole.TILE + 1):
        assert ensemble.predict(problem.architecture, params, problem.x[-n:]).tobytes() == together[-n:].tobytes()


def test_an_epoch_of_mini_batches_is_as_much_work_as_a_step_of_the_full_batch() -> None:
    full = work.operations(100, 10, 0, 7, 7, 1000)
    batches = work.operations(100, 10, 50, 7 * 20, 1, 1000)
    assert full == batches > work.BEGINNING
    both = work.operations(100, 10, np.array([0, 50]), np.array([7, 140]), np.array([7, 1]), 1000)
    assert both.tolist() == [full, batches]
