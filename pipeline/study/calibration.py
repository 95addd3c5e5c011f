"""How fast this machine trains networks of a study's own kinds: a few of them, for milliseconds each, and once.

Seconds are those of the processor in the threads that train, so that what else runs on the machine hardly counts. All
threads are at work, as they are in a sweep: two that share a core, or the memory, are slower than one. Each has
networks of its own: none waits for another.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numba

from shoal.kernels.ensemble import NetworkSpec, Samples, train_on
from shoal.kernels.network.tape import layout_of
from shoal.kernels.training.run import Note
from shoal.pipeline.data import Dataset
from shoal.pipeline.data.dataset import Split
from shoal.pipeline.provenance import machine
from shoal.pipeline.store.entries import Store
from shoal.pipeline.study.training import lanes_of, operations_of

ENOUGH = 0.002
"""Seconds of every thread that tell a speed."""
ROUNDS = 3
"""Of which the shortest counts: on a busy machine, whatever shares a core makes the others slower."""
MOST = 100_000
"""Steps, or networks without steps, that a thread is given for it."""
ROWS = (128, 2048)
"""Of a full batch, the fewest and the most: an operation costs the same whatever their number."""
OPERATIONS = 3e7
"""Of a step on these rows, where they are not the fewest."""
BATCHES = 4
"""Of rows that mini-batches are drawn from, so that passes over all rows have little part in it."""
LEARNING_RATE = 1e-9
"""With which no network diverges."""


def speeds(specs: Sequence[NetworkSpec], dataset: Dataset, dtype: str, kept: Store, note: Note) -> list[float]:
    """Seconds of a thread for an operation (kernels/training/work.py) of each network, from the store where it knows.

    `note` is given a sentence where kernels have to be compiled.
    """
    kinds = [kind_of(spec) for spec in specs]
    sizes = dataset.n_inputs, dataset.n_outputs, len(dataset.train.x), len(dataset.validation.x), dtype
    names = [hashlib.sha256(repr((kind, sizes)).encode()).hexdigest()[:16] for kind in kinds]
    known, here = kept.speeds(machine.name()), dict[str, float]()
    for name, kind in zip(names, kinds, strict=True):
        if name not in known and name not in here:
            here[name] = _measured(kind, _rows(kind, dataset), dtype, note)
    if here:
        kept.put_speeds(machine.name(), here)
    return [(known | here)[name] for name in names]


def kind_of(spec: NetworkSpec) -> NetworkSpec:
    """What networks of one speed have in common, as a specification that can be trained and neither diverges nor
    stops."""
    kind = replace(spec, replicate=0, initialiser="assignment", bias=None, init_hypers=())
    if spec.steps is None:
        return kind
    keep = "best" if spec.is_validated else "last"
    kind = replace(kind, keep=keep, patience=None, min_delta=0.0)
    return replace(kind, learning_rate=LEARNING_RATE, warmup=0, steps=1)


def _rows(kind: NetworkSpec, dataset: Dataset) -> Samples:
    """Rows of the study that are enough to train such networks on for a moment."""
    if kind.batch_size:
        most = max(BATCHES * kind.batch_size, ROWS[0])
    else:
        fewest, most = ROWS
        per_row = 6 * layout_of(kind.architecture, dataset.n_inputs).n_params
        most = max(fewest, min(most, int(OPERATIONS / per_row)))
    share = min(1.0, most / len(dataset.train.x))

    def some(split: Split) -> Samples:
        n = math.ceil(share * len(split.x))
        return Samples(dataset.x_scaling.apply(split.x[:n]), dataset.y_scaling.apply(split.y[:n]))

    return replace(some(dataset.train), validation=some(dataset.validation))


def _measured(kind: NetworkSpec, data: Samples, dtype: str, note: Note) -> float:
    """The seconds of a thread for an operation, where it is given enough of them."""
    threads: int = numba.config.NUMBA_NUM_THREADS
    lanes = lanes_of(kind, data)

    def run(times: int) -> tuple[float, float]:
        n, spec = (lanes * times, kind) if kind.steps is None else (lanes, replace(kind, steps=times))
        specs = [replace(spec, replicate=i) for i in range(n)]

        def in_python(_: int) -> float:
            start = time.thread_time()
            train_on(specs, [data], [0] * n, seed=0, dtype=dtype, n_threads=1)
            return time.thread_time() - start

        with ThreadPoolExecutor(threads) as pool:
            start, own = time.process_time(), time.thread_time()
            python = sum(pool.map(in_python, range(threads))) + time.thread_time() - own
            return (time.process_time() - start - python) / threads, n * operations_of(spec, data)

    train_on([kind], [data], [0], seed=0, dtype=dtype, note=note)  # which compiles kernels, or loads them
    first, work_of_first = min(run(1), run(1))  # memory is new to the threads, which a long run does not notice
    times = 2
    seconds, work = run(times)
    while seconds < first + ENOUGH and times < MOST:
        times = min(MOST, times * max(2, min(20, math.ceil(ENOUGH / max(seconds, ENOUGH / 20)))))
        seconds, work = run(times)
    seconds = min(seconds, *(run(times)[0] for _ in range(ROUNDS - 1)))
    return (seconds - first) / (work - work_of_first) if seconds > first else seconds / work
