"""Jobs and tickets are taken by threads: each exactly once, and nobody goes on before all of them are done."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import pytest

from shoal.kernels.training import team
from shoal.kernels.training.team import FINISHED, STOP, TICKETS
from tests.naive import Array

N_THREADS = 4
LOOPS, STEP = 300, 40
OVER, HELPERS = range(2)
"""What threads of the test tell each other: whether all loops are over, and how many helpers there are."""
INTEGERS = numba.types.CPointer(numba.types.int64)
KERNELS: list[Callable[[], Any]] = []
"""Functions that compile, once."""


def compiled(*arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., int]]:
    """Decorator: a function of pointers and numbers, called with arrays; it does not hold the interpreter lock."""

    def decorate(function: Callable[..., Any]) -> Callable[..., int]:
        @functools.cache
        def kernel() -> Any:
            return numba.cfunc(numba.types.int64(*arguments), nopython=True)(function).ctypes

        KERNELS.append(kernel)

        def call(*args: Any) -> int:
            pairs = zip(args, kernel().argtypes, strict=True)
            return int(kernel()(*(a.ctypes.data_as(kind) if isinstance(a, np.ndarray) else a for a, kind in pairs)))

        return call

    return decorate


@compiled(INTEGERS, numba.types.int64, INTEGERS)
def take_jobs(control: Any, n_jobs: Any, taken: Any) -> Any:
    """Take jobs while there are any, and count how often each of them is taken; returns how many."""
    n = 0
    i = team.next_job(control, n_jobs)
    while i >= 0:
        team.fetch_add(taken, i, 1)
        team.finish_job(control)
        team.give_way()
        n += 1
        i = team.next_job(control, n_jobs)
    return n


@compiled(INTEGERS, INTEGERS, INTEGERS, INTEGERS, numba.types.int64)
def own_loops(tickets: Any, finished: Any, taken: Any, state: Any, n_loops: Any) -> Any:
    """Loops of STEP, 2 STEP, 3 STEP ... tickets; returns how many tickets were not taken once when a loop was done."""
    while team.fetch(state, HELPERS) < N_THREADS - 1:
        team.give_way()
    bad = 0
    for n in range(STEP, (n_loops + 1) * STEP, STEP):
        for k in range(n):
            taken[k] = 0
        team.open_loop(tickets, finished, n)
        k = team.take(tickets)
        while k >= 0:
            team.fetch_add(taken, k, 1)
            team.fetch_add(finished, 0, 1)
            k = team.take(tickets)
        team.wait(finished, n)
        for k in range(n):
            if taken[k] != 1:
                bad += 1
    team.publish(state, OVER, 1)
    return bad


@compiled(INTEGERS, INTEGERS, INTEGERS, INTEGERS)
def help_loops(tickets: Any, finished: Any, taken: Any, state: Any) -> Any:
    """Take tickets until all loops are over; returns how many."""
    team.fetch_add(state, HELPERS, 1)
    n = 0
    while not team.fetch(state, OVER):
        k = team.take(tickets)
        if k < 0:
            team.give_way()
        else:
            team.fetch_add(taken, k, 1)
            team.fetch_add(finished, 0, 1)
            n += 1
    return n


@compiled(INTEGERS, INTEGERS, numba.types.int64)
def open_loop(tickets: Any, finished: Any, n: Any) -> Any:
    team.open_loop(tickets, finished, n)
    return 0


@compiled(INTEGERS)
def take(tickets: Any) -> Any:
    return team.take(tickets)


@compiled(INTEGERS)
def finish(finished: Any) -> Any:
    return team.fetch_add(finished, 0, 1)


@compiled(INTEGERS, numba.types.int64)
def wait(finished: Any, n: Any) -> Any:
    team.wait(finished, n)
    return 0


@pytest.fixture(scope="module", autouse=True)
def _kernels() -> None:
    """Compiled here and not with the module, which every process of the tests imports."""
    for kernel in KERNELS:
        kernel()


def numbers(n: int) -> Array:
    return np.zeros(n, np.int64)


@pytest.mark.parametrize("n_jobs", [0, 1, 3, 1000])
def test_every_job_is_taken_once(n_jobs: int) -> None:
    control, taken = numbers(4), numbers(max(1, n_jobs))
    with ThreadPoolExecutor(N_THREADS) as pool:
        each = list(pool.map(lambda _: take_jobs(control, n_jobs, taken), range(N_THREADS)))
    assert sum(each) == control[FINISHED] == n_jobs
    assert (taken[:n_jobs] == 1).all()


def test_no_job_is_begun_after_the_stop() -> None:
    control, taken = numbers(4), numbers(10)
    control[STOP] = 1
    assert take_jobs(control, 10, taken) == 0
    assert not taken.any()


def test_every_ticket_of_every_loop_is_taken_once() -> None:
    """One thread owns the loops, the others help, and the next loop is begun when this one is done and not before."""
    tickets, finished, taken, state = (numbers(n) for n in (TICKETS, TICKETS, LOOPS * STEP, 2))
    with ThreadPoolExecutor(N_THREADS) as pool:
        helpers = [pool.submit(help_loops, tickets, finished, taken, state) for _ in range(N_THREADS - 1)]
        assert own_loops(tickets, finished, taken, state, LOOPS) == 0
        assert sum(helper.result() for helper in helpers) <= STEP * LOOPS * (LOOPS + 1) // 2
    assert take(tickets) == -1


def test_a_loop_is_done_when_the_thread_that_waits_with_its_ticket_is() -> None:
    tickets, finished, n = numbers(TICKETS), numbers(TICKETS), 5
    open_loop(tickets, finished, n)
    held = take(tickets)
    own = [k for k in iter(lambda: take(tickets), -1) if finish(finished) >= 0]
    assert sorted([held, *own]) == list(range(n))
    with ThreadPoolExecutor(1) as pool:
        owner = pool.submit(wait, finished, n)
        time.sleep(0.05)
        assert not owner.done()
        finish(finished)
        assert owner.result(timeout=10) == 0


def test_a_ticket_seen_in_one_loop_is_not_taken_in_the_next() -> None:
    """Equally many tickets are left of both, and still the number that a slow thread has looked at is another one."""
    tickets, finished = numbers(TICKETS), numbers(TICKETS)
    seen = set()
    for _ in range(3):
        open_loop(tickets, finished, 2)
        seen.add(int(tickets[0]))
        assert [take(tickets) for _ in range(3)] == [1, 0, -1]
    assert len(seen) == 3


@compiled(numba.types.int64, numba.types.int64)
def look(times: Any, idle: Any) -> Any:
    """Find nothing to do `times` times, `idle` looks in a row before each."""
    for _ in range(times):
        team.rest(idle)
    return times


def test_a_thread_with_nothing_to_do_sleeps() -> None:
    look(1, 0)
    before, used = time.perf_counter(), time.thread_time()
    look(200, team.PATIENCE)
    elapsed, used = time.perf_counter() - before, time.thread_time() - used
    assert elapsed >= 200 * 1e-4
    assert used < elapsed / 2
