"""A network's result is the same bit for bit whatever is trained beside it, in any order and on any threads."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.tape import layout_of
from shoal.kernels.training import fleet as jobs
from shoal.kernels.training import plan, run
from shoal.kernels.training.methods import METHODS, WAYS
from shoal.kernels.training.neighbours import arranged
from tests.fleet import (
    DTYPES,
    FEW,
    FLEETS,
    MANY,
    N_SAMPLES,
    NETWORKS,
    WIDE,
    Bits,
    all_bits,
    bits,
    fingerprint,
    rates_of_replicates,
    spec,
    train,
)

Together = dict[tuple[int, str], list[Bits]]
AT_ONCE = {"float64": 1e200, "float32": 1e30}
"""Learning rates at which one step of any optimizer is enough to diverge."""
EVERY_FLEET = pytest.mark.parametrize(("n", "dtype"), [(n, dtype) for n in FLEETS for dtype in DTYPES])


@pytest.fixture(scope="module")
def together() -> Together:
    """Every fleet trained in one call."""
    return all_bits(FLEETS)


def test_the_fleets_are_mixed_ones(together: Together) -> None:
    stops = [result[-1] for result in together[N_SAMPLES, "float64"]]
    assert sum(stop is None for stop in stops) > 100
    assert sum(isinstance(stop, int) and stop > 2 for stop in stops) > 3
    assert all(len(set(results)) == len(results) for results in together.values())


def test_the_fleets_go_every_way() -> None:
    asked = [(n, one, layout_of(one.architecture, 2)) for n, specs in FLEETS.items() for one in specs]
    ways = [
        METHODS[one.optimizer].way_of(jobs.Job(layout, one.optimizer, (), one.batch_size or 0, (), (), n))
        for n, one, layout in asked
    ]
    in_ways = {way.name: {(n, one.batch_size) for (n, one, _), w in zip(asked, ways, strict=True) if w is way}
               for way in WAYS}  # fmt: skip
    assert in_ways["networks in lanes"] == {
        *((FEW, size) for size in (None, 1, 7)),
        *((N_SAMPLES, size) for size in (1, 2, 7, 10, 32)),
        (MANY, 10),
    }
    assert in_ways["samples in lanes"] >= {(N_SAMPLES, None), (N_SAMPLES, 33), (MANY, None), (MANY, 33), (MANY, 700)}
    assert in_ways["ridge readout"]
    for text in (NETWORKS[2], WIDE):  # several chunks of samples, and one
        tiles = [plan.tile_samples(layout_of(Architecture.parse(text), 2), np.dtype(dtype)) for dtype in DTYPES]
        assert min(tiles) >= 128 and max(tiles) < MANY / 2
    assert layout_of(Architecture.parse(WIDE), 2).n_params > 2 * plan.SLICE


@EVERY_FLEET
def test_a_network_alone_is_the_same(n: int, dtype: str, together: Together) -> None:
    assert [bits(train([one], dtype, n)[0]) for one in FLEETS[n]] == together[n, dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_networks_that_share_their_mini_batches_are_the_same_and_come_as_asked_for(dtype: str) -> None:
    specs = rates_of_replicates(NETWORKS[4:], (1, 7), 25)
    together = [bits(one) for one in train(specs, dtype)]
    assert len(set(together)) == len(specs)
    assert together == [bits(train([one], dtype)[0]) for one in specs]


def test_networks_of_one_replicate_stand_side_by_side_where_none_stops_before_the_others() -> None:
    def members(n_rates: int) -> jobs.Members:
        keys = np.tile(np.array([5, 3, 8], np.uint64), n_rates)
        return jobs.Members(np.zeros((len(keys), 1)), *[keys] * 9)

    layout = layout_of(Architecture.parse(NETWORKS[1]), 2)
    job = jobs.Job(layout, "adam", (), 7, (), (25,), N_SAMPLES)
    order = arranged(job, members(9))
    assert order is not None and order.tolist() == [*range(1, 27, 3), *range(0, 27, 3), *range(2, 27, 3)]
    assert arranged(job, members(7)) is None
    for other in ({"batch_size": 0}, {"validation_steps": (5,)}, {"method": "gd"}, {"method": "momentum"}):
        assert arranged(job._replace(**other), members(9)) is None


@pytest.mark.parametrize("n_threads", [2, 7])
def test_any_number_of_threads_finds_the_same(n_threads: int, together: Together) -> None:
    """One and three have a process of their own, below."""
    assert all_bits(FLEETS, n_threads=n_threads) == together


@pytest.mark.parametrize("n_threads", [3, 7])
@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_that_share_one_network_find_the_same(dtype: str, n_threads: int, together: Together) -> None:
    """All of them take chunks of its samples and slices of its updates; some find none."""
    assert [bits(train([one], dtype, MANY, n_threads=n_threads)[0]) for one in FLEETS[MANY]] == together[MANY, dtype]


@settings(deadline=None, max_examples=4)
@given(data=st.data())
@EVERY_FLEET
def test_any_part_of_a_fleet_in_any_order_is_the_same(
    n: int, dtype: str, together: Together, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(FLEETS[n]))))
    part = order[: data.draw(st.integers(1, len(order)))]
    assert [bits(one) for one in train([FLEETS[n][i] for i in part], dtype, n)] == [together[n, dtype][i] for i in part]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", ["gd", "adam"])
@pytest.mark.parametrize("n", FLEETS)
@pytest.mark.parametrize("batch_size", [None, 1, 10])
def test_five_replicates_are_the_first_five_of_eight_and_of_eleven(
    batch_size: int | None, n: int, optimizer: str, dtype: str
) -> None:
    specs = [spec(replicate=replicate, batch_size=batch_size, optimizer=optimizer) for replicate in range(11)]
    five, eight, eleven = ([bits(one) for one in train(specs[:count], dtype, n)] for count in (5, 8, 11))
    assert eight[:5] == five
    assert eleven[:8] == eight
    assert len(set(eleven)) == 11


def test_a_network_asked_for_twice_is_given_twice() -> None:
    first, other, second = train([spec(), spec(replicate=4), spec()])
    assert bits(first) == bits(second) != bits(other)


@settings(deadline=None, max_examples=40)
@given(
    text=st.sampled_from(NETWORKS),
    optimizer=st.sampled_from(["gd", "adam"]),
    rate=st.floats(-3, 6).map(lambda exponent: 10.0**exponent),
    batch_size=st.sampled_from([None, 1, 7, 64, N_SAMPLES]),
    steps=st.lists(st.integers(1, 120), min_size=2, max_size=4, unique=True),
    dtype=st.sampled_from(DTYPES),
)
def test_steps_read_off_a_longer_run_are_those_of_a_run_of_its_own(
    text: str, optimizer: str, rate: float, batch_size: int | None, steps: list[int], dtype: str
) -> None:
    specs = [spec(text, optimizer=optimizer, learning_rate=rate, batch_size=batch_size, steps=last) for last in steps]
    read_off, alone = train(specs, dtype), [train([one], dtype)[0] for one in specs]
    assert [bits(one) for one in read_off] == [bits(one) for one in alone]


def test_as_many_threads_are_used_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    class Spy(ThreadPoolExecutor):
        def __init__(self, n_threads: int) -> None:
            used.append(n_threads)
            super().__init__(n_threads)

    monkeypatch.setattr(run, "ThreadPoolExecutor", Spy)
    for n_threads in (1, 5, None):
        train([spec()], n_threads=n_threads)
    assert used == [1, 5, numba.config.NUMBA_NUM_THREADS]


@pytest.mark.parametrize("n_threads", [1, 3])
def test_another_process_with_any_number_of_threads_finds_the_same(n_threads: int, together: Together) -> None:
    environment = os.environ | {"NUMBA_NUM_THREADS": str(n_threads)}
    script = "from tests.fleet import FLEETS, all_bits, fingerprint; print(fingerprint(all_bits(FLEETS)))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[1],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == fingerprint(together)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", ["gd", "adam"])
@pytest.mark.parametrize(("n", "batch_size"), [(FEW, None), (N_SAMPLES, 1), (N_SAMPLES, 32), (N_SAMPLES, None)])
@pytest.mark.parametrize("rate", [None, 10.0, 1.0])
def test_networks_that_diverge_leave_the_others_alone(
    rate: float | None, n: int, batch_size: int | None, optimizer: str, dtype: str
) -> None:
    """At once (None), or after some steps, which descent alone does."""
    rate = rate or AT_ONCE[dtype]
    keys: dict[str, Any] = {"batch_size": batch_size, "optimizer": optimizer, "steps": 60}
    healthy = [spec(replicate=replicate, **keys) for replicate in range(4)]
    sick = [spec(replicate=replicate, learning_rate=rate, **keys) for replicate in range(4)]
    mixed = train([one for pair in zip(sick, healthy, strict=True) for one in pair], dtype, n)
    assert [bits(one) for one in mixed[1::2]] == [bits(one) for one in train(healthy, dtype, n)]
    assert all(one.diverged_step is None for one in mixed[1::2])
    if optimizer == "gd" or rate == AT_ONCE[dtype]:
        assert any(one.diverged_step is not None for one in mixed[::2])
