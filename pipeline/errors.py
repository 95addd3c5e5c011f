"""What goes wrong outside the code, and the one place that turns it into a line and an exit status."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

REFUSED = 2
"""Exit status where the user's files, words or machine are at fault."""
INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 + SIGINT, as shells have it."""

_WAYS_OUT = {
    errno.ENOSPC: "free some space and run the same command again",
    errno.EDQUOT: "free some space and run the same command again",
    errno.EFBIG: "a larger limit on the size of files (ulimit -f)",
    errno.EACCES: "a place that may be read and written",
    errno.EPERM: "a place that may be read and written",
    errno.EROFS: "a place that may be written",
    errno.EISDIR: "the name of a file",
    errno.ENOTDIR: "a path whose folders are folders",
}


class ShoalError(Exception):
    """Something outside the code is at fault.

    The message is for the user: one line a fault, which names the thing, what was found, and a way out. Every error
    that a user can cause is a subclass; whatever else is raised is a fault of the code.
    """


def guarded(call: Callable[[], int | None]) -> int:
    """The exit status of `call`: its own (None is 0), REFUSED with one line a fault, or INTERRUPTED after Ctrl-C."""
    try:
        return call() or 0
    except ShoalError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(_line(error), file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; the next run continues with what is missing", file=sys.stderr)
        return INTERRUPTED
    return REFUSED


def _line(error: OSError) -> str:
    """An error of the operating system: the file, what was found, a way out."""
    if isinstance(error, FileNotFoundError):
        name = error.filename or error  # pyarrow's errors are the name itself
        return f"{name}: no such file; run `dvc repro` first, in the folder of params.yaml"
    found = error.strerror or str(error)
    allowed = _WAYS_OUT.get(error.errno or 0, "a file that can be read and written")
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}found {found[:1].lower()}{found[1:]}; allowed: {allowed}"
