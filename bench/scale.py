"""Many networks: the memory that 100,000 need, and how idle the threads are in W3."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from statistics import median

from bench.workloads import SEED, WORKLOADS
from shoal.kernels import ensemble

MANY = """
from pathlib import Path
import numpy as np
from shoal.kernels import ensemble
from shoal.kernels.network.architecture import Architecture
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
x = np.linspace(-3.0, 3.0, 200)[:, None]
def specs(n):
    plain = Architecture.plain((5,), "relu", 1)
    return [ensemble.NetworkSpec(plain, "assignment", r, learning_rate=0.01, steps=100) for r in range(n)]
ensemble.train(specs(10), x, np.sin(x), seed=1)
wanted = specs(100_000)
before = peak()
runs = ensemble.train(wanted, x, np.sin(x), seed=1)
print(peak() - before, sum(run.params.nbytes + run.costs.nbytes for run in runs))
"""


# Linux: the kernel's own count of this program's peak; getrusage starts from that of the process that forked it.
def memory() -> dict[str, float]:
    """Megabytes that training 100,000 networks of 1 x 5, 100 steps, adds to a process, and those of their results."""
    done = subprocess.run(
        [sys.executable, "-c", MANY], env=dict(os.environ), capture_output=True, text=True, check=True
    )
    needed, results = map(float, done.stdout.split())
    return {"needed": needed / 1e6, "results": results / 1e6}


class _Idle(logging.Handler):
    """Keeps the shares of idle time that shoal.kernels.training.run logs."""

    def __init__(self) -> None:
        super().__init__()
        self.shares: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.shares.append(float(record.getMessage().split()[-1]))


def idle_share(dtype: str, repeats: int = 3) -> float:
    """The share of the threads' time in W3 after there was no network left to begin: the median."""
    workload, handler, log = WORKLOADS["W3"], _Idle(), logging.getLogger("shoal.kernels.training.run")
    x, y = workload.data
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        for _ in range(repeats):
            ensemble.train(workload.specs, x, y, seed=SEED, dtype=dtype)
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)
    return median(handler.shares)
