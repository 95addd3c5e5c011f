"""A network's result is the same bit for bit whatever is trained beside it, in any order and on any threads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import training
from tests.fleet import DTYPES, FLEET, N_SAMPLES, NETWORKS, Bits, bits, fingerprint, spec, train

Together = dict[str, list[Bits]]


@pytest.fixture(scope="module")
def together() -> Together:
    """The fleet trained in one call."""
    return {dtype: [bits(run) for run in train(FLEET, dtype)] for dtype in DTYPES}


def test_the_fleet_is_a_mixed_one(together: Together) -> None:
    stops = [run[-1] for run in together["float64"]]
    assert sum(stop is None for stop in stops) > 10
    assert sum(isinstance(stop, int) and stop > 2 for stop in stops) > 3
    assert len(set(together["float64"])) == len(FLEET)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_network_alone_is_the_same(dtype: str, together: Together) -> None:
    assert [bits(train([one], dtype)[0]) for one in FLEET] == together[dtype]


@settings(deadline=None, max_examples=10)
@given(order=st.permutations(range(len(FLEET))), size=st.integers(1, len(FLEET)))
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_part_of_the_fleet_in_any_order_is_the_same(
    dtype: str, together: Together, order: list[int], size: int
) -> None:
    part = order[:size]
    assert [bits(run) for run in train([FLEET[i] for i in part], dtype)] == [together[dtype][i] for i in part]


@pytest.mark.parametrize("batch_size", [None, 10])
def test_five_replicates_are_the_first_five_of_eight(batch_size: int | None) -> None:
    specs = [spec(replicate=replicate, batch_size=batch_size) for replicate in range(8)]
    five, eight = train(specs[:5]), train(specs)
    assert [bits(run) for run in five] == [bits(run) for run in eight[:5]]
    assert len({bits(run) for run in eight}) == 8


def test_a_network_asked_for_twice_is_given_twice() -> None:
    first, other, second = train([spec(), spec(replicate=4), spec()])
    assert bits(first) == bits(second) != bits(other)


@settings(deadline=None, max_examples=40)
@given(
    text=st.sampled_from(NETWORKS),
    rate=st.floats(-3, 6).map(lambda exponent: 10.0**exponent),
    batch_size=st.sampled_from([None, 1, 7, 64, N_SAMPLES]),
    steps=st.lists(st.integers(1, 120), min_size=2, max_size=4, unique=True),
    dtype=st.sampled_from(DTYPES),
)
def test_steps_read_off_a_longer_run_are_those_of_a_run_of_its_own(
    text: str, rate: float, batch_size: int | None, steps: list[int], dtype: str
) -> None:
    specs = [spec(text, learning_rate=rate, batch_size=batch_size, steps=last) for last in steps]
    read_off, alone = train(specs, dtype), [train([one], dtype)[0] for one in specs]
    assert [bits(run) for run in read_off] == [bits(run) for run in alone]


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """`numba.set_num_threads`, undone after the test."""
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


def test_the_callers_number_of_threads_is_used(
    threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, together: Together
) -> None:
    used, compiled = [], training.train_many

    def spy(n_threads: int, *arguments: Any) -> None:
        used.append(n_threads)
        compiled(n_threads, *arguments)

    monkeypatch.setattr(training, "train_many", spy)
    counts = [1, numba.config.NUMBA_NUM_THREADS]
    for count in counts:
        threads(count)
        assert [bits(run) for run in train(FLEET)] == together["float64"]
    assert used == counts


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_another_process_with_any_number_of_threads_finds_the_same(n_threads: int) -> None:
    environment = os.environ | {"NUMBA_NUM_THREADS": str(n_threads)}
    command = [sys.executable, "-c", "from tests.fleet import fingerprint; print(fingerprint())"]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == fingerprint()


def test_networks_that_diverge_leave_the_others_alone() -> None:
    healthy = [spec(replicate=replicate) for replicate in range(4)]
    sick = [spec(replicate=replicate, learning_rate=1e200) for replicate in range(4)]
    mixed = train([one for pair in zip(healthy, sick, strict=True) for one in pair])
    assert [bits(run) for run in mixed[::2]] == [bits(run) for run in train(healthy)]
    assert all(run.diverged_step is not None for run in mixed[1::2])
