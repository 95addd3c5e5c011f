"""The store of trained networks: none is trained twice, and a sweep that was killed has lost the last seconds alone.

A network is kept under its id and the bits of the engine. What is in the store can be had again by training: whatever
is wrong with it is said in a line, and the sweep goes on without.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from shoal.kernels.ensemble import NetworkSpec, Results
from shoal.kernels.training.run import Note
from shoal.pipeline.paths import Paths
from shoal.pipeline.store.entries import begun, probes
from shoal.pipeline.store.entries.begun import OnTheirWay
from shoal.pipeline.store.entries.index import Held, Index
from shoal.pipeline.store.entries.lookup import FoundRows, ordered, places
from shoal.pipeline.store.entries.records import Block, DamagedError, decode, encode
from shoal.pipeline.store.entries.segments import Writer, read

VARIABLE = "SHOAL_STORE"
T = TypeVar("T")
_probed: dict[str, dict[str, str]] = {}
"""What probes gave in this process, by the sources of the engine and by name."""


def folder_of(paths: Paths) -> Path:
    """Where the store of a study is: beside its params.yaml, or where the environment says."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else paths.store


class Store:
    """The networks that are kept in a folder, which begins with the first of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = Index(folder)
        self._writer = Writer(folder)
        self._takes_more = True
        self._is_rebuilt = False

    def engines(self, specs: Sequence[NetworkSpec], n_samples: int, dtype: str, note: Note | None = None) -> list[str]:
        """The bits of the engine as far as each network depends on them, 16 hex digits; what is not known is probed."""
        source, of = probes.source(), [probes.probes_of(spec, n_samples) for spec in specs]
        wanted = {f"{probe.name}, {dtype}": probe for own in set(of) for probe in own}
        kept: dict[str, str] = self._tried(lambda: self.index.digests(source), {})
        known = _probed.setdefault(source, {})
        known |= {name: digest for name, digest in kept.items() if name not in known}
        if unknown := {name: probe for name, probe in wanted.items() if name not in known}:
            digests = probes.digests(list(unknown.values()), dtype, note)
            known |= {name: digests[probe.name] for name, probe in unknown.items()}
        if new := {name: known[name] for name in wanted if name not in kept}:
            self._write(lambda: self.index.add_digests(source, new))
        engines = {own: probes.engine({one.name: known[f"{one.name}, {dtype}"] for one in own}) for own in set(of)}
        return [engines[own] for own in of]

    def held(self) -> list[Held]:
        """What is there by the index alone, sound or not."""
        return self._tried(self.index.blocks, list[Held]())

    def speeds(self, machine: str) -> dict[str, float]:
        """Seconds an operation that were measured on a machine with the engine as it is, by what they are of."""
        kept: dict[str, float] = self._tried(lambda: self.index.speeds(probes.source(), machine), {})
        return kept

    def put_speeds(self, machine: str, seconds: Mapping[str, float]) -> None:
        """Keep what was measured."""
        self._write(lambda: self.index.add_speeds(probes.source(), machine, seconds))

    def get(self, wanted: Sequence[tuple[str, np.ndarray]]) -> list[tuple[np.ndarray, Results | None]]:
        """Of the bits of an engine and ids (n,) each: which of these networks are there and sound, (n,), and their
        results in that order. Others are set aside, which a line says."""
        nothing = list[tuple[Held, list[FoundRows]]]()
        found = self._tried(lambda: places(self.index.blocks({engine for engine, _ in wanted}), wanted), nothing)
        parts: list[list[tuple[np.ndarray, Results]]] = [[] for _ in wanted]
        damaged, n_damaged = [], 0
        for (held, rows), block in zip(found, self._read([held for held, _ in found]), strict=True):
            if block is None:
                damaged.append(held)
                n_damaged += sum(len(own.of_block) for own in rows)
                continue
            for own in rows:
                parts[own.which].append((own.of_wanted, block.results.taken(own.of_block)))
        if damaged:
            n = sum(len(own.of_block) for _, rows in found for own in rows)
            _say(f"{self.folder}: found {n_damaged} damaged of {n} networks; they are trained again")
            self._write(lambda: self.index.replace(damaged, []))
        return [ordered(len(ids), own) for (_, ids), own in zip(wanted, parts, strict=True)]

    def lengths(self) -> list[int]:
        """For how many steps networks have been trained that may be there, the most first."""
        return self._tried(self.index.lengths, list[int]())

    def has(self, wanted: Sequence[tuple[str, np.ndarray]]) -> list[np.ndarray]:
        """Which of what `get` would look for are there by the index alone, masks (n,)."""
        masks = [np.zeros(len(ids), bool) for _, ids in wanted]
        nothing = list[tuple[Held, list[FoundRows]]]()
        for _, rows in self._tried(lambda: places(self.index.blocks(), wanted), nothing):
            for own in rows:
                masks[own.which][own.of_wanted] = True
        return masks

    def put(self, blocks: Sequence[Block]) -> None:
        """Keep networks; where that cannot be done a line says so, once."""

        def write() -> None:
            put = zip(blocks, self._writer.append(map(encode, blocks)), strict=True)
            self.index.add([Held(one.engine, one.ids, at, one.steps) for one, at in put])

        self._write(write)

    def on_their_way(self, ids: Sequence[np.ndarray], known: Sequence[np.ndarray]) -> OnTheirWay:
        """Networks with these ids (n,) each that were left on their way, but for those that are known (masks)."""
        return OnTheirWay(self.folder, ids, known, self._write)

    def blocks(self) -> list[Held]:
        """All that is kept, in the order of training; raises OSError and sqlite3.Error."""
        return self._with_index(self.index.blocks)

    def set_damaged_aside(self) -> tuple[int, int]:
        """Read every network, and forget those that are damaged: how many there were, and how many of them are sound.

        Raises OSError and sqlite3.Error.
        """
        held = self.blocks()
        damaged = [one for one, block in zip(held, self._read(held), strict=True) if block is None]
        if damaged:
            self.index.replace(damaged, [])
        n = sum(len(one.ids) for one in held)
        return n, n - sum(len(one.ids) for one in damaged)

    def prune(self, named: Collection[str]) -> tuple[int, int]:
        """Keep the networks with these ids alone, each as it was trained last, and none on its way: how many there
        were, and are.

        What is kept is one file then. Raises OSError and sqlite3.Error.
        """
        held, before = self.blocks(), self.index.segments()
        ids = np.concatenate([np.zeros(0, "S16"), *(one.ids for one in held)])
        _, behind = np.unique(ids[::-1], return_index=True)
        is_last = np.isin(np.arange(len(ids)), len(ids) - 1 - behind)
        kept = np.split(
            is_last & np.isin(ids, np.array(sorted(named), "S16")), np.cumsum([len(one.ids) for one in held])
        )
        some = [(one, np.flatnonzero(own)) for one, own in zip(held, kept, strict=False) if own.any()]
        moved, writer = list[Held](), Writer(self.folder)
        for (_, rows), block in zip(some, self._read([one for one, _ in some]), strict=True):
            if block is not None:
                own = block.taken(rows)
                [place] = writer.append([encode(own)])
                moved.append(Held(own.engine, own.ids, place))
        self.index.replace(held, moved)
        self.index.forget_other(probes.source())
        begun.remove(self.folder)
        in_use = {one.place.segment for one in self.index.blocks()}  # a sweep may have added to one of those before
        for path in before:
            if path.name not in in_use:
                path.unlink(missing_ok=True)
        return len(ids), sum(len(one.ids) for one in moved)

    def _read(self, held: Sequence[Held]) -> Iterator[Block | None]:
        """Those blocks one after another, None for one that is not sound."""
        for one, record in zip(held, read(self.folder, [one.place for one in held]), strict=True):
            try:
                block = decode(record or b"")
            except DamagedError:
                yield None
                continue
            is_same = block.engine == one.engine and np.array_equal(block.ids, one.ids)
            yield block if is_same else None

    def _write(self, call: Callable[[], None]) -> None:
        def begun() -> None:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self.index.path.exists():  # it is there before any segment: one without is one that was lost
                self.index.add([])
            call()

        if self._takes_more:
            self._tried(begun, None)

    def _tried(self, call: Callable[[], T], otherwise: T) -> T:
        """What a call gives, or the other where the folder or the disk do not let it."""
        try:
            return self._with_index(call)
        except (OSError, sqlite3.Error) as error:
            found = getattr(error, "strerror", None) or str(error)
            if self._takes_more:
                _say(f"{self.folder}: found {found[:1].lower()}{found[1:]}; networks are trained without being kept; "
                     f"{VARIABLE} names another folder")  # fmt: skip
            self._takes_more = False
            return otherwise

    def _with_index(self, call: Callable[[], T]) -> T:
        """The same with an index that is made anew, once, where it is damaged or lost."""
        found = ""
        if not self._is_rebuilt and self.index.segments() and not self.index.path.exists():  # looked for in this order
            found = "no index"
        try:
            if not found:
                return call()
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError or self._is_rebuilt:  # others are about the disk, or a lock
                raise
            found = "a damaged index"
        self._is_rebuilt = True
        _say(f"{self.index.path}: found {found}; it is made anew of the networks beside it")
        self.index.rebuild()
        return call()


def _say(text: str) -> None:
    print(text, file=sys.stderr)
