"""shoal and its peers side by side: all processes of a workload are started and warm, then run by turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from bench.peers import PEERS, load
from bench.workloads import Workload

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
LONG = 8.0
"""Seconds: a run that takes so long is not repeated."""
PAUSE = 0.3
"""Seconds before a turn: BLAS threads of the peer before go on looking for work for some 50 ms, on the same cores."""
TOO_SLOW = 1.3
"""A configuration that takes so many times as long as the peer's best is not repeated."""
FULL = {"shoal_engine", "jax_scan"}
"""Peers that train all 480 networks of W3; the others train every fifth, and the rate is that of these."""


@dataclass
class Runner:
    """A peer in one configuration, and what was measured of it."""

    peer: str
    title: str
    processes: int
    threads: int
    indices: list[int]
    flops: int
    first: float = 0.0
    seconds: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    @property
    def run(self) -> float:
        """Seconds of a run, the median; where the first one was too slow for another, that one with its compilation."""
        return median(self.seconds) if self.seconds else self.first

    def record(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "peer": self.peer,
            "title": self.title,
            "processes": self.processes,
            "threads": self.threads,
            "networks": len(self.indices),
            "compile": max(0.0, self.first - self.run),
            "run": self.run,
            "runs": max(1, len(self.seconds)),
            "gflops": self.flops / self.run / 1e9,
            "half_mse": float(np.mean(self.costs)),
        }


def networks_of(peer: Any, name: str, workload: Workload) -> list[int]:
    """Which networks a peer trains: all, or fewer where all would take minutes."""
    everything = range(len(workload.specs))
    if peer.SLOW and len(workload.specs) > 1:
        return [i for i in everything if workload.specs[i].replicate == 0]
    if name not in FULL and len(workload.specs) > 100:
        return [i for i in everything if workload.specs[i].replicate % 5 == 0]
    return list(everything)


@contextmanager
def started(runner: Runner, workload: Workload, dtype: str) -> Iterator[list[subprocess.Popen[str]]]:
    """The processes of a peer, which share its networks and the cores; compiled code is not taken from a cache."""
    cores = sorted(os.sched_getaffinity(0))[: runner.processes * runner.threads]
    with tempfile.TemporaryDirectory() as cache, ExitStack() as stack:
        environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(runner.threads))
        environment |= {"NUMBA_CACHE_DIR": cache, "MLFLOW_DISABLE_TELEMETRY": "true"}
        processes = []
        for k in range(runner.processes):
            cpus = cores[k * runner.threads : (k + 1) * runner.threads]
            mine = runner.indices[k :: runner.processes]
            parts = [",".join(map(str, numbers)) for numbers in (cpus, mine)]
            command = [sys.executable, "-m", "bench.worker", runner.peer, workload.name, dtype, str(runner.threads)]
            process = subprocess.Popen(
                [*command, *parts], env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
            processes.append(stack.enter_context(process))
        try:
            yield processes
        finally:
            for process in processes:
                process.kill()


def turn(runner: Runner, processes: list[subprocess.Popen[str]]) -> float:
    """Have it train once; returns the seconds."""
    time.sleep(PAUSE)
    start = time.perf_counter()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = answers_of(runner, processes)
    seconds = time.perf_counter() - start
    costs = np.empty(len(runner.indices))
    for k, answer in enumerate(answers):
        costs[k :: len(processes)] = json.loads(answer)
    runner.costs = costs.tolist()
    return seconds


def answers_of(runner: Runner, processes: list[subprocess.Popen[str]]) -> list[str]:
    """A line from each process."""
    lines = []
    for process in processes:
        assert process.stdout is not None
        lines.append(process.stdout.readline())
    if not all(lines):
        raise RuntimeError(f"{runner.title} ended without an answer")
    return lines


def runners_for(workload: Workload, names: tuple[str, ...], cores: int) -> list[Runner]:
    """Every peer in every configuration that fits the cores and the number of its networks."""
    runners = []
    for name in names:
        peer = load(name)
        if peer is None or not peer.supports(workload):
            continue
        indices = networks_of(peer, name, workload)
        flops = sum(workload.flops(workload.specs[i]) for i in indices)
        for processes, threads in peer.CONFIGURATIONS:
            if processes <= len(indices) and processes * threads <= cores:
                runners.append(Runner(name, peer.TITLE, processes, threads, indices, flops))
    return runners


class Turns(NamedTuple):
    """How many there are at least, and for how many seconds those of short runs go on."""

    least: int
    seconds: float = 0.0


def is_due(runner: Runner, runners: list[Runner], turns: Turns) -> bool:
    """Whether it has another turn."""
    n, best = len(runner.seconds), min(other.run for other in runners if other.peer == runner.peer)
    is_left = n < turns.least or sum(runner.seconds) < turns.seconds
    return runner.run < TOO_SLOW * best and (n == 0 or runner.run < LONG) and is_left


def compare(workload: Workload, dtype: str, turns: Turns, names: tuple[str, ...] = PEERS) -> list[dict[str, Any]]:
    """Measure every peer on a workload; the best configuration of each, shoal first, then the fastest."""
    runners = runners_for(workload, names, len(os.sched_getaffinity(0)))
    with ExitStack() as stack:
        live = [(runner, stack.enter_context(started(runner, workload, dtype))) for runner in runners]
        for runner, processes in live:
            answers_of(runner, processes)  # ready: everything is imported
        for runner, processes in live:
            runner.first = turn(runner, processes)
        while due := [(runner, processes) for runner, processes in live if is_due(runner, runners, turns)]:
            for runner, processes in due:
                runner.seconds.append(turn(runner, processes))
    best_of = {}
    for runner in sorted(runners, key=lambda runner: runner.run / runner.flops, reverse=True):
        best_of[runner.peer] = runner
    ordered = sorted(best_of.values(), key=lambda runner: (runner.peer != PEERS[0], runner.run / runner.flops))
    return [runner.record() | {"off": off(runner, best_of[PEERS[0]])} for runner in ordered]


def off(runner: Runner, reference: Runner) -> float:
    """The largest relative difference of a network's final cost from shoal's."""
    place = {index: k for k, index in enumerate(reference.indices)}
    want = np.array([reference.costs[place[index]] for index in runner.indices])
    return float(np.max(np.abs(np.array(runner.costs) - want) / want))
