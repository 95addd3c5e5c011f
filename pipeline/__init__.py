"""From params.yaml to results, report and tracking; what runs as a program is `shoal` and the stages of dvc.yaml."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress

# Nothing is imported above that takes time: a Ctrl-C that comes before `leave` is there ends in a traceback.
INTERRUPTED = "interrupted; the next run continues with what is missing"
ENDING = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
"""Signals that end a program: Ctrl-C and a termination, but for those ignored, as in a job in the background."""
unfinished: set[os.PathLike[str]] = set()
"""Files of this program that mean nothing when it has ended."""


def leave(number: int, frame: object = None) -> None:
    """End at once, with a line and the exit status that shells have for a signal: 130 after Ctrl-C."""
    for path in list(unfinished):
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108, which takes an import
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(128 + number)


if sys.argv[:1] == ["-m"] or "".join(sys.argv[:1]).endswith("/shoal"):  # a program; -m until its module is found
    for number in ENDING:
        signal.signal(number, leave)  # its imports take a second or two; `errors.guarded` begins the work
    gc.disable()  # what is imported stays: to look for garbage in it takes a fifth of that time
