"""Files that are written whole or not at all: readers see the old one or the new one."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from glob import escape
from pathlib import Path

import psutil

from shoal.pipeline import unfinished


def refuse_unwritable(*paths: Path) -> None:
    """Raise OSError where files could not be written at these paths: known before the work, not after it."""
    for path in paths:
        folder = next(parent for parent in path.parents if parent.exists())
        if not folder.is_dir():
            raise OSError(errno.ENOTDIR, "a file", str(folder))
        if path.is_dir():
            raise OSError(errno.EISDIR, "a folder", str(path))
        if path.exists() and not path.is_file():  # renaming a file to a device would remove the device
            raise OSError(errno.ENODEV, "a device", str(path))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))


Look = Callable[[Path, Path], object]
_before_rename: ContextVar[Look] = ContextVar("before_rename")


@contextmanager
def before_rename(look: Look) -> Iterator[None]:
    """Within this block `write_whole` calls look(temporary, path) first; what that raises leaves `path` as it was."""
    token = _before_rename.set(look)
    try:
        yield
    finally:
        _before_rename.reset(token)


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` on a temporary file beside `path` and rename it: readers see the old file or the new one.

    Raises OSError with the name of `path` where it cannot be written.
    """
    refuse_unwritable(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    unfinished.add(own := temporary.absolute())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _forget_unfinished(path)
        write(temporary)
        if look := _before_rename.get(None):
            look(temporary, path)
        temporary.replace(path)
    except OSError as error:
        if error.filename not in (None, str(temporary), str(path)):  # of what is made while it is written
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
        unfinished.discard(own)


def _forget_unfinished(path: Path) -> None:
    """Remove what processes that were killed have left of this file."""
    for left in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        writer = left.name.split(".")[-2]
        if writer.isdecimal() and not _runs(int(writer)):
            left.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    """Whether there is such a process, which is more than a status that nobody has asked for."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes, whole or not at all."""
    write_whole(path, lambda temporary: temporary.write_bytes(content))


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all, with the same line ends everywhere."""
    write_bytes(path, text.encode())
