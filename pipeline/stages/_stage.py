"""What every stage does around its `run`: run alone, refuse bad input in one wording, and log how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime
from inspect import signature
from typing import Any

from filelock import FileLock, Timeout

from shoal.pipeline import unfinished
from shoal.pipeline.config import ConfigError, Fault
from shoal.pipeline.errors import ShoalError, guarded
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import versions
from shoal.pipeline.store import refuse_unwritable, write_sealed_json

WAIT = 3.0
"""Seconds that a stage waits for another run of it: one that a killed `dvc` left behind ends sooner."""

SPEAKS = ContextVar("SPEAKS", default=False)
"""Whether a stage runs as a command, which says on a line what it has ahead; its `run` alone prints nothing."""

SAID = {
    "networks": "{} networks{made}",
    "diverged": "{} diverged",
    "stopped": "{} stopped early",
    "gflop_per_second": "{:.3g} GFLOP/s",
    "architectures": "{} architectures",
    "worst_relative_error": "worst relative error {:.1e}",
    "cells": "{} cells",
    "contrasts": "{} comparisons",
    "chosen": "chose network {}",
    "answering": "the mean of {} networks answers",
    "not_chosen": "none chosen: all {} networks diverged",
    "sweeps": "{} sweeps",
    "runs": "{} runs",
}
"""What the line at the end of a stage says of the facts that the stage returned; others are for the log alone."""


def main(name: str, run: Callable[..., dict[str, Any] | None], *arguments: str) -> None:
    """Call run(paths, *arguments) in the current folder; exit status 2 with the faults where something is bad.

    What `run` returns goes to logs/<name>.json beside the wall time and the date; no other file knows of either. One
    line on the terminal has the summary of it.
    """
    if status := guarded(lambda: _logged(name, run, *arguments)):
        sys.exit(status)


def _logged(name: str, run: Callable[..., dict[str, Any] | None], *arguments: str) -> None:
    start = time.perf_counter()
    paths = Paths()
    _check_arguments(name, run, arguments)
    versions.refuse_overtaken(paths)
    refuse_unwritable(paths.log(name))
    with _alone(paths, name):
        context = copy_context()
        context.run(SPEAKS.set, True)
        facts = context.run(run, paths, *arguments) or {}
        seconds = round(time.perf_counter() - start, 3)
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        write_sealed_json(paths.log(name), {"seconds": seconds, "finished": finished, **facts})
    print(summary(name, seconds, facts))


def _check_arguments(name: str, run: Callable[..., object], given: tuple[str, ...]) -> None:
    wanted = [word for word in signature(run).parameters if word != "paths"]
    if len(given) != len(wanted):
        found = f"'{' '.join(given)}'" if given else "nothing after its name"
        raise ConfigError([Fault("", found, " ".join(wanted).upper() or "nothing after its name", f"stage {name}")])


class AlreadyRunningError(ShoalError):
    """The same stage is running in the same folder."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: found a run of this stage in this folder; allowed: one at a time; wait for its end")


@contextmanager
def _alone(paths: Paths, name: str) -> Iterator[None]:
    """Keep other runs of the stage out of this folder; raises AlreadyRunningError where one does not end within WAIT s.

    The system frees the lock of a process that was killed.
    """
    path = paths.lock(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=WAIT)
    try:
        lock.acquire()
    except Timeout:
        raise AlreadyRunningError(name) from None
    unfinished.add(own := path.absolute())
    try:
        yield
    finally:
        path.unlink()  # who waits for this file sees that it is gone, and makes another one
        unfinished.discard(own)
        lock.release()


def summary(name: str, seconds: float, facts: dict[str, Any]) -> str:
    """One line: the stage, what it did, and the seconds it took."""
    made = ": {known} known, {trained} trained".format(**facts) if "known" in facts else ""
    said = [text.format(facts[key], made=made) for key, text in SAID.items() if facts.get(key) is not None]
    return f"{name}: {', '.join([*said, f'{seconds:.1f} s'])}"
