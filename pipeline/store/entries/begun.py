"""Networks on their way, whose training takes longer than a kill may cost: a file of each chunk that is trained now.

It is replaced as they go on, and removed when they are done. After a kill the next sweep goes on from it, where the
engine's sources are the same to the byte: those that give the same results may have another state on the way.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from shoal.kernels.training.begun import Begun
from shoal.pipeline.store.entries import probes
from shoal.pipeline.store.entries.records import HEAD, IDS, DamagedError, content, length, record

SUFFIX, NEW = ".begun", ".begun.new"
ALL_STEPS = "all_steps"
ARRAYS = (IDS, ALL_STEPS, *Begun._fields)
SECONDS = 5.0
"""From one time that they are kept to the next, at least."""


Shorter = Callable[[int, tuple[int, ...], np.ndarray], list[tuple[np.ndarray, Begun]]]
"""Called with the place of networks, all steps that they are trained for at once, and the numbers of their replicates
(n,): those that go on from where a shorter run of them ended, apart where they are not at one step."""


class OnTheirWay:
    """Networks that were left on their way, of those that are wanted, and this process' own files."""

    def __init__(
        self,
        folder: Path,
        ids: Sequence[np.ndarray],
        known: Sequence[np.ndarray],
        write: Callable[[Callable[[], None]], None],
    ) -> None:
        """`write` makes calls that write to the folder, as far as it lets them."""
        self._own, self._write = folder / uuid.uuid4().hex, write
        self._source = probes.source()  # of now: it may be edited while networks are trained
        self._files: dict[Path, np.ndarray] = {}
        """Those of other processes: the networks there that are not done yet."""
        self._found: dict[tuple[bytes, tuple[int, ...]], Begun] = {}
        if not (paths := [*folder.glob(f"*{SUFFIX}")]):
            return
        every = np.concatenate([np.zeros(0, "S16"), *ids])
        done = every[np.concatenate([np.zeros(0, bool), *known])]
        for path in paths:
            self._read(path, np.setdiff1d(every, done))
        self._are_done(done)

    def keeper(self, ids: Sequence[np.ndarray], numbers: Sequence[np.ndarray], shorter: Shorter) -> ChunkKeeper:
        """That of networks with these ids, which have these numbers as replicates, (n,) each."""
        return ChunkKeeper(self, ids, numbers, shorter)

    def path(self, ids: Sequence[np.ndarray]) -> Path:
        """The file of a chunk: the next one may have been begun when it is done."""
        return self._own.with_name(f"{self._own.name}-{ids[0][0].hex()}{SUFFIX}")

    def end(self, ids: Sequence[np.ndarray]) -> None:
        """Forget the networks of a chunk: they are done."""
        self._write(lambda: self.path(ids).unlink(missing_ok=True))
        self._are_done(np.concatenate(ids))

    def found(self, ids: np.ndarray, steps: tuple[int, ...]) -> dict[int, Begun]:
        """Those of networks (n,) that were trained for all these steps at once, by their places."""
        if not self._found:
            return {}
        found = {place: self._found.get((name, steps)) for place, name in enumerate(ids.tolist())}
        return {place: begun for place, begun in found.items() if begun}

    def put(
        self, path: Path, ids: Sequence[np.ndarray], steps: Sequence[tuple[int, ...]], begun: Sequence[Begun]
    ) -> None:
        """Keep networks of a chunk instead of those before."""

        def write() -> None:
            new = path.with_suffix(NEW)
            try:
                with new.open("wb") as file:
                    for own, of, networks in zip(ids, steps, begun, strict=True):
                        arrays = {IDS: own, ALL_STEPS: np.array(of, np.int64)} | networks._asdict()
                        file.write(record(self._source, arrays))
                new.replace(path)
            finally:
                new.unlink(missing_ok=True)

        self._write(write)

    def _read(self, path: Path, wanted: np.ndarray) -> None:
        try:
            networks = list(_records(path.read_bytes()))
        except FileNotFoundError:  # another process was quicker to remove it
            return
        except (OSError, DamagedError):
            print(f"{path}: found damaged networks on their way; they begin anew", file=sys.stderr)
            self._write(lambda: path.unlink(missing_ok=True))
            return
        self._files[path] = np.concatenate([np.zeros(0, "S16"), *(one.ids for one in networks)])
        for engine, ids, steps, begun in networks:
            for i in np.flatnonzero(np.isin(ids, wanted)) if engine == self._source else ():
                one, other = begun.taken(slice(i, i + 1)), self._found.get((bytes(ids[i]), steps))
                if other is None or one.steps[0] > other.steps[0]:
                    self._found[bytes(ids[i]), steps] = one

    def _are_done(self, ids: np.ndarray) -> None:
        for path, own in list(self._files.items()):
            self._files[path] = np.setdiff1d(own, ids)
            if not len(self._files[path]):
                del self._files[path]
                self._write(lambda path=path: path.unlink(missing_ok=True))  # type: ignore[misc]


class ChunkKeeper:
    """Keeps the networks that are trained now: a kernels.ensemble.Keeper.

    `first` (n,) each is the step from which they go on: 0, or that at which they were left, or where a shorter run of
    them ended.
    """

    seconds = SECONDS

    def __init__(
        self, kept: OnTheirWay, ids: Sequence[np.ndarray], numbers: Sequence[np.ndarray], shorter: Shorter
    ) -> None:
        self._kept, self._ids, self._numbers, self._shorter = kept, ids, numbers, shorter
        self.first = [np.zeros(len(own), np.int64) for own in ids]

    def begun(
        self, places: tuple[int, ...], steps: tuple[int, ...], numbers: np.ndarray
    ) -> list[tuple[np.ndarray, Begun]]:
        """Those of the replicates that go on, apart where they are not at one step."""
        at_step: dict[int, list[int]] = {}
        found = self._kept.found(self._names(places[-1], numbers), steps)
        for place, begun in found.items():
            at_step.setdefault(int(begun.steps[0]), []).append(place)
        left = [(numbers[own], Begun.joined([found[place] for place in own])) for own in at_step.values()]
        going = left + self._shorter(places[-1], steps, np.delete(numbers, [*found]))
        for own, begun in going:
            for i in places:
                self.first[i][np.isin(self._numbers[i], own)] = begun.steps[0]
        return going

    def keep(self, networks: list[tuple[int, tuple[int, ...], np.ndarray, Begun]]) -> None:
        """Keep these instead of those before."""
        ids = [self._names(i, numbers) for i, _, numbers, _ in networks]
        self._kept.put(
            self._kept.path(self._ids), ids, [steps for _, steps, _, _ in networks], [begun for *_, begun in networks]
        )

    def _names(self, i: int, numbers: np.ndarray) -> np.ndarray:
        order = np.argsort(self._numbers[i])
        names: np.ndarray = self._ids[i][order[np.searchsorted(self._numbers[i], numbers, sorter=order)]]
        return names


class _Record(NamedTuple):
    engine: str
    ids: np.ndarray
    steps: tuple[int, ...]
    begun: Begun


def remove(folder: Path) -> None:
    """Remove what any process left."""
    for path in [*folder.glob(f"*{SUFFIX}"), *folder.glob(f"*{NEW}")]:
        path.unlink(missing_ok=True)


def _records(data: bytes) -> Iterator[_Record]:
    at = 0
    while at < len(data):
        size = length(data[at : at + HEAD.size])
        engine, arrays = content(data[at : at + size], ARRAYS)
        at += size
        yield _Record(engine, arrays.pop(IDS), tuple(arrays.pop(ALL_STEPS).tolist()), Begun(**arrays))
