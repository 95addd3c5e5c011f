"""Running a fleet: which way each network is trained, the threads, and where its results are found."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
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
from shoal.kernels.training.data import Data
from shoal.kernels.training.fleet import Fleet, Job, Member, pack
from shoal.kernels.training.methods import METHODS, WAYS
from shoal.kernels.training.regularise import regularising_kernels
from shoal.kernels.training.team import BEGUN, FINISHED, STOP
from shoal.kernels.training.update import update_kernels
from shoal.kernels.training.way import Way

Progress = Callable[[int, int, float], None]
"""Called with the networks trained, those in all, and which part of the work is done, from 0 to 1."""
Note = Callable[[str], None]
log = logging.getLogger(__name__)


class Outcomes:
    """What came of each network, by its place in the list that `run` was given."""

    def __init__(self, n_networks: int) -> None:
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
        return self._costs(place, "costs", "n_records")

    def validation_curve(self, place: int) -> np.ndarray:
        """Costs (n_validations, n_outputs)."""
        return self._costs(place, "validation_costs", "n_validations")

    def _costs(self, place: int, begin: str, number: str) -> np.ndarray:
        fleet, job, _, lane, stride = self._find(place)
        n_outputs = int(job["n_outputs"])
        size = job[number] * n_outputs * stride
        costs: np.ndarray = fleet.costs[job[begin] : job[begin] + size].reshape(-1, n_outputs, stride)
        return costs[:, :, lane]

    def snapshot(self, place: int, which: int) -> np.ndarray:
        """Parameters (n_params,) at the snapshot step number `which`."""
        fleet, job, _, lane, stride = self._find(place)
        start = job["kept"] + which * job["n_params"] * stride
        return np.ascontiguousarray(fleet.snapshots[start + lane : start + job["n_params"] * stride : stride])

    def stopped(self, place: int) -> int:
        """The step at which the cost was not finite, or -1."""
        fleet, _, number, _, _ = self._find(place)
        return int(fleet.stopped[number])

    def ended(self, place: int) -> int:
        """The step at which the validation cost stopped the network, or -1."""
        fleet, _, number, _, _ = self._find(place)
        return int(fleet.ended[number])


def run(
    jobs: Sequence[Job],
    members: Sequence[Member],
    data: Data,
    progress: Progress | None,
    note: Note | None,
    n_threads: int | None,
) -> Outcomes:
    """Train members[i] as jobs[i] says, all of them over all threads, in the dtype of the data."""
    threads, dtype = n_threads or numba.config.NUMBA_NUM_THREADS, data.values.dtype
    outcomes = Outcomes(len(jobs))
    calls = []
    places_of = {way: places for way in WAYS if (places := _groups(jobs, way))}
    load({way: [jobs[group[0]] for group in places] for way, places in places_of.items()}, dtype, note)
    for way, places in places_of.items():
        together = [(jobs[group[0]], [members[place] for place in group]) for group in places]
        fleet = pack(together, way.stride, way.lanes, dtype)
        outcomes.add(fleet, places, way.stride)
        control = np.array([0, 0, 0, threads])
        workspaces = [way.workspace(fleet) for _ in range(threads)]
        effort = work.of_fleet(fleet, way.stride)
        calls.append(Call(way, sum(map(len, places)), control, workspaces, fleet, data, effort))
    _run_threads(calls, threads, len(jobs), progress)
    return outcomes


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


def _groups(jobs: Sequence[Job], way: Way) -> list[list[int]]:
    """Places of the networks that go one way, as many as fit side by side; the most work first, so that no thread
    idles at the end."""
    alike: dict[Job, list[int]] = {}
    for place, job in enumerate(jobs):
        if METHODS[job.method].way_of(job) is way:
            alike.setdefault(job, []).append(place)
    ordered = sorted(alike.items(), key=lambda item: _work(item[0]), reverse=True)
    return [places[at : at + way.stride] for _, places in ordered for at in range(0, len(places), way.stride)]


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
    def n_finished(self) -> int:
        """Members that are finished; a job may have fewer than there is room for."""
        return min(self.n_networks, int(self.control[FINISHED]) * self.way.stride)

    @property
    def work_done(self) -> float:
        """Operations done, of running jobs too."""
        n_begun = min(int(self.control[BEGUN]), self.fleet.n_jobs)
        return work.done(self.fleet, self.work, n_begun)


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
