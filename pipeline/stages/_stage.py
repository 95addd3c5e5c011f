"""What every stage does around its `run`: refuse bad input in one wording, and log how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from inspect import signature
from typing import Any

from pipeline.config import ConfigError, Fault
from pipeline.errors import guarded
from pipeline.paths import Paths
from pipeline.store import refuse_unwritable, write_sealed_json

SAID = {
    "networks": "{} networks",
    "diverged": "{} diverged",
    "gflop_per_second": "{:.3g} GFLOP/s",
    "architectures": "{} architectures",
    "worst_relative_error": "worst relative error {:.1e}",
    "cells": "{} cells",
    "contrasts": "{} comparisons",
    "chosen": "chose network {}",
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
    refuse_unwritable(paths.log(name))
    facts = run(paths, *arguments) or {}
    seconds = round(time.perf_counter() - start, 3)
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    write_sealed_json(paths.log(name), {"seconds": seconds, "finished": finished, **facts})
    print(summary(name, seconds, facts))


def _check_arguments(name: str, run: Callable[..., object], given: tuple[str, ...]) -> None:
    wanted = [word for word in signature(run).parameters if word != "paths"]
    if len(given) != len(wanted):
        found = f"'{' '.join(given)}'" if given else "nothing after its name"
        raise ConfigError([Fault("", found, " ".join(wanted).upper() or "nothing after its name", f"stage {name}")])


def summary(name: str, seconds: float, facts: dict[str, Any]) -> str:
    """One line: the stage, what it did, and the seconds it took."""
    said = [text.format(facts[key]) for key, text in SAID.items() if facts.get(key) is not None]
    return f"{name}: {', '.join([*said, f'{seconds:.1f} s'])}"
