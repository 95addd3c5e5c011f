"""How long it takes until kernels run: on a new machine, and in every process after that."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from statistics import median

ALL_WORKLOADS = """
import time
start = time.perf_counter()
from bench.workloads import WORKLOADS
from dataclasses import replace
for dtype in ("float32", "float64"):
    for workload in WORKLOADS.values():
        if workload.name < "W7":
            workload.train([replace(spec, steps=1) for spec in workload.specs[:1]], dtype)
print(time.perf_counter() - start)
"""
FIRST_STEP = """
import numpy as np
from shoal.kernels import ensemble
from shoal.kernels.network.architecture import Architecture
x = np.linspace(-3.0, 3.0, 1000)[:, None]
spec = ensemble.NetworkSpec(Architecture.plain((10,), "relu", 1), "assignment", 0, learning_rate=0.01, steps=1)
ensemble.train([spec], x, np.sin(x), seed=1)
"""
WALL = (
    "import subprocess, sys, time; t = time.perf_counter(); subprocess.run([sys.executable, '-c', {!r}], check=True); "
)
WALL += "print(time.perf_counter() - t)"


def _seconds(program: str, cache: str) -> float:
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def startup(repeats: int = 3) -> dict[str, float]:
    """Seconds: `cold`, one step of all of W1 to W6 in both dtypes with nothing compiled; `warm`, the same after that;
    `second`, a process that trains one small network, from its start to its end."""
    cold, warm, second = [], [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(_seconds(ALL_WORKLOADS, cache))
            warm.append(_seconds(ALL_WORKLOADS, cache))
            second += [_seconds(WALL.format(FIRST_STEP), cache) for _ in range(3)]
    return {"cold": median(cold), "warm": median(warm), "second": median(second)}
