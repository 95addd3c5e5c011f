"""A cluster of this machine's own beside its threads: `python -m bench.execution [NETWORKS]`.

Both train the same networks chunk by chunk, without a store. The share is that of the processor time which the threads
take in what the cluster takes while it trains: with the same number of cores it is the throughput that is left, and
another program on the machine has no part in it. Wall time, which has one, is printed too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import psutil

from shoal.kernels.ensemble import NetworkSpec, Replicates, Samples
from shoal.kernels.network.architecture import Architecture
from shoal.pipeline import execution
from shoal.pipeline.config import Execution
from shoal.pipeline.execution import TrainingTask
from shoal.pipeline.store.entries import probes
from shoal.pipeline.study.training import Queue

SEED = 9001
X = np.linspace(-np.pi, np.pi, 1000)[:, None]
DATA = Samples(X, np.sin(X))
WHERE = {"local": Execution(), "dask": Execution(engine="dask", address="local")}


@dataclass
class Took:
    """Seconds of wall, of all processors, and of workers' training alone; and how many chunks there were."""

    wall: float = 0.0
    cpu: float = 0.0
    training: float = 0.0
    chunks: int = 0


def networks(n: int) -> Replicates:
    """Networks of 1-50-50-1, 500 steps: about a tenth of a second each."""
    network = Architecture.plain((50, 50), "tanh", 1)
    return Replicates(NetworkSpec(network, "assignment", 0, learning_rate=0.02, steps=500), np.arange(n))


@contextmanager
def measured(took: Took) -> Iterator[None]:
    """Add the wall time of the block, and the processor time of this process and those below it."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    yield
    took.wall += time.perf_counter() - wall
    took.cpu += cpu_seconds() - cpu


def cpu_seconds() -> float:
    """Of this process and of all below it that run."""
    own = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (own, *own.children(recursive=True)))


def run(name: str, wanted: Replicates) -> Took:
    """Train the networks; starting a cluster and examining its workers is not part of what is measured."""
    [bits] = probes.engines([(wanted.spec, len(X))], "float64")
    task = TrainingTask([DATA], SEED, "float64", {bits: (wanted.spec, len(X))})
    took = Took()
    with execution.started(WHERE[name], task, print) as engine:
        few = Replicates(wanted.spec, wanted.numbers[: 8 * psutil.cpu_count()])
        for _ in engine.train(iter(Queue([few], [DATA], [0], engine.n_threads, 0.0)), lambda *_: None):
            pass
        queue = Queue([wanted], [DATA], [0], engine.n_threads, engine.seconds)
        with measured(took):
            for done in engine.train(iter(queue), lambda *_: None):
                queue.took(done.chunk, done.seconds)
                took.training += done.seconds
                took.chunks += 1
    return took


def main() -> None:
    """Print what each took, and the share of throughput that the cluster leaves."""
    wanted = networks(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
    times = {name: run(name, wanted) for name in WHERE}
    for name, took in times.items():
        print(f"{name}: {took.cpu:.1f} s of processors, {took.wall:.1f} s of wall, {took.chunks} chunks, "
              f"{1000 * took.cpu / len(wanted.numbers):.2f} ms of processors a network")  # fmt: skip
    print(f"throughput of dask by processor time: {times['local'].cpu / times['dask'].cpu:.0%} of local")


if __name__ == "__main__":
    main()
