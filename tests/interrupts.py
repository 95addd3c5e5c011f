"""Ctrl-C at random moments of every command and every stage: one line within two seconds (a part of `make kills`)."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from shoal.pipeline import INTERRUPTED
from shoal.pipeline.stages import gradcheck
from tests import studies

LINES = [
    "shoal check", "shoal show", "shoal predict input/example.csv --output out.csv", "shoal store verify",
    "shoal init input/example.csv new --target range_m", "data", "gradcheck", "sweep sizes", "evaluate", "predict",
    "report", "track",
]  # fmt: skip
COMPILED = "sweep sizes, compiled first"
SECONDS = 2.0


def command_of(line: str) -> list[str]:
    first, *words = line.partition(",")[0].split()
    if first == "shoal":
        return [str(Path(sys.executable).with_name("shoal")), *words]
    return [sys.executable, "-m", f"shoal.pipeline.stages.{first}", *words]


def begun(line: str, root: Path) -> subprocess.Popen[str]:
    """A command as in a terminal of its own; there is nothing in the store."""
    for name in (".shoal", "new", "kernels"):
        shutil.rmtree(root / name, ignore_errors=True)
    own: dict[str, Any] = {"NUMBA_CACHE_DIR": str(root / "kernels")} if line == COMPILED else {}
    null, pipe = subprocess.DEVNULL, subprocess.PIPE
    environment = os.environ | own
    return subprocess.Popen(
        command_of(line), cwd=root, env=environment, stdout=null, stderr=pipe, text=True, start_new_session=True
    )


def interrupted(program: subprocess.Popen[str]) -> tuple[float, str]:
    """The seconds until a program ends that gets a Ctrl-C, and what it says.

    They are of its own work where that is less than the clock says, on a machine that others use.
    """
    process = psutil.Process(program.pid)
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    os.killpg(program.pid, signal.SIGINT)
    spent = 0.0
    while program.poll() is None:
        with suppress(psutil.NoSuchProcess):
            spent = max(spent, sum(process.cpu_times()[:2]) - before)
        time.sleep(0.01)
    return min(time.monotonic() - began, spent), program.communicate()[1]


def tour(n: int, seed: int) -> None:
    """Ctrl-C at n random moments of each command; those before the program's first line count for nothing."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        root = studies.complete(Path(folder), {"sizes": studies.SIZES}, source="file").root
        gradcheck.run(studies.Paths(root))
        for line in [*LINES, COMPILED]:
            began = time.monotonic()
            begun(line, root).communicate()
            seconds, n_met, slowest = time.monotonic() - began, 0, 0.0
            for _ in range(n):
                program = begun(line, root)
                try:
                    program.communicate(timeout=rng.uniform(0, seconds))
                except subprocess.TimeoutExpired:
                    took, said = interrupted(program)
                    if program.returncode == 0 or (program.returncode != 130 and "/pipeline/" not in said):
                        continue  # it was at its end, or Python at its beginning
                    assert (program.returncode, said) == (130, f"{INTERRUPTED}\n"), f"{line}: {said}"
                    assert took < SECONDS, f"{line}: {took:.1f} s"
                    n_met, slowest = n_met + 1, max(slowest, took)
            print(f"  {line}: {n_met} of {n} met it; ended within {slowest:.1f} s", flush=True)
