"""One process of a peer: prepares on its own cores, then trains each time it is told to.

Called as  python -m bench.worker PEER WORKLOAD DTYPE THREADS CPUS INDICES  with numbers separated by commas. It says
when it is ready, and then answers every line on its standard input with a line: the final costs, as JSON.
"""

from __future__ import annotations

import json
import os
import sys

from bench.peers import load
from bench.workloads import WORKLOADS


def main() -> None:
    """Prepare, and serve."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes elsewhere
    name, workload_name, dtype, n_threads, cpus, indices = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(cpu) for cpu in cpus.split(",")})
    peer, workload = load(name), WORKLOADS[workload_name]
    if peer is None:
        raise SystemExit(f"{name}: not installed")
    specs = [workload.specs[int(i)] for i in indices.split(",")]
    answers.write("ready\n")
    answers.flush()
    train = None
    for _ in sys.stdin:
        if train is None:
            train = peer.prepare(workload, specs, dtype, int(n_threads))
        answers.write(json.dumps([float(cost) for cost in train()]) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
