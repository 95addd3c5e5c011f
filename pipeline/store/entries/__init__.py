"""The store of trained networks: none is trained twice, and a sweep that was killed has lost the last seconds alone.

A network is kept under its id and the bits of the engine. What is in the store can be had again by training: whatever
is wrong with it is said in a line, and the sweep goes on without.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from shoal.kernels.ensemble import NetworkSpec, Trained
from shoal.kernels.training.run import Note
from shoal.pipeline.paths import Paths
from shoal.pipeline.store.entries import probes
from shoal.pipeline.store.entries.index import Index
from shoal.pipeline.store.entries.records import DamagedError, Key, decode, encode
from shoal.pipeline.store.entries.segments import Place, Writer, read

VARIABLE = "SHOAL_STORE"
BATCH = 256
"""Networks that are in memory at once where all are read."""
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

    def get(self, keys: Sequence[Key]) -> dict[Key, Trained]:
        """Those that are there and sound; others are set aside, which a line says."""
        places: dict[Key, Place] = self._tried(lambda: self.index.places(keys), {})
        found, damaged = self._read(list(places.items()))
        if damaged:
            _say(f"{self.folder}: found {len(damaged)} damaged of {len(places)} networks; they are trained again")
            self._write(lambda: self.index.replace(damaged, []))
        return found

    def put(self, results: Mapping[Key, Trained]) -> None:
        """Keep networks; where that cannot be done a line says so, once."""

        def write() -> None:
            places = self._writer.append(encode(key, trained) for key, trained in results.items())
            self.index.add(zip(results, places, strict=True))

        self._write(write)

    def entries(self) -> list[tuple[Key, Place]]:
        """Every network that is kept, in the order of training; raises OSError and sqlite3.Error."""
        return self._with_index(self.index.all)

    def set_damaged_aside(self) -> tuple[int, int]:
        """Read every network, and forget those that are damaged: how many there were, and how many of them are sound.

        Raises OSError and sqlite3.Error.
        """
        entries = self.entries()
        damaged = []
        for at in range(0, len(entries), BATCH):
            damaged += self._read(entries[at : at + BATCH])[1]
        if damaged:
            self.index.replace(damaged, [])
        return len(entries), len(entries) - len(damaged)

    def prune(self, named: Collection[str]) -> tuple[int, int]:
        """Keep the networks with these ids alone, each as it was trained last: how many there were, and are.

        What is kept is one file then. Raises OSError and sqlite3.Error.
        """
        entries, before = self.entries(), self.index.segments()
        last = {key.network_id: (key, place) for key, place in entries if key.network_id in named}
        kept, moved, writer = list(last.values()), list[tuple[Key, Place]](), Writer(self.folder)
        for at in range(0, len(kept), BATCH):
            found, _ = self._read(kept[at : at + BATCH])
            moved += zip(found, writer.append(encode(*one) for one in found.items()), strict=True)
        self.index.replace(entries, moved)
        self.index.forget_digests(probes.source())
        in_use = {place.segment for _, place in self.index.all()}  # a sweep may have added to one of those before
        for path in before:
            if path.name not in in_use:
                path.unlink(missing_ok=True)
        return len(entries), len(moved)

    def _read(self, entries: list[tuple[Key, Place]]) -> tuple[dict[Key, Trained], list[tuple[Key, Place]]]:
        """Those that are sound, and where those are that are not."""
        ordered = sorted(entries, key=lambda entry: entry[1])
        found, damaged = {}, []
        for entry, record in zip(ordered, read(self.folder, [place for _, place in ordered]), strict=True):
            try:
                key, trained = decode(record or b"")
            except DamagedError:
                key = None
            if key == entry[0]:
                found[key] = trained
            else:
                damaged.append(entry)
        return found, damaged

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
