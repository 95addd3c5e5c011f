"""A program: a Dask cluster of this machine's own, for as long as its input is open; prints the scheduler's address.

It is a process apart, and imports nothing of shoal: Ctrl-C does not meet it, and it ends with the sweep it is for,
however that ends.
"""

from __future__ import annotations

import os
import shutil
import sys

from dask import config
from distributed import LocalCluster

HOST = "127.0.0.1"

if __name__ == "__main__":
    folder, n_workers, n_threads = sys.argv[1:]
    config.set({"temporary-directory": folder})
    cluster = LocalCluster(
        n_workers=int(n_workers),
        threads_per_worker=int(n_threads),
        host=HOST,
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": f"{HOST}:0"},  # of its other pages, which cannot be left out
    )
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # workers see it, and end too
