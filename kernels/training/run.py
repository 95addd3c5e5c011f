"""Running a fleet: which way networks are trained, and the threads."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import numba
import numpy as np

from shoal.kernels.compile.linked import Linked, kernels_of, packed
from shoal.kernels.compile.warmup import load_all
from shoal.kernels.network.activate import activation_kernels
from shoal.kernels.network.cost import COSTS
from shoal.kernels.network.dropout import dropout_kernels
from shoal.kernels.training import work
from shoal.kernels.training.begun import Begun
from shoal.kernels.training.data import Data
from shoal.kernels.training.fleet import Fleet, Job, joined
from shoal.kernels.training.methods import METHODS, WAYS
from shoal.kernels.training.outcomes import Outcomes
from shoal.kernels.training.packing import Group, pack
from shoal.kernels.training.regularise import regularising_kernels
from shoal.kernels.training.team import BEGUN, ENDED, FINISHED, PAUSED, STOP
from shoal.kernels.training.update import update_kernels
from shoal.kernels.training.way import Way

Progress = Callable[[int, int, float], None]
"""Called with the networks trained, those in all, and which part of the work is done, from 0 to 1."""
Note = Callable[[str], None]
log = logging.getLogger(__name__)
PAUSES = 0.02
"""Of the time at most."""


class Pauses(NamedTuple):
    """How many seconds networks are trained between two pauses, at least, and what is then told where each group is."""

    seconds: float
    keep: Callable[[list[Begun]], None]


def run(
    groups: Sequence[Group],
    data: Data,
    progress: Progress | None,
    note: Note | None,
    n_threads: int | None,
    pauses: Pauses | None = None,
) -> list[Outcomes]:
    """Train the networks of each group as its job says, all of them over all threads, in the dtype of the data."""
    threads, dtype = n_threads or numba.config.NUMBA_NUM_THREADS, data.values.dtype
    outcomes: dict[int, Outcomes] = {}
    calls = []
    places_of = {way: places for way in WAYS if (places := _alike(groups, way))}
    load({way: [groups[own[0]][0] for own in places] for way, places in places_of.items()}, dtype, note)
    for way, places in places_of.items():
        together = [(groups[own[0]][0], joined([groups[i][1] for i in own])) for own in places]
        orders = [way.arranged(*group) if way.arranged else None for group in together]
        together = [
            (job, members if order is None else members.taken(order))
            for (job, members), order in zip(together, orders, strict=True)
        ]
        fleet = pack(together, way.stride, way.lanes, dtype, pauses is not None)
        outcomes |= _outcomes(fleet, places, orders, [groups[i][1].n for own in places for i in own])
        control = np.array([0, 0, 0, threads])
        workspaces = [way.workspace(fleet) for _ in range(threads)]
        effort = work.of_fleet(fleet, way.stride)
        n_networks = sum(members.n for _, members in together)
        calls.append(Call(way, n_networks, control, workspaces, fleet, data, effort))
    seconds, keep = pauses or Pauses(math.inf, lambda begun: None)
    n_networks = sum(call.n_networks for call in calls)
    _run_threads(
        calls, threads, n_networks, progress, seconds, lambda: keep([outcomes[i].begun() for i in range(len(groups))])
    )
    return [outcomes[i] for i in range(len(groups))]


def _outcomes(
    fleet: Fleet, places: Sequence[Sequence[int]], orders: Sequence[np.ndarray | None], sizes: Iterable[int]
) -> dict[int, Outcomes]:
    """Where the networks of each group are, by its place; groups that are alike stand one behind the other, or in an
    order of their own."""
    found, first, of = {}, 0, iter(sizes)
    for own, order in zip(places, orders, strict=True):
        at = 0
        for place in own:
            numbers = np.arange(at, at + next(of))
            found[place] = Outcomes(fleet, first, numbers if order is None else np.argsort(order)[numbers])
            at += len(numbers)
        first += -(-at // fleet.stride)
    return found


def load(jobs_of: Mapping[Way, Sequence[Job]], dtype: np.dtype, note: Note | None) -> None:
    """Compile, or load, what these jobs call."""
    cold = [way.name for way in jobs_of if not way.entry.is_ready(dtype)]
    if note and cold:
        note(f"compiling kernels for this machine ({', '.join(cold)}; {dtype}): some seconds, once")
    wanted: dict[tuple[Linked, np.dtype], None] = {}
    for way, jobs in jobs_of.items():
        for kind in dict.fromkeys((dtype, np.dtype(np.float64)) if way.in_double else (dtype,)):
            wanted |= dict.fromkeys((kernel, kind) for kernel in kernels_of(way.lanes))
        ops = np.concatenate([layout.ops for layout in {job.layout for job in jobs}])
        own = [*activation_kernels(way.lanes, ops), *dropout_kernels(way.lanes, ops)]
        own += update_kernels(way.lanes, {job.method for job in jobs})
        own += regularising_kernels(way.lanes, {job.regularised for job in jobs})
        losses = {(way.lanes, job.loss, job.is_weighted): None for job in jobs}
        losses |= {(way.lanes, job.loss, job.is_validation_weighted): None for job in jobs if job.validation_steps}
        own += [COSTS[loss] for loss in losses]
        own += [kernel for kernel in (way.entry, way.help) if kernel]
        wanted |= dict.fromkeys((kernel, dtype) for kernel in own)
    load_all(list(wanted))


def _alike(groups: Sequence[Group], way: Way) -> list[list[int]]:
    """Places of the groups that go one way, those of a job together; the most work first, so that no thread idles at
    the end."""
    alike: dict[Job, list[int]] = {}
    for place, (job, _) in enumerate(groups):
        if METHODS[job.method].way_of(job) is way:
            alike.setdefault(job, []).append(place)
    return [places for _, places in sorted(alike.items(), key=lambda item: _work(item[0]), reverse=True)]


def _work(job: Job) -> float:
    layout, n_records = job.layout, len(job.record_steps)
    steps = job.snapshot_steps[-1]
    validated = len(job.validation_steps) * job.n_validation
    return float(
        work.operations(layout.n_params, layout.n_units, job.batch_size, steps, n_records, job.n_samples, validated)
    )


class Call(NamedTuple):
    """A compiled call to be made on every thread, the arrays it works on, and the work of each job (n_jobs,)."""

    way: Way
    n_networks: int
    control: np.ndarray
    workspaces: list[Any]
    fleet: Fleet
    data: Data
    work: np.ndarray

    def run(self, kernel: Linked, thread: int) -> None:
        """Make the call as thread number `thread`."""
        workspaces = np.concatenate([packed(workspace) for workspace in self.workspaces])
        values = self.data.values
        kernel(values.dtype, thread, self.control, workspaces, packed(self.fleet), packed(self.data), values)

    @property
    def is_done(self) -> bool:
        """Whether no job is left, nor paused."""
        return int(self.control[FINISHED]) == self.fleet.n_jobs

    def go_on(self) -> None:
        """Let jobs be taken from the queue after a pause; those that are done are passed over."""
        if self.way.has_steps:
            self.control[[BEGUN, FINISHED]] = 0
        self.control[STOP] = 0

    @property
    def n_finished(self) -> int:
        """Members that are finished; a job may have fewer than there is room for."""
        return min(self.n_networks, int(self.control[FINISHED]) * self.way.stride)

    @property
    def work_done(self) -> float:
        """Operations done, of running jobs too."""
        n_begun = min(int(self.control[BEGUN]), self.fleet.n_jobs)
        return work.done(self.fleet, self.work, n_begun)


def _run_threads(
    calls: list[Call],
    n_threads: int,
    total: int,
    progress: Progress | None,
    seconds: float,
    keep: Callable[[], None],
) -> None:
    """Make the compiled calls on threads of their own, so that progress and Ctrl-C work while they run.

    After so many seconds they pause, and `keep` is called; then they go on.
    """

    def run_calls(thread: int) -> float:
        for call in calls:
            call.run(call.way.entry, thread)
        out_of_jobs = time.perf_counter()
        for call in calls:
            if call.way.help:
                call.run(call.way.help, thread)
        return out_of_jobs

    start = time.perf_counter()
    due, is_done = start + seconds, False
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            while not is_done:
                threads = [pool.submit(run_calls, thread) for thread in range(n_threads)]
                while not all(thread.done() for thread in threads):
                    wait(threads, timeout=min(0.1, max(1e-3, due - time.perf_counter())))
                    if progress:
                        _tell(progress, calls, total)
                    if time.perf_counter() >= due:
                        _stop(calls, PAUSED)
                end = time.perf_counter()
                left = sum(end - thread.result() for thread in threads)
                is_done = all(call.is_done for call in calls)
                if not is_done:
                    keep()
                    now = time.perf_counter()
                    due = now + max(seconds, (now - due) / PAUSES)
                    for call in calls:
                        call.go_on()
        finally:
            _stop(calls, ENDED)  # after an interrupt; else there is nothing left to stop
    log.debug("share of the threads' time after the last job was begun: %.4f", left / (n_threads * (end - start)))
    if progress:
        progress(total, total, 1.0)


def _stop(calls: list[Call], how: int) -> None:
    for call in calls:
        call.control[STOP] = how


def _tell(progress: Progress, calls: list[Call], total: int) -> None:
    """Say how far the calls are."""
    share = sum(call.work_done for call in calls) / sum(float(call.work.sum()) for call in calls)
    progress(sum(call.n_finished for call in calls), total, min(share, 1.0))
