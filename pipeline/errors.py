"""What goes wrong outside the code, and the one place that turns it into a line and an exit status."""

from __future__ import annotations

import _thread
import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread, Timer
from typing import Any

from shoal.pipeline import ENDING, INTERRUPTED, leave

REFUSED = 2
"""Exit status where the user's files, words or machine are at fault."""
UNREAD = 1
"""Exit status where nobody reads the output to its end, as `head` does; nothing is said then."""
_SIGNALLED = 128
"""Exit status after Ctrl-C or a termination is this and the signal's number, as shells have it: 130, 143."""
PATIENCE = 1.5
"""Seconds after such a signal until the program ends in any case."""

_WAYS_OUT = {
    errno.ENOSPC: "free some space and run the same command again",
    errno.EDQUOT: "free some space and run the same command again",
    errno.EFBIG: "a larger limit on the size of files (ulimit -f)",
    errno.EACCES: "a place that may be read and written",
    errno.EPERM: "a place that may be read and written",
    errno.EROFS: "a place that may be written",
    errno.EISDIR: "the name of a file",
    errno.ENODEV: "the name of a file",
    errno.ENOTDIR: "a folder; move the file of this name away",
    errno.ENAMETOOLONG: "a shorter name",
}


class ShoalError(Exception):
    """Something outside the code is at fault.

    The message is for the user: one line a fault, which names the thing, what was found, and a way out. Every error
    that a user can cause is a subclass; whatever else is raised is a fault of the code.
    """


class DamagedFileError(ShoalError):
    """A result file is not what was written."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: this file is damaged; delete it, and `dvc repro` restores it")


class OldFileError(ShoalError):
    """A result file lacks columns or keys, since another version of the program wrote it."""

    def __init__(self, path: Path, missing: Iterable[str]) -> None:
        names = ", ".join(f"'{name}'" for name in missing)
        super().__init__(f"{path}: found no {names}, as in a file of another version; `dvc repro` makes it anew")


class OutOfDateError(ShoalError):
    """Result files do not belong together."""


def guarded(call: Callable[[], int | None]) -> int:
    """The exit status of `call`: its own (None is 0), REFUSED with one line a fault, or that of a signal."""
    try:
        with _sparing(), _impatient(), _interruptible():
            status = call() or 0
            if sys.stdout:
                sys.stdout.flush()  # an output that is full is told here, and not when Python ends
            return status
    except ShoalError as error:
        _say(str(error))
    except BrokenPipeError:
        _drop_output()
        return UNREAD
    except OSError as error:
        _say(_line(error))
        _drop_output()
    except MemoryError as error:
        _say(f"memory: found too little ({error or 'of this machine'}); allowed: a smaller study, or a larger machine")
    except KeyboardInterrupt as error:
        _say(INTERRUPTED)
        return _SIGNALLED + next(iter(error.args), signal.SIGINT)
    return REFUSED


@contextmanager
def _sparing() -> Iterator[None]:
    """In here garbage is collected, where a program has put that off: neither what it has imported before nor, when it
    ends, what is left is looked through, which takes up to 0.2 s each."""
    if gc.isenabled():
        yield
        return
    gc.freeze()
    gc.enable()
    try:
        yield
    finally:
        gc.freeze()


@contextmanager
def _interruptible() -> Iterator[None]:
    """In here Ctrl-C and a termination raise KeyboardInterrupt(number), whatever other code makes of that."""
    seen: list[int] = []
    timers: list[Timer] = []

    def interrupt(number: int, frame: object) -> None:
        seen.append(number)
        raise KeyboardInterrupt(number)

    def dropped(what: Any) -> None:
        if isinstance(what.exc_value, KeyboardInterrupt):  # it met a callback, which cannot pass it on
            timers.append(Timer(0.01, _thread.interrupt_main))
            timers[-1].daemon = True
            timers[-1].start()
        else:
            hook(what)

    handlers = {number: signal.signal(number, interrupt) for number in ENDING}
    hook, sys.unraisablehook = sys.unraisablehook, dropped
    try:
        yield
    except BaseException:
        if seen:  # compiled modules make errors of their own of it
            raise KeyboardInterrupt(*seen) from None
        raise
    finally:
        for timer in timers:
            timer.cancel()
        sys.unraisablehook = hook
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _impatient() -> Iterator[None]:
    """In here the program ends PATIENCE after such a signal, whatever it does: a compiled call lets no handler run.

    So it is the system that tells a thread of its own of the signal.
    """
    told, telling = socket.socketpair()
    telling.setblocking(False)
    over = Event()

    def wait() -> None:
        while number := told.recv(1):
            if number[0] in ENDING and not over.wait(PATIENCE):
                leave(number[0])

    thread = Thread(target=wait, name="impatient", daemon=True)
    thread.start()
    before = signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        over.set()
        telling.close()
        thread.join()
        told.close()


def _line(error: OSError) -> str:
    """An error of the operating system: the file, what was found, a way out."""
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{error.filename}: no such file; run `dvc repro` first, in the folder of params.yaml"
    found = error.strerror or str(error)
    allowed = _WAYS_OUT.get(error.errno or 0, "a file that can be read and written")
    return f"{error.filename or 'the output'}: found {found[:1].lower()}{found[1:]}; allowed: {allowed}"


def _say(text: str) -> None:
    with suppress(OSError):  # there is nobody left to tell
        print(text, file=sys.stderr, flush=True)


def _drop_output() -> None:
    """What is left in the buffer of an output that takes nothing any more: Python would try it again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
