"""Training the networks of a sweep that the store does not have, chunk by chunk, so that what is done is kept."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from shoal.kernels.ensemble import NetworkSpec, Replicates, Results, Samples, recorded_steps
from shoal.kernels.network.tape import layout_of
from shoal.kernels.results import joined
from shoal.kernels.training.begun import Begun
from shoal.kernels.training.groups import MINIBATCH_TILE
from shoal.kernels.training.run import Note
from shoal.kernels.training.side_by_side import SIDE_BY_SIDE
from shoal.kernels.training.stopping import validation_steps
from shoal.kernels.training.work import operations
from shoal.pipeline import execution
from shoal.pipeline.config import Execution
from shoal.pipeline.execution import Chunk, TrainingTask
from shoal.pipeline.progress import Advance
from shoal.pipeline.store.entries import Store
from shoal.pipeline.store.entries.records import Block
from shoal.pipeline.study.longer import Identify, ShorterRuns
from shoal.pipeline.study.so_far import SoFar

KNOWN = 1.0
"""Seconds that all networks in the store count as, where it is looked at how good they are."""
SPEED = 1e9
"""Operations a second and thread at least, by a cautious rule of thumb; how many they are is measured."""


class Wanted(NamedTuple):
    """Networks to have, in groups that differ in their replicate alone, and their network_ids, (n,) each.

    networks[i] are trained on data[of[i]]; names[k] is what names networks on data[k].
    """

    networks: Sequence[Replicates]
    ids: Sequence[np.ndarray]
    of: Sequence[int]
    data: Sequence[Samples]
    names: Sequence[Identify]


def any_validated(networks: Sequence[Replicates]) -> bool:
    """Whether any of them takes validation costs."""
    return any(spec.is_validated for spec, _ in networks)


class Told(NamedTuple):
    """Who is told what: `begin` of each group the networks that will be trained, before they are; `advance` and `note`
    how far it is; `so_far` (or None) the networks that are there, for what goes with the progress."""

    advance: Advance
    note: Note
    begin: Callable[[Sequence[Replicates]], None]
    so_far: SoFar | None = None


class Finished(NamedTuple):
    """All of a group, by its place: its results, which of them were trained now (mask), and from which step on (n,)."""

    place: int
    results: Results
    is_trained: np.ndarray
    first: np.ndarray


def trained(
    asked: Wanted, kept: Store, where: Execution, told: Told, *, seed: int, dtype: str
) -> Generator[Finished, None, None]:
    """Have all networks that are wanted, from the store or trained, group after group in their order.

    Networks of which the store has a shorter run go on where that ended. A result is bit for bit the same either way,
    and whichever others are trained with it.
    """
    (wanted, ids, of, data, names), (advance, note, begin, so_far) = asked, told
    engines = engines_of([spec for spec, _ in wanted], [len(data[which].x) for which in of], kept, dtype, note)
    known = kept.get(list(zip(engines, ids, strict=True)))
    missing = [np.flatnonzero(~is_known) for is_known, _ in known]
    n_done = sum(map(len, ids)) - sum(map(len, missing))
    left = [Replicates(spec, numbers[own]) for (spec, numbers), own in zip(wanted, missing, strict=True)]
    begin(left)
    if so_far:
        there = zip(of, wanted, known, strict=True)
        so_far.add([(which, spec, own) for which, (spec, _), (_, own) in there if own is not None], KNOWN)
    gathered, is_known = _Gathered(known), [mask for mask, _ in known]
    del known  # what has been given away goes
    yield from gathered.whole()
    if gathered.is_empty:
        return
    bits = {engines[i]: (spec, len(data[of[i]].x)) for i, (spec, numbers) in enumerate(left) if len(numbers)}
    n = sum(map(len, ids))
    with execution.started(where, TrainingTask(data, seed, dtype, bits), note) as engine:
        queue = Queue(left, data, of, engine.n_threads, engine.seconds)
        on_their_way = kept.on_their_way(ids, is_known)
        shorter = ShorterRuns(kept, left, [names[which] for which in of], engines)

        def with_keeper(chunk: Chunk) -> Chunk:
            own = [ids[i][missing[i][places]] for i, places in chunk.places]
            numbers = [own for _, own in chunk.networks]
            return chunk._replace(keeper=on_their_way.keeper(own, numbers, partial(_begun, shorter, chunk)))

        def tell(chunk: Chunk, done: int, share: float) -> None:
            advance(n_done + done, n, (queue.done + share * chunk.work) / queue.work, str(so_far or ""))

        for chunk, results, took in engine.train(map(with_keeper, queue), tell):
            queue.took(chunk, took)
            n_done += sum(len(found) for found in results)
            blocks = []
            for k, ((i, places), found) in enumerate(zip(chunk.places, results, strict=True)):
                gathered.add(i, missing[i][places], found, chunk.keeper.first[k] if chunk.keeper else 0)
                blocks.append(Block(engines[i], ids[i][missing[i][places]], found))
            kept.put(blocks)
            on_their_way.end([block.ids for block in blocks])
            if so_far:
                now = zip(chunk.of, chunk.networks, results, strict=True)
                so_far.add([(which, spec, found) for which, (spec, _), found in now], took)
            advance(n_done, n, queue.done / queue.work, str(so_far or ""))
            yield from gathered.whole()


def _begun(
    shorter: ShorterRuns, chunk: Chunk, k: int, steps: tuple[int, ...], numbers: np.ndarray
) -> list[tuple[np.ndarray, Begun]]:
    return shorter.begun(chunk.places[k][0], steps, numbers)


class _Gathered:
    """Results by their places in groups of networks; each group is given away, in order, when it has all of its own.

    `known` has which networks of each are there (masks), and their results.
    """

    def __init__(self, known: Sequence[tuple[np.ndarray, Results | None]]) -> None:
        self._is_trained = [~is_known for is_known, _ in known]
        self._first = [np.zeros(len(mask), np.int64) for mask in self._is_trained]
        self._n_missing = [int(mask.sum()) for mask in self._is_trained]
        self._parts = [[(np.flatnonzero(mask), own)] if own is not None else [] for mask, own in known]
        self._next = 0

    @property
    def is_empty(self) -> bool:
        """Whether all have been given away."""
        return self._next == len(self._parts)

    def add(self, i: int, places: np.ndarray, results: Results, first: np.ndarray | int) -> None:
        """Networks of group i that have been trained, from a step on."""
        self._parts[i].append((places, results))
        self._first[i][places] = first
        self._n_missing[i] -= len(places)

    def whole(self) -> Iterator[Finished]:
        """Those that have all of their own, and whose turn it is."""
        while not self.is_empty and not self._n_missing[self._next]:
            i, self._next = self._next, self._next + 1
            parts, self._parts[i] = self._parts[i], []
            yield Finished(i, _in_order(parts), self._is_trained[i], self._first[i])


def engines_of(specs: Sequence[NetworkSpec], sizes: Sequence[int], kept: Store, dtype: str, note: Note) -> list[str]:
    """What `Store.engines` says of networks that are trained on so many samples each."""
    engines = [""] * len(specs)
    for n_samples in dict.fromkeys(sizes):
        own = [i for i, size in enumerate(sizes) if size == n_samples]
        for i, engine in zip(own, kept.engines([specs[i] for i in own], n_samples, dtype, note), strict=True):
            engines[i] = engine
    return engines


def _in_order(parts: Sequence[tuple[np.ndarray, Results]]) -> Results:
    """The results of all parts in the order of their places."""
    places, results = np.concatenate([own for own, _ in parts]), joined([own for _, own in parts])
    return results if (np.diff(places) > 0).all() else results.taken(np.argsort(places))


class Queue:
    """Networks in chunks of about so many seconds; those that are trained once for all their steps stay together.

    wanted[i] are trained on data[of[i]]; those on other data are of another kind.

    A chunk has enough networks for all threads, which share the last of those that have samples in their lanes.
    """

    def __init__(
        self, wanted: Sequence[Replicates], data: Sequence[Samples], of: Sequence[int], n_threads: int, seconds: float
    ) -> None:
        families: dict[tuple[NetworkSpec, int], list[int]] = {}
        for i, (spec, numbers) in enumerate(wanted):
            if len(numbers):
                families.setdefault((replace(spec.without_steps(), replicate=0), of[i]), []).append(i)
        self._wanted, self._of, self._families, self._seconds = wanted, of, list(families.values()), seconds
        self._numbers = [np.unique(np.concatenate([wanted[i].numbers for i in own])) for own in self._families]
        longest = [max(own, key=lambda i: wanted[i].spec.steps or 0) for own in self._families]
        self._work = [operations_of(wanted[i].spec, data[of[i]]) for i in longest]
        self._fewest = [n_threads * lanes_of(wanted[i].spec, data[of[i]]) for i in longest]
        self._least = self._speed = SPEED * n_threads
        self._family, self._at = 0, 0
        self.work = sum(len(own) * work for own, work in zip(self._numbers, self._work, strict=True))
        self.done = 0.0

    def __iter__(self) -> Iterator[Chunk]:
        """Every network once; a chunk is made when it is asked for."""
        while self._family < len(self._families):
            yield self._next()

    def _next(self) -> Chunk:
        chunk: list[tuple[int, np.ndarray]] = []
        n_given, given = 0, 0.0
        while self._family < len(self._families):
            numbers, work = self._numbers[self._family][self._at :], self._work[self._family]
            room = max(int((self._seconds * self._speed - given) / work), self._fewest[self._family] - n_given)
            if room <= 0:
                break
            own = numbers[:room]
            for i in self._families[self._family]:
                places = np.flatnonzero(np.isin(self._wanted[i].numbers, own))
                if len(places):
                    chunk.append((i, places))
            n_given, given, self._at = n_given + len(own), given + len(own) * work, self._at + len(own)
            if len(own) < len(numbers):
                break
            self._family, self._at = self._family + 1, 0
        networks = [Replicates(self._wanted[i].spec, self._wanted[i].numbers[places]) for i, places in chunk]
        return Chunk(chunk, networks, [self._of[i] for i, _ in chunk], given)

    def took(self, chunk: Chunk, seconds: float) -> None:
        """Note that a chunk is done, and in how many seconds."""
        self.done += chunk.work
        self._speed = max(self._least, chunk.work / seconds)


def operations_of(spec: NetworkSpec, data: Samples) -> float:
    """What training a network on samples of such sizes counts (kernels/training/work.py)."""
    layout, steps, n = layout_of(spec.architecture, data.x.shape[1]), spec.steps or 0, len(data.x)
    n_validated = 0
    if spec.is_validated and data.validation:
        n_validated = len(data.validation.x) * len(validation_steps(steps, spec.batch_size, n, spec.validate_every))
    n_records = len(recorded_steps(steps, spec.batch_size)) if steps else 1
    return float(operations(layout.n_params, layout.n_units, spec.batch_size or 0, steps, n_records, n, n_validated))


def lanes_of(spec: NetworkSpec, data: Samples) -> int:
    """Networks that a thread trains at once."""
    return SIDE_BY_SIDE.stride if (spec.batch_size or len(data.x)) <= MINIBATCH_TILE else 1
