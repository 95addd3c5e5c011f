"""A stage that `dvc` runs asks the process that stands by; the first one starts it."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from shoal.pipeline import ENDING, ancestors
from shoal.pipeline.errors import REFUSED
from shoal.pipeline.standby.meeting import STAGES, address_for, is_own

FIRST = "data"
"""The stage that starts the process; `dvc` runs it before all others."""


def hand_over() -> None:
    """End with the exit status of this stage, where `dvc` runs it and a process stands by; else go on.

    The first stage, where nobody stands by yet, starts that process.
    """
    words, dvc = _stage(), ancestors.dvc()
    if not words or dvc is None or not _is_possible():
        return
    with suppress(psutil.Error):  # dvc has gone just now
        if (status := _ask(address_for(dvc), words)) is not None:
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


def _start(dvc: int) -> None:
    """Start the process; without the name of a stage in its variables, since it ends with `dvc` and not with this."""
    python, options, _ = _split(sys.orig_argv)
    environ = {name: value for name, value in os.environ.items() if name != ancestors.STAGE}
    files = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0), *((os.POSIX_SPAWN_DUP2, 0, to) for to in (1, 2))]
    os.posix_spawn(sys.executable, [python, *options, "-m", __package__, str(dvc)], environ, file_actions=files)


def _ask(address: str, words: list[str]) -> int | None:
    """The exit status of the stage that another process runs for this one; None where none does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        try:
            other.connect(address)
            if not is_own(other):
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


def _pass_on(other: socket.socket) -> None:
    """Leave a Ctrl-C to the process that runs the stage, which the terminal sends it as well, and send it a
    termination."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else lambda n, _: other.send(b"%d" % n))
