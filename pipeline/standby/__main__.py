"""The process that stands by: `python -m shoal.pipeline.standby DVC`, with the number of the process that is `dvc`."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import traceback
import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from shoal.pipeline import ENDING, ancestors, leave
from shoal.pipeline.standby.meeting import STAGES, address_for, is_own

AHEAD = (
    f"{STAGES}gradcheck",
    f"{STAGES}sweep",
    f"{STAGES}evaluate",
    "shoal.kernels.single",
    f"{STAGES}predict",
    f"{STAGES}report",
    "scipy.optimize",
    f"{STAGES}track",
    "mlflow.store.tracking.sqlalchemy_store",
)
"""What is imported, in the order in which stages need it; beside these, what they import while they run."""
_LARGEST = 1 << 20
"""Bytes of a request."""


class Asked(NamedTuple):
    """A stage to be run: its words, and the variables, folder and terminal (three files) of who asks, at `other`."""

    words: list[str]
    environ: dict[str, str]
    folder: str
    files: list[int]
    other: socket.socket


class Copy(NamedTuple):
    """A copy of this process at work: who asked for it, its number, and a file that can be read when it has ended."""

    other: socket.socket
    pid: int
    ended: int


class StandBy:
    """Imports what is AHEAD, and copies the process for each stage that is asked for, one at a time."""

    def __init__(self, dvc: int) -> None:
        self.sources, self.alive = _sources(), os.pidfd_open(dvc)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(address_for(dvc))
        self.listener.listen()
        self.copy: Copy | None = None

    def until_asked(self) -> Asked | None:
        """In a copy, what it was asked for; in the process that stands by, None when `dvc` has ended."""
        for module in (*AHEAD, None):
            while ready := self._ready(0 if module else None):
                if self.alive in ready:
                    return None  # a copy sees that its parent has gone
                if request := self._answer(ready):
                    return request
            if module:
                import_module(module)
        return None

    def _ready(self, seconds: int | None) -> list[Any]:
        """What there is to look at after so many seconds at most."""
        own = [self.copy.ended, self.copy.other] if self.copy else [self.listener]
        return select.select([self.alive, *own], [], [], seconds)[0]

    def _answer(self, ready: list[Any]) -> Asked | None:
        if not self.copy:
            return self._begin()
        if self.copy.ended in ready:
            self._end(self.copy)
        else:  # a signal to be passed on; nothing where whoever asked was killed
            number = self.copy.other.recv(16) or b"%d" % signal.SIGKILL
            os.kill(self.copy.pid, int(number))
        return None

    def _begin(self) -> Asked | None:
        """Copy this process for a stage of this user's, with the same sources; in the copy, what it was asked for."""
        other, _ = self.listener.accept()
        if not is_own(other) or _sources() != self.sources:
            other.close()
            return None
        data, files, _, _ = socket.recv_fds(other, _LARGEST, 3)
        with warnings.catch_warnings():
            # Python 3.12 warns of threads that may hold a lock just now: there are OpenBLAS' own, which sees to that
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if not pid:
            self.listener.close()
            return Asked(**json.loads(data), files=files, other=other)
        for file in files:
            os.close(file)
        self.copy = Copy(other, pid, os.pidfd_open(pid))
        return None

    def _end(self, copy: Copy) -> None:
        """Tell the exit status, after a signal that of shells, where the copy has not."""
        status = os.waitstatus_to_exitcode(os.waitpid(copy.pid, 0)[1])
        with suppress(OSError):  # whoever asked has gone
            copy.other.send(b"%d" % (status if status >= 0 else 128 - status))
        copy.other.close()
        os.close(copy.ended)
        self.copy = None


def _sources() -> list[tuple[str, int, int]]:
    """The files of the package, with size and time."""
    package = Path(__file__).parents[2].resolve()
    roots = [package, *(path.resolve() for path in (package / "kernels", package / "pipeline"))]
    found = sorted({path for root in roots for path in root.rglob("*.py")})
    return [(str(path), (stat := path.stat()).st_size, stat.st_mtime_ns) for path in found]


def _become(request: Asked) -> NoReturn:
    """Run the stage in this process, in the place of the one that asked, and end."""
    for own, file in enumerate(request.files):
        os.dup2(file, own)
        os.close(file)
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(request.environ)
    os.chdir(request.folder)
    for number in ENDING:
        signal.signal(number, leave)
    request.other.send(b"1")  # from here on signals are for this process
    ancestors.watch()
    name, *arguments = request.words
    try:
        stage, main = import_module(STAGES + name), import_module(f"{STAGES}_stage").main
        sys.argv = [str(stage.__file__), *arguments]
        main("-".join(request.words), stage.run, *arguments)
        status = 0
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        status = 1
    with suppress(OSError):
        sys.stdout.flush()
        request.other.send(b"%d" % status)  # the process that stands by may be in the middle of an import
    os._exit(status)


if __name__ == "__main__":
    for number in ENDING:  # those of who run a stage are for the stage
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    if asked := StandBy(int(sys.argv[1])).until_asked():
        _become(asked)
    os._exit(0)  # to take apart what was imported would take .2 s
