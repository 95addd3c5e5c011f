"""Segments: files of records one behind the other, which only ever grow, and each only by the process that began it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from shoal.pipeline.store.entries.records import HEAD, Block, DamagedError, decode, length

SUFFIX = ".segment"


class Location(NamedTuple):
    """Where a record is: the name of its segment, its first byte there, and how many it has."""

    segment: str
    offset: int
    size: int


class Writer:
    """A segment of this process' own, which begins with its first record."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{uuid.uuid4().hex}{SUFFIX}"

    def append(self, records: Iterable[bytes]) -> list[Location]:
        """Write records behind those that are there; raises OSError where that cannot be done."""
        places = []
        with self._path.open("ab", buffering=1 << 20) as file:
            at = file.tell()
            for record in records:
                file.write(record)
                places.append(Location(self._path.name, at, len(record)))
                at += len(record)
        return places


def read(folder: Path, places: Iterable[Location]) -> Iterator[bytes | None]:
    """The records at some places, in their order; None where there is no such file, or it ends before.

    Each file is opened once where its places stand together.
    """
    name, file = "", None
    try:
        for place in places:
            if place.segment != name:
                if file:
                    file.close()
                name, path = place.segment, folder / place.segment
                file = path.open("rb") if path.is_file() else None
                end = path.stat().st_size if file else 0
            if file is None or not 0 <= place.offset < place.offset + place.size <= end:
                yield None
                continue
            file.seek(place.offset)
            yield file.read(place.size)
    finally:
        if file:
            file.close()


def scan(path: Path) -> Iterator[tuple[Block, Location]]:
    """Every sound record of a segment, up to the first that is none: what follows that cannot be found."""
    with path.open("rb") as file:
        at = 0
        while head := file.read(HEAD.size):
            try:
                size = length(head)
                if size > path.stat().st_size - at:
                    return
                block = decode(head + file.read(size - HEAD.size))
            except DamagedError:
                return
            yield block, Location(path.name, at, size)
            at += size
