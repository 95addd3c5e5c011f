"""A process that stands by while `dvc` runs: it has imported what stages need, and a copy of it is each of them.

    dvc ── python -m shoal.pipeline.stages.data ──> starts the process that stands by, which begins to import
     │                                                      │
     └──── python -m shoal.pipeline.stages.NAME ── asks ──> copies itself (fork); the copy runs the stage, on the
           waits for the exit status               <──────  terminal, in the folder and with the variables of who asks

A stage imports for a second, more than many have to do, and `dvc` runs six of them. Who asks and finds nobody, or one
that began with other sources, runs the stage itself, as everywhere but on Linux. The process ends with its `dvc`. It
listens at an abstract socket, which no file stands for, to processes of its own user; what they send is text.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import socket
import struct
import sys
import traceback
import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import psutil

from shoal.pipeline import ENDING, ancestors, leave
from shoal.pipeline.errors import REFUSED

STAGES = "shoal.pipeline.stages."
FIRST = "data"
"""The stage that starts the process; `dvc` runs it before all others."""
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
_PEER = struct.Struct("3i")
"""What the system says of the other end of a socket: process, user, group."""


class Asked(NamedTuple):
    """A stage to be run: its words, and the variables, folder and terminal (three files) of who asks, at `other`."""

    words: list[str]
    environ: dict[str, str]
    folder: str
    files: list[int]
    other: socket.socket


def hand_over() -> None:
    """End with the exit status of this stage, where `dvc` runs it and a process stands by; else go on.

    The first stage, where nobody stands by yet, starts that process.
    """
    words, dvc = _stage(), ancestors.dvc()
    if not words or dvc is None or not _is_possible():
        return
    with suppress(psutil.Error):  # dvc has gone just now
        if (status := _ask(_address(dvc), words)) is not None:
            os._exit(status)
        if words[0] == FIRST:
            _start(dvc)


def _stage() -> list[str]:
    """The words of the stage that this program is, its name first; none where it is another program."""
    _, _, words = _split(sys.orig_argv)
    return [words[0].removeprefix(STAGES), *words[1:]] if words and words[0].startswith(STAGES) else []


def _split(argv: list[str]) -> tuple[str, list[str], list[str]]:
    """Python, its options, and the module that it runs with -m and its arguments."""
    at = argv.index("-m") if "-m" in argv else len(argv)
    return argv[0], argv[1:at], argv[at + 1 :]


def _is_possible() -> bool:
    """Whether processes can be copied, told apart and watched, and whether there is a core to import on."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open") and len(os.sched_getaffinity(0)) > 1


def _address(dvc: int) -> str:
    """Where the process that stands by for this `dvc` in this folder listens."""
    names = f"{os.getuid()} {dvc} {psutil.Process(dvc).create_time()} {Path.cwd()}"
    return f"\0shoal {hashlib.sha256(names.encode()).hexdigest()[:32]}"


def _start(dvc: int) -> None:
    """Start the process; without the name of a stage in its variables, since it ends with `dvc` and not with this."""
    python, options, _ = _split(sys.orig_argv)
    environ = {name: value for name, value in os.environ.items() if name != ancestors.STAGE}
    files = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0), *((os.POSIX_SPAWN_DUP2, 0, to) for to in (1, 2))]
    os.posix_spawn(sys.executable, [python, *options, "-m", __name__, str(dvc)], environ, file_actions=files)


# --- who asks --------------------------------------------------------------------------------------------------------


def _ask(address: str, words: list[str]) -> int | None:
    """The exit status of the stage that another process runs for this one; None where none does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        try:
            other.connect(address)
            if not _is_own(other):
                return None
            request = {"words": words, "environ": dict(os.environ), "folder": str(Path.cwd())}
            socket.send_fds(other, [json.dumps(request).encode()], [0, 1, 2])
            if not other.recv(1):
                return None
        except OSError:
            return None
        _pass_on(other)
        answer = other.recv(16)
    if answer:
        return int(answer)
    if ancestors.dvc() is not None:
        print(f"{words[0]}: the process that ran this stage has gone; run the same command again", file=sys.stderr)
    return REFUSED


def _is_own(other: socket.socket) -> bool:
    """Whether a process of the same user is at the other end."""
    _, user, _ = _PEER.unpack(other.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return bool(user == os.getuid())


def _pass_on(other: socket.socket) -> None:
    """Leave a Ctrl-C to the process that runs the stage, which the terminal sends it as well, and send it a
    termination."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else lambda n, _: other.send(b"%d" % n))


# --- who stands by ---------------------------------------------------------------------------------------------------


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
        self.listener.bind(_address(dvc))
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
        if not _is_own(other) or _sources() != self.sources:
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
    package = Path(__file__).parents[1].resolve()
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
