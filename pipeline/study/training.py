"""Training the networks of a sweep that the store does not have, chunk by chunk, so that what is done is kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numba

from shoal.kernels.ensemble import NetworkSpec, Samples, Trained, recorded_steps, train_on
from shoal.kernels.network.tape import layout_of
from shoal.kernels.training.run import Note
from shoal.kernels.training.side_by_side import MINIBATCH_TILE, SIDE_BY_SIDE
from shoal.kernels.training.stopping import validation_steps
from shoal.kernels.training.work import operations
from shoal.pipeline.progress import Advance
from shoal.pipeline.store.entries import Store
from shoal.pipeline.store.entries.records import Key

SECONDS = 3.0
"""Of work in a chunk: what a kill may cost, unless one network takes longer."""
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
    data: Sequence[Samples],
    of: Sequence[int],
    kept: Store,
    advance: Advance,
    note: Note,
    *,
    seed: int,
    dtype: str,
) -> Training:
    """Have every network specs[i], whose network_id is ids[i], from the store or trained on data[of[i]].

    A result is bit for bit the same either way, and whichever others are trained with it.
    """
    engines = [""] * len(specs)
    for k, samples in enumerate(data):
        own = [i for i in range(len(specs)) if of[i] == k]
        for i, engine in zip(own, kept.engines([specs[i] for i in own], len(samples.x), dtype, note), strict=True):
            engines[i] = engine
    keys = [Key(*key) for key in zip(ids, engines, strict=True)]
    found = kept.get(keys)
    missing = [i for i, key in enumerate(keys) if key not in found]
    queue = Queue([specs[i] for i in missing], [data[of[i]] for i in missing])
    n_known = len(specs) - len(missing)

    def tell(done: int, total: int, share: float) -> None:
        advance(n_known + done, len(specs), (queue.done + share * queue.last) / queue.work)

    while chunk := queue.next():
        start = time.perf_counter()
        own = [missing[i] for i in chunk]
        own_specs, own_of = [specs[i] for i in own], [of[i] for i in own]
        results = train_on(own_specs, data, own_of, seed=seed, dtype=dtype, progress=tell, note=note)
        queue.took(time.perf_counter() - start)
        new = {keys[i]: result for i, result in zip(own, results, strict=True)}
        kept.put(new)
        found |= new
        n_known += len(own)
    return Training([found[key] for key in keys], missing, queue.seconds)


class Queue:
    """Networks in chunks of about SECONDS; those that are trained once for all their steps stay together.

    `data` has the samples of each of `specs`; those that differ in nothing but steps have the same.

    A chunk has enough networks for all threads, which share the last of those that have samples in their lanes.
    """

    def __init__(self, specs: Sequence[NetworkSpec], data: Sequence[Samples]) -> None:
        groups: dict[NetworkSpec, list[int]] = {}
        for i, spec in enumerate(specs):
            groups.setdefault(spec.without_steps(), []).append(i)
        longest = [max(group, key=lambda i: specs[i].steps or 0) for group in groups.values()]
        n_threads = numba.config.NUMBA_NUM_THREADS
        self._groups = list(groups.values())
        self._work = [_operations(specs[i], data[i]) for i in longest]
        self._fewest = [n_threads * _lanes(specs[i], data[i]) for i in longest]
        self._least = self._speed = SPEED * n_threads
        self._next = 0
        self.work, self.done, self.last, self.seconds = sum(self._work), 0.0, 0.0, 0.0

    def next(self) -> list[int]:
        """The places of the networks of the next chunk; none where all have been given."""
        begin, self.last = self._next, 0.0
        for work, fewest in zip(self._work[begin:], self._fewest[begin:], strict=True):
            if self.last + work > SECONDS * self._speed and self._next - begin >= fewest:
                break
            self.last += work
            self._next += 1
        return [i for group in self._groups[begin : self._next] for i in group]

    def took(self, seconds: float) -> None:
        """Note that the last chunk is done, and in how many seconds."""
        self.done += self.last
        self.seconds += seconds
        self._speed = max(self._least, self.last / seconds)


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
