"""A stage ends with the `dvc` that started it: what outlives a killed `dvc` would write into a later run's results.

DVC names the stage in the environment of what it runs. Processes that nobody named a stage to, among them stages
that are run by hand, are left alone, whatever becomes of their terminal.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from functools import cache
from pathlib import Path

import psutil

from shoal.pipeline.errors import REFUSED

STAGE = "DVC_STAGE"
SECONDS = 0.2
"""Between two looks."""
FIRST = 1
"""The process that takes in orphans where no other does."""
NOBODY = -1


def dvc() -> int | None:
    """The process that is DVC, where it runs us and is still there."""
    links = _links()
    return links[-1][1] if links and all(_holds(process, parent) for process, parent in links) else None


def watch() -> None:
    """Look every SECONDS, in a thread of its own, whether DVC is still there."""
    _links.cache_clear()  # this may be a copy of a process that had others
    if _links():
        threading.Thread(target=_look_again_and_again, name="ancestors", daemon=True).start()


def end_if_gone() -> None:
    """End this process at once, with one line, where the `dvc` that started it has gone."""
    if all(_holds(process, parent) for process, parent in _links()):
        return
    try:
        print(f"{os.environ[STAGE]}: the dvc that ran this stage has gone, and the stage with it", file=sys.stderr)
        sys.stderr.flush()
    finally:  # nobody may be there to read the line
        os._exit(REFUSED)


def _look_again_and_again() -> None:
    while True:
        time.sleep(SECONDS)
        end_if_gone()


@cache
def _links() -> list[tuple[psutil.Process, int]]:
    """Every process from this one up to the child of DVC, with the id of its parent; none where no DVC runs us.

    Between the two is the shell that DVC runs a command with, unless it has made way for the command. The first
    process upwards that knows nothing of the stage is DVC.
    """
    links: list[tuple[psutil.Process, int]] = []
    stage, process = os.environ.get(STAGE), psutil.Process()
    while stage is not None and (parent := process.parent()):
        knows = _stage_of(parent) == stage
        links.append((process, parent.pid if knows or not _is_adopted(process, parent) else NOBODY))
        if not knows:
            break
        process = parent
    return links


def _is_adopted(child: psutil.Process, parent: psutil.Process) -> bool:
    """Whether a process has lost its own parent before we looked.

    DVC gives its children no session of their own, so an orphan shows by that of whoever took it in. In a container
    that may be a first process of the same session, such as the shell of a script. DVC is a Python program, or is
    called so.
    """
    try:
        session = os.getsid(child.pid)
        if session not in (child.pid, os.getsid(parent.pid)):
            return True
        return parent.pid == FIRST and not re.search("python|dvc", Path(parent.exe()).name)
    except (ProcessLookupError, psutil.Error):
        return True


def _stage_of(process: psutil.Process) -> str | None:
    try:
        environment: dict[str, str] = process.environ()
    except (psutil.Error, OSError):  # gone, or another user's
        return None
    return environment.get(STAGE)


def _holds(process: psutil.Process, parent: int) -> bool:
    """Whether a process still has this parent: it gets another one at the moment in which the parent ends."""
    try:
        return bool(process.ppid() == parent)
    except psutil.NoSuchProcess:
        return False
