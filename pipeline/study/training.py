"""Training the networks of a sweep that the store does not have, chunk by chunk, so that what is done is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shoal.kernels.ensemble import NetworkSpec, Samples, Trained, recorded_steps
from shoal.kernels.network.tape import layout_of
from shoal.kernels.training.run import Note
from shoal.kernels.training.side_by_side import MINIBATCH_TILE, SIDE_BY_SIDE
from shoal.kernels.training.stopping import validation_steps
from shoal.kernels.training.work import operations
from shoal.pipeline import execution
from shoal.pipeline.config import Execution
from shoal.pipeline.execution import Chunk, Task
from shoal.pipeline.progress import Advance
from shoal.pipeline.store.entries import Store
from shoal.pipeline.store.entries.records import Key

SPEED = 1e9
"""Operations a second and thread at least, by a cautious rule of thumb; how many they are is measured."""


@dataclass(frozen=True)
class Training:
    """Results in the order of the specifications, which of them were trained now, and in how many seconds."""

    results: list[Trained]
    trained: list[int]
    seconds: float


def trained(
    specs: Sequence[NetworkSpec],
    ids: Sequence[str],
    data: Samples,
    kept: Store,
    where: Execution,
    advance: Advance,
    note: Note,
    *,
    seed: int,
    dtype: str,
) -> Training:
    """Have every network of `specs`, whose network_ids are `ids`, from the store or trained on `data`.

    A result is bit for bit the same either way, and whichever others are trained with it.
    """
    engines = kept.engines(specs, len(data.x), dtype, note)
    keys = [Key(*key) for key in zip(ids, engines, strict=True)]
    found = kept.get(keys)
    missing = [i for i, key in enumerate(keys) if key not in found]
    n_known, seconds = len(specs) - len(missing), 0.0
    if not missing:
        return Training([found[key] for key in keys], missing, seconds)
    task = Task(data, seed, dtype, {engines[i]: specs[i] for i in missing})
    with execution.started(where, task, note) as engine:
        queue = Queue([specs[i] for i in missing], data, engine.n_threads, engine.seconds)

        def tell(chunk: Chunk, done: int, share: float) -> None:
            advance(n_known + done, len(specs), (queue.done + share * chunk.work) / queue.work)

        start = time.perf_counter()
        for chunk, results, took in engine.train(iter(queue), tell):
            seconds += time.perf_counter() - start
            queue.took(chunk, took)
            new = {keys[missing[i]]: result for i, result in zip(chunk.places, results, strict=True)}
            kept.put(new)
            found |= new
            n_known += len(results)
            advance(n_known, len(specs), queue.done / queue.work)
            start = time.perf_counter()
    return Training([found[key] for key in keys], missing, seconds)


class Queue:
    """Networks in chunks of about so many seconds; those that are trained once for all their steps stay together.

    A chunk has enough networks for all threads, which share the last of those that have samples in their lanes.
    """

    def __init__(self, specs: Sequence[NetworkSpec], data: Samples, n_threads: int, seconds: float) -> None:
        groups: dict[NetworkSpec, list[int]] = {}
        for i, spec in enumerate(specs):
            groups.setdefault(spec.without_steps(), []).append(i)
        longest = [max((specs[i] for i in group), key=lambda spec: spec.steps or 0) for group in groups.values()]
        self._specs, self._groups, self._seconds = specs, list(groups.values()), seconds
        self._work = [_operations(spec, data) for spec in longest]
        self._fewest = [n_threads * _lanes(spec, data) for spec in longest]
        self._least = self._speed = SPEED * n_threads
        self._next = 0
        self.work, self.done = sum(self._work), 0.0

    def __iter__(self) -> Iterator[Chunk]:
        """Every network once; a chunk is made when it is asked for."""
        while self._next < len(self._groups):
            begin, sum_ = self._next, 0.0
            while self._next < len(self._groups):
                work = self._work[self._next]
                if sum_ + work > self._seconds * self._speed and self._next - begin >= self._fewest[self._next]:
                    break
                sum_ += work
                self._next += 1
            places = [i for group in self._groups[begin : self._next] for i in group]
            yield Chunk(places, [self._specs[i] for i in places], sum_)

    def took(self, chunk: Chunk, seconds: float) -> None:
        """Note that a chunk is done, and in how many seconds."""
        self.done += chunk.work
        self._speed = max(self._least, chunk.work / seconds)


def _operations(spec: NetworkSpec, data: Samples) -> float:
    layout, steps, n = layout_of(spec.architecture, data.x.shape[1]), spec.steps or 0, len(data.x)
    n_validated = 0
    if spec.is_validated and data.validation:
        n_validated = len(data.validation.x) * len(validation_steps(steps, spec.batch_size, n, spec.validate_every))
    n_records = len(recorded_steps(steps, spec.batch_size)) if steps else 1
    return float(operations(layout.n_params, layout.n_units, spec.batch_size or 0, steps, n_records, n, n_validated))


def _lanes(spec: NetworkSpec, data: Samples) -> int:
    """Networks that a thread trains at once."""
    return SIDE_BY_SIDE.stride if (spec.batch_size or len(data.x)) <= MINIBATCH_TILE else 1
