"""What a network costs beside its training: `python -m bench.flat [NETWORKS] [STEPS]`, 20,000 of 1-5-1 and 200 steps.

A study of its own in a temporary folder: 10 learning rates, 200 samples, full batch. Each stage says how long it took,
the seconds of the main thread, which is Python's, those of the threads that train (while the main thread writes what
they have trained before), and how much further memory has grown.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import data, evaluate, sweep

SAMPLES, RATES, NAME = 400, 10, "many"


def study(folder: Path, replicates: int, steps: int) -> Paths:
    """A folder with the table of a sine, half of it to train on, and one sweep."""
    paths = Paths(folder)
    folder.mkdir()
    x = np.linspace(-3, 3, SAMPLES)
    table = "\n".join(["x,y", *(f"{a!r},{b!r}" for a, b in zip(x.tolist(), np.sin(x).tolist(), strict=True))])
    (folder / "table.csv").write_text(table + "\n", encoding="utf-8")
    fractions = {"train": 0.5, "validation": 0.25, "test": 0.25}
    block = {"source": "file", "path": "table.csv", "targets": ["y"], "features": None, "fractions": fractions}
    block |= {"split_seed": 0, "standardise": True}
    own = {"activation": "relu", "depth": 1, "width": 5, "steps": steps, "replicates": replicates}
    own |= {"learning_rate": [round(0.01 * 1.2**i, 5) for i in range(RATES)]}
    params = {"seed": 1, "dtype": "float64", "data": block, "tracking": {"granularity": "cell"}, "sweeps": {NAME: own}}
    (folder / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    data.run(paths)
    return paths


def peak() -> int:
    """Bytes that this process has had at most (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def measured(name: str, n: int, stage: Callable[[], object]) -> None:
    """Run a stage and print what it took, also a network."""
    before, every, main, began = peak(), time.process_time(), time.thread_time(), time.perf_counter()
    stage()
    wall, every, main = time.perf_counter() - began, time.process_time() - every, time.thread_time() - main
    grown = peak() - before
    print(f"{name}: {wall:.2f} s; main thread {main:.2f} s ({main / n * 1e6:.1f} us a network), others "
          f"{every - main:.2f} s, memory + {grown / 1e6:.0f} MB ({grown / n:.0f} B a network), "
          f"{peak() / 1e9:.2f} GB in all")  # fmt: skip


def main(networks: int = 20_000, steps: int = 200) -> None:
    """Measure the sweep, the same again with all networks known, and the evaluation."""
    with tempfile.TemporaryDirectory() as folder:
        sweep.run(study(Path(folder) / "warm", 1, steps), NAME)
        paths = study(Path(folder) / "study", networks // RATES, steps)
        measured("sweep", networks, lambda: sweep.run(paths, NAME))
        measured("sweep, all known", networks, lambda: sweep.run(paths, NAME))
        measured("evaluate", networks, lambda: evaluate.run(paths))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
