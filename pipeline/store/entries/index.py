"""The index of a store: which record is where, what probes gave, and speeds: one SQLite file that can be made again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from shoal.pipeline.store.entries.segments import SUFFIX, Location, scan

NAME = "index.db"
WAIT = 30.0
"""Seconds that a process waits while another one writes, which takes milliseconds."""
VERSION = 3
TABLES = f"""
    BEGIN IMMEDIATE;
    DROP TABLE IF EXISTS entries;
    CREATE TABLE IF NOT EXISTS blocks (
        number INTEGER PRIMARY KEY, engine TEXT NOT NULL, ids BLOB NOT NULL,
        segment TEXT NOT NULL, offset INTEGER NOT NULL, size INTEGER NOT NULL, UNIQUE (segment, offset)
    );
    CREATE TABLE IF NOT EXISTS lengths (steps INTEGER PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS probes (
        source TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (source, name)
    );
    CREATE TABLE IF NOT EXISTS speeds (
        source TEXT NOT NULL, machine TEXT NOT NULL, name TEXT NOT NULL, seconds REAL NOT NULL,
        PRIMARY KEY (source, machine, name)
    );
    PRAGMA user_version = {VERSION};
    COMMIT;
"""


class Held(NamedTuple):
    """A block that is kept: what it is kept under (records.Block), and where; how many steps its networks were trained
    for goes into a list for all blocks, and is None of a block that was found there."""

    engine: str
    ids: np.ndarray
    place: Location
    steps: int | None = None


class Index:
    """The tables, in a file that is opened for each call: no connection outlives one, or is left behind by a kill.

    Raises sqlite3.Error and OSError.
    """

    def __init__(self, folder: Path, name: str = NAME) -> None:
        self.folder = folder
        self.path = folder / name

    def blocks(self, engines: Collection[str] | None = None) -> list[Held]:
        """Every block of these bits of the engine, or of all, in the order in which they were written."""
        if not self.path.exists():
            return []
        with closing(self._open()) as db:
            rows = db.execute("SELECT engine, ids, segment, offset, size FROM blocks ORDER BY number")
            return [
                Held(engine, np.frombuffer(ids, "S16"), Location(*place))
                for engine, ids, *place in rows
                if engines is None or engine in engines
            ]

    def add(self, blocks: Iterable[Held]) -> None:
        """Add blocks; of two networks under one key the later one counts."""
        self.replace([], blocks)

    def replace(self, old: Iterable[Held], new: Iterable[Held]) -> None:
        """Remove blocks, and add others, at once."""
        new = list(new)
        add = "INSERT OR REPLACE INTO blocks (engine, ids, segment, offset, size) VALUES (?, ?, ?, ?, ?)"
        with closing(self._open()) as db, db:
            places = [(held.place.segment, held.place.offset) for held in old]
            db.executemany("DELETE FROM blocks WHERE segment = ? AND offset = ?", places)
            db.executemany(add, [(held.engine, held.ids.tobytes(), *held.place) for held in new])
            lengths = {held.steps for held in new if held.steps}
            db.executemany("INSERT OR IGNORE INTO lengths VALUES (?)", [(steps,) for steps in lengths])

    def lengths(self) -> list[int]:
        """For how many steps networks have been trained, the most first; some of them may be gone."""
        if not self.path.exists():
            return []
        with closing(self._open()) as db:
            return [steps for (steps,) in db.execute("SELECT steps FROM lengths ORDER BY steps DESC")]

    def digests(self, source: str) -> dict[str, str]:
        """What probes gave from these sources, by their names."""
        if not self.path.exists():
            return {}
        with closing(self._open()) as db:
            return dict(db.execute("SELECT name, digest FROM probes WHERE source = ?", (source,)))

    def add_digests(self, source: str, digests: Mapping[str, str]) -> None:
        """Add what probes gave."""
        with closing(self._open()) as db, db:
            rows = [(source, name, digest) for name, digest in digests.items()]
            db.executemany("INSERT OR REPLACE INTO probes VALUES (?, ?, ?)", rows)

    def speeds(self, source: str, machine: str) -> dict[str, float]:
        """Seconds an operation that were measured with these sources on this machine, by what they are of."""
        if not self.path.exists():
            return {}
        with closing(self._open()) as db:
            query = "SELECT name, seconds FROM speeds WHERE source = ? AND machine = ?"
            return dict(db.execute(query, (source, machine)))

    def add_speeds(self, source: str, machine: str, seconds: Mapping[str, float]) -> None:
        """Add what was measured."""
        with closing(self._open()) as db, db:
            rows = [(source, machine, *item) for item in seconds.items()]
            db.executemany("INSERT OR REPLACE INTO speeds VALUES (?, ?, ?, ?)", rows)

    def forget_other(self, source: str) -> None:
        """Remove digests and speeds of other sources."""
        with closing(self._open()) as db, db:
            for table in ("probes", "speeds"):
                db.execute(f"DELETE FROM {table} WHERE source != ?", (source,))

    def rebuild(self) -> None:
        """Make it anew of what stands in the segments; those of another process may lack their last records."""
        new = Index(self.folder, f"{NAME}.{os.getpid()}.tmp")
        new.path.unlink(missing_ok=True)
        new.add(
            Held(block.engine, block.ids, place, block.steps) for path in self.segments() for block, place in scan(path)
        )
        self.path.with_name(f"{NAME}-journal").unlink(missing_ok=True)
        new.path.replace(self.path)

    def segments(self) -> list[Path]:
        """The files with records, the oldest first."""
        return sorted(self.folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=WAIT)
        try:
            db.execute("PRAGMA synchronous = NORMAL")
            if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                db.executescript(TABLES)
        except BaseException:
            db.close()
            raise
        return db
