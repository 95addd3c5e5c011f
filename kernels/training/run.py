"""Running a fleet: which way each network is trained, the threads, and where its results are found."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import numba
import numpy as np

from shoal.kernels.training import one_by_one
from shoal.kernels.training import ridge as readout
from shoal.kernels.training import chunks as samples
from shoal.kernels.training import side_by_side
from shoal.kernels.training import work
from shoal.kernels.training.fleet import RIDGE, Fleet, Job, Network, Shared, pack, stripe_samples
from shoal.kernels.simd.lanes import GROUP, NETWORKS, SAMPLES
from shoal.kernels.compile.linked import Linked, kernels, kernels_of, packed
from shoal.kernels.simd.memory import filled
from shoal.kernels.training.team import BEGUN, FINISHED, STOP
from shoal.kernels.compile.warmup import load_all

Progress = Callable[[int, int, float], None]
"""Called with the networks trained, those in all, and which part of the work is done, from 0 to 1."""
Note = Callable[[str], None]
log = logging.getLogger(__name__)


class Way(NamedTuple):
    """One way to train: what every thread runs, its memory, networks to a job, and the linked kernels it needs."""

    name: str
    entry: Linked
    workspace: Callable[[Fleet, Shared, int], Any]
    stride: int
    lanes: str
    help: Linked | None = None  # what a thread runs when there is no job left to begin


SIDE_BY_SIDE = Way("networks in lanes", side_by_side.train_groups, side_by_side.workspace, GROUP, NETWORKS.name)
ONE_BY_ONE = Way(
    "samples in lanes", one_by_one.train_networks, samples.workspace, 1, SAMPLES.name, one_by_one.help_networks
)
READOUT = Way("ridge readout", readout.fit_readouts, readout.workspace, 1, SAMPLES.name)
WAYS = (SIDE_BY_SIDE, READOUT, ONE_BY_ONE)
"""In the order in which a thread goes through them: the last can use its help when there is nothing left to begin."""


def way_of(job: Job, n_samples: int) -> Way:
    """How a network is trained: a function of its own specification and the data alone, as bits depend on it."""
    if job.method == RIDGE:
        return READOUT
    return SIDE_BY_SIDE if (job.batch_size or n_samples) <= side_by_side.TILE else ONE_BY_ONE


class Outcomes:
    """What came of each network, by its place in the list that `run` was given."""

    def __init__(self, n_networks: int, n_outputs: int) -> None:
        self.n_outputs = n_outputs
        self._fleets: list[Fleet] = []
        self._places = np.empty((n_networks, 2), np.int64)

    def add(self, fleet: Fleet, members: list[list[int]], stride: int) -> None:
        """Say where the networks of a fleet are: `members` are their places, job by job."""
        for i, places in enumerate(members):
            for lane, place in enumerate(places):
                self._places[place] = len(self._fleets), i * stride + lane
        self._fleets.append(fleet)

    def _find(self, place: int) -> tuple[Fleet, Any, int, int, int]:
        which, number = self._places[place]
        fleet = self._fleets[which]
        stride = len(fleet.stopped) // len(fleet.jobs)
        return fleet, fleet.jobs[number // stride], int(number), int(number % stride), stride

    def curve(self, place: int) -> np.ndarray:
        """Costs (n_records, n_outputs)."""
        fleet, job, _, lane, stride = self._find(place)
        size = job["n_records"] * self.n_outputs * stride
        costs: np.ndarray = fleet.costs[job["costs"] : job["costs"] + size].reshape(-1, self.n_outputs, stride)
        return costs[:, :, lane]

    def snapshot(self, place: int, which: int) -> np.ndarray:
        """Parameters (n_params,) at the snapshot step number `which`."""
        fleet, job, _, lane, stride = self._find(place)
        start = job["rows"] + which * job["n_params"] * stride
        return np.ascontiguousarray(fleet.snapshots[start + lane : start + job["n_params"] * stride : stride])

    def stopped(self, place: int) -> int:
        """The step at which the cost was not finite, or -1."""
        fleet, _, number, _, _ = self._find(place)
        return int(fleet.stopped[number])


def shared_data(x: np.ndarray, y: np.ndarray, dtype: np.dtype) -> Shared:
    """x (n, n_features) and y (n, n_outputs) as the kernels take them."""
    stripe = stripe_samples(dtype)
    ld = -(-len(x) // stripe) * stripe
    X, Y = (filled(np.pad(v, ((0, ld - len(v)), (0, 0)), "edge").T, dtype) for v in (x, y))
    return Shared(X, Y, len(x), ld, x.shape[1], y.shape[1])


def run(
    jobs: Sequence[Job],
    networks: Sequence[Network],
    x: np.ndarray,
    y: np.ndarray,
    dtype: np.dtype,
    progress: Progress | None,
    note: Note | None,
    n_threads: int | None,
) -> Outcomes:
    """Train networks[i] as jobs[i] says, all of them over all threads."""
    threads = n_threads or numba.config.NUMBA_NUM_THREADS
    data = shared_data(x, y, dtype)
    outcomes = Outcomes(len(jobs), data.n_outputs)
    calls = []
    members_of = {way: members for way in WAYS if (members := _groups(jobs, way, data.n))}
    _load(list(members_of), dtype, note)
    for way, members in members_of.items():
        together = [(jobs[places[0]], [networks[place] for place in places]) for places in members]
        fleet = pack(together, way.stride, data.n_outputs, dtype)
        outcomes.add(fleet, members, way.stride)
        control, size = np.zeros(3, np.int64), sum(map(len, members))
        effort = work.of_fleet(fleet, way.stride, data.n)
        calls.append(Call(way, size, control, way.workspace(fleet, data, threads), fleet, data, effort))
    _run_threads(calls, threads, len(jobs), progress)
    return outcomes


def _load(ways: list[Way], dtype: np.dtype, note: Note | None) -> None:
    cold = [way.name for way in ways if not way.entry.is_ready(dtype)]
    if note and cold:
        note(f"compiling kernels for this machine ({', '.join(cold)}; {dtype}): some seconds, once")
    wanted: dict[tuple[Linked, np.dtype], None] = {}
    for way in ways:
        dtypes = {dtype, np.dtype(np.float64)} if way is READOUT else {dtype}  # its sums are in float64
        wanted |= {(kernel, kind): None for kernel in kernels_of(way.lanes) for kind in dtypes}
        wanted |= {(kernel, dtype): None for kernel in (way.entry, way.help) if kernel}
    load_all(list(wanted))


def every_kernel() -> Iterator[Linked]:
    """All that can be compiled for training."""
    yield from kernels.values()
    yield from (kernel for way in WAYS for kernel in (way.entry, way.help) if kernel)


def _groups(jobs: Sequence[Job], way: Way, n_samples: int) -> list[list[int]]:
    """Places of the networks that go one way, as many as fit side by side; the most work first, so that no thread
    idles at the end."""
    alike: dict[Job, list[int]] = {}
    for place, job in enumerate(jobs):
        if way_of(job, n_samples) is way:
            alike.setdefault(job, []).append(place)
    ordered = sorted(alike.items(), key=lambda item: _work(item[0], n_samples), reverse=True)
    return [places[at : at + way.stride] for _, places in ordered for at in range(0, len(places), way.stride)]


def _work(job: Job, n_samples: int) -> float:
    layout, n_records = job.layout, len(job.record_steps)
    steps = job.snapshot_steps[-1]
    return float(work.operations(layout.n_params, layout.n_units, job.batch_size, steps, n_records, n_samples))


class Call(NamedTuple):
    """A compiled call to be made on every thread, the arrays it works on, and the work of each job (n_jobs,)."""

    way: Way
    n_networks: int
    control: np.ndarray
    workspace: Any
    fleet: Fleet
    data: Shared
    work: np.ndarray

    def run(self, kernel: Linked, thread: int) -> None:
        """Make the call as thread number `thread`."""
        tables = map(packed, (self.workspace, self.fleet, self.data))
        kernel(self.data.X.dtype, thread, self.control, *tables, self.data.X)

    @property
    def n_finished(self) -> int:
        """Networks that are finished; a job may have fewer than there is room for."""
        return min(self.n_networks, int(self.control[FINISHED]) * self.way.stride)

    @property
    def work_done(self) -> float:
        """Operations done, of running jobs too."""
        n_begun = min(int(self.control[BEGUN]), self.fleet.n_jobs)
        return work.done(self.fleet, self.work, n_begun, self.data.n_outputs)


def _run_threads(calls: list[Call], n_threads: int, total: int, progress: Progress | None) -> None:
    """Make the compiled calls on threads of their own, so that progress and Ctrl-C work while they run."""

    def run_calls(thread: int) -> float:
        for call in calls:
            call.run(call.way.entry, thread)
        out_of_jobs = time.perf_counter()
        for call in calls:
            if call.way.help:
                call.run(call.way.help, thread)
        return out_of_jobs

    start = time.perf_counter()
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            threads = [pool.submit(run_calls, thread) for thread in range(n_threads)]
            while not all(thread.done() for thread in threads):
                wait(threads, timeout=0.1)
                if progress:
                    _tell(progress, calls, total)
        finally:
            for call in calls:
                call.control[STOP] = 1  # after an interrupt; else there is nothing left to stop
    end = time.perf_counter()
    left = sum(end - thread.result() for thread in threads)
    log.debug("share of the threads' time after the last job was begun: %.4f", left / (n_threads * (end - start)))
    if progress:
        progress(total, total, 1.0)


def _tell(progress: Progress, calls: list[Call], total: int) -> None:
    """Say how far the calls are."""
    share = sum(call.work_done for call in calls) / sum(float(call.work.sum()) for call in calls)
    progress(sum(call.n_finished for call in calls), total, min(share, 1.0))
