"""`python -m bench` measures everything and writes docs/benchmarks.md; `--quick` prints a few comparisons.

Names of sections or workloads as arguments measure these alone, and keep what was measured of the others.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import ladder, report, scale, startup, study
from bench.compare import Turns, compare
from bench.peak import blas_rate, fma_peak
from bench.peers import PEERS, load
from bench.workloads import WORKLOADS
from shoal.kernels.compile.host import ENGINE

ROOT = Path(__file__).parents[1]
KEPT, PAGE = ROOT / "logs" / "bench.json", ROOT / "docs" / "benchmarks.md"
TURNS = Turns(3, seconds=10.0)
"""Short runs go on for a while, as the speed of a machine that others use changes from second to second."""
QUICK = (
    ("W1 tanh", "float32"), ("W1 tanh", "float64"), ("W2", "float32"), ("W2", "float64"), ("W4 batch 10", "float32"),
)  # fmt: skip
QUICK_PEERS = ("shoal_engine", "numpy_hand", "torch_hand")
PACKAGES = ("numpy", "jax", "torch", "scikit-learn")


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo")
    names = {line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")}
    installed = [f"{name} {version(name)}" for name in PACKAGES if _is_installed(name)]
    return {
        "processor": ", ".join(sorted(names)) or platform.processor(),
        "cores used": str(len(os.sched_getaffinity(0))),
        "engine": ENGINE,
        "peers": ", ".join(installed),
        "system": f"{platform.system()}, Python {platform.python_version()}",
    }


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except ModuleNotFoundError:
        return False
    return True


def peaks() -> dict[str, dict[str, float]]:
    """GFLOP/s of multiply-adds and of OpenBLAS."""
    return {
        dtype: {"one core": fma_peak(dtype, 1), "two cores": fma_peak(dtype, 2), "OpenBLAS": blas_rate(dtype)}
        for dtype in ("float32", "float64")
    }


SECTIONS = {
    "startup": startup.startup,
    "scale": lambda: {"memory": scale.memory(), "idle": {d: scale.idle_share(d) for d in ("float32", "float64")}},
    "ladder": lambda: {
        "z = W a + b, 50 x 50, 512 samples": ladder.product_ladder(),
        "the engine on 1-50-50-1, relu and tanh": ladder.engine_ladder(),
    },
    "study": study.study,
}


def add_comparison(results: dict[str, Any], name: str, dtype: str, turns: Turns, names: tuple[str, ...]) -> None:
    """Measure a workload, and put it beside the peak of this session."""
    peak = results["peak"][dtype]["two cores"]
    records = compare(WORKLOADS[name], dtype, turns, names)
    results["workloads"][f"{name} {dtype}"] = [record | {"peak": peak} for record in records]


def measure(wanted: list[str]) -> dict[str, Any]:
    """Measure what is wanted, beside what is kept of earlier runs."""
    results = kept() | {"machine": machine(), "peak": peaks()}
    results["absent"] = [name for name in PEERS if load(name) is None]
    results.setdefault("workloads", {})
    for name, workload in WORKLOADS.items():
        for dtype in workload.dtypes if name in wanted else ():
            print(f"{name}, {dtype} ...", flush=True)
            add_comparison(results, name, dtype, TURNS, PEERS)
            save(results)
    for name, section in SECTIONS.items():
        if name in wanted:
            print(f"{name} ...", flush=True)
            results[name] = section()
            save(results)
    return results


def kept() -> dict[str, Any]:
    """What was measured before."""
    return json.loads(KEPT.read_text()) if KEPT.exists() else {}


def save(results: dict[str, Any]) -> None:
    """Keep the results, and write the page."""
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(results, indent=1))
    PAGE.write_text(report.render(json.loads(KEPT.read_text())))


def quick() -> None:
    """Print shoal beside two peers, in under two minutes; nothing is written."""
    results: dict[str, Any] = {"machine": machine(), "peak": peaks(), "workloads": {}}
    for name, dtype in QUICK:
        add_comparison(results, name, dtype, Turns(2), QUICK_PEERS)
    print(report.render(results))


if __name__ == "__main__":
    if sys.argv[1:] == ["--quick"]:
        quick()
    else:
        measure(sys.argv[1:] or [*WORKLOADS, *SECTIONS])
        print(PAGE.read_text())
