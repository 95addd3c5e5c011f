"""Work that copies of this process do beside it: forked, they have all that it has; what they make comes back as bytes.

All that they share with it are files in memory, without a lock: nobody waits for a copy that was killed.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from struct import Struct
from typing import BinaryIO, TypeVar

from shoal.pipeline import ENDING

Item = TypeVar("Item")
Tell = Callable[[int, int], None]
"""Called with how many items are begun, of how many."""
_NUMBER, _HEAD = Struct("=q"), Struct("=qq")
"""The number of an item, and what stands before one that is made: its number and its size."""


@contextmanager
def spread(make: Callable[[Item], bytes], items: Sequence[Item]) -> Iterator[Callable[[Tell], list[bytes]]]:
    """In here copies make the items, one on each usable core but one; gives what makes the rest, and has all in order.

    It makes what no copy has begun, at last what a copy has failed at or was killed at, and raises what `make` raises.
    There are no copies where the system is not Linux.
    """
    with ExitStack() as stack:
        made, tickets, copies = dict[int, bytes](), iter(range(len(items))), list[Callable[[], dict[int, bytes]]]()

        def work(file: BinaryIO) -> None:
            for i in tickets:
                content = make(items[i])
                file.write(_HEAD.pack(i, len(content)) + content)
                file.flush()

        def missing() -> Iterator[int]:
            yield from tickets
            for copy in copies:
                made.update(copy())
            yield from (i for i in range(len(items)) if i not in made)

        def rest(tell: Tell) -> list[bytes]:
            for i in missing():
                made[i] = make(items[i])
                tell(max(i + 1, len(made)), len(items))
            return [made[i] for i in range(len(items))]

        if n_copies := min(_cores() - 1, len(items)):
            with suppress(OSError):  # the system has no room for another one
                tickets = _taken(stack.enter_context(_memory()), tickets)
                for _ in range(n_copies):
                    copies.append(stack.enter_context(_copy(work)))
        yield rest


def _cores() -> int:
    """How many copies of this process could run at a time: 1 where there is no way to share files in memory."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def _memory() -> BinaryIO:
    """A file in memory, which copies go on having."""
    return os.fdopen(os.memfd_create("shoal"), "w+b")


def _taken(file: BinaryIO, numbers: Iterable[int]) -> Iterator[int]:
    """These numbers, each for the one that asks first, among this process and its copies: they read on in one file."""
    file.write(b"".join(map(_NUMBER.pack, numbers)))
    file.seek(0)
    parent = os.getpid()

    def taken() -> Iterator[int]:
        while parent in (os.getpid(), os.getppid()) and (number := os.read(file.fileno(), _NUMBER.size)):
            yield from _NUMBER.unpack(number)

    return taken()


@contextmanager
def _copy(work: Callable[[BinaryIO], None]) -> Iterator[Callable[[], dict[int, bytes]]]:
    """In here a copy works; gives what waits for its end, and has what it had written until then."""
    with _memory() as file:
        pid = _forked(work, file)

        def written() -> dict[int, bytes]:
            with suppress(ChildProcessError):  # it has ended, where this process was started with SIGCHLD ignored
                os.waitpid(pid, 0)
            file.seek(0)
            found = dict[int, bytes]()
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                i, size = _HEAD.unpack(head)
                if len(content := file.read(size)) == size:
                    found[i] = content
            return found

        try:
            yield written
        finally:
            with suppress(ChildProcessError):  # it has ended
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)


def _forked(work: Callable[[BinaryIO], None], file: BinaryIO) -> int:
    """The process id of a copy, which works and ends, whatever happens to it, without a word and without a handler."""
    parent, pid = os.getpid(), 0
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns of threads that may hold a lock just now: those of shoal wait for signals and for work,
            # and a copy, which draws, asks them for nothing.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)  # it is this process that a thread of errors.py ends
            for number in ENDING:
                signal.signal(number, signal.SIG_DFL)
            sys.stdout = sys.stderr = None
            work(file)
    finally:
        if os.getpid() != parent:
            os._exit(0)
    return pid
