"""A digest inside a file: one flipped bit anywhere in it is noticed when the file is read.

The digest is SHA-256 of the whole file with zeros where the digest itself stands, as 64 hex digits. In JSON it is the
last key, `sha256`, in Parquet an entry of that name in the file's own metadata. So the bytes of a file still depend on
its contents alone, and any other program can read it.
"""

from __future__ import annotations

import hashlib
import mmap
import re
from pathlib import Path

KEY = "sha256"
BLANK = "0" * 64
"""Stands where the digest will be, until the rest of the file is known."""
CHUNK = 1 << 20
_DIGEST = re.compile(rb'sha256(?:": "|..)([0-9a-f]{64})', re.DOTALL)  # in JSON; in Parquet, whose texts have a length


def sealed(content: bytes) -> bytes:
    """A file's content that has BLANK under KEY, with the digest in that place; raises ValueError without the place."""
    start, end = _found(content)
    return content[:start] + _digest(content, start, end) + content[end:]


def seal(path: Path) -> None:
    """Seal a file, of which no more than a part is in memory at once; raises what `sealed` does."""
    with path.open("r+b") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            start, _ = _found(content)
        digest = hashlib.sha256()
        while part := file.read(CHUNK):
            digest.update(part)  # with BLANK, zeros, where the digest will be
        file.seek(start)
        file.write(digest.hexdigest().encode())


def is_sound(path: Path) -> bool:
    """Whether a file is what was sealed, or has no seal; no more than a part of it is in memory at once."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            return True
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if (place := _place(content)) is None:
                return True
            start, end = place
            digest = hashlib.sha256()
            for at in range(0, len(content), CHUNK):
                part = bytearray(file.read(CHUNK))
                for k in range(max(start, at), min(end, at + len(part))):
                    part[k - at] = BLANK.encode()[0]
                digest.update(part)
            return content[start:end] == digest.hexdigest().encode()


def _found(content: bytes | mmap.mmap) -> tuple[int, int]:
    """The place of BLANK; raises ValueError where there is none."""
    found = _place(content)
    if found is None:
        raise ValueError(f"there is no place for a digest: the last '{KEY}' has no {len(BLANK)} zeros")
    return found


def is_broken(content: bytes) -> bool:
    """Whether the content differs from what was sealed. One without a seal, of an older version, cannot tell: False."""
    found = _place(content)
    return found is not None and content[slice(*found)] != _digest(content, *found)


def is_sealed(content: bytes) -> bool:
    """Whether the content has a seal, and is what was sealed."""
    return _place(content) is not None and not is_broken(content)


def _place(content: bytes | mmap.mmap) -> tuple[int, int] | None:
    """Where the digest begins and ends: after the last KEY that has one."""
    at = content.rfind(KEY.encode())
    while at >= 0:
        if found := _DIGEST.match(content, at):
            return found.span(1)
        at = content.rfind(KEY.encode(), 0, at)
    return None


def _digest(content: bytes, start: int, end: int) -> bytes:
    digest = hashlib.sha256(memoryview(content)[:start])
    digest.update(BLANK.encode())
    digest.update(memoryview(content)[end:])
    return digest.hexdigest().encode()
