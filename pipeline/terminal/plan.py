"""`shoal plan`: what training takes and how long, sweep by sweep, before anything runs."""

from __future__ import annotations

import numba

from shoal.pipeline import progress
from shoal.pipeline.config import Config
from shoal.pipeline.data import Dataset
from shoal.pipeline.paths import Paths
from shoal.pipeline.store.entries import Store, folder_of
from shoal.pipeline.study import ahead
from shoal.pipeline.study.ahead import Ahead
from shoal.pipeline.study.plan import amount, duration, size
from shoal.pipeline.terminal.tables import TextColumn, print_table, terminal

SUM = "together"
LEGEND = (
    "operations, time: of the networks to train, all their steps; memory, disk: of all. Time is that of training on "
    "{threads} with nothing else running, by a calibration on this machine."
)


def plan(paths: Paths, config: Config, dataset: Dataset) -> None:
    """Print a row a sweep and their sum, of a configuration without a fault."""
    rows = ahead.of_study(config, dataset, Store(folder_of(paths)), progress.note)
    rows |= {SUM: sum(rows.values(), Ahead())} if len(rows) > 1 else {}
    every, console = list(rows.values()), terminal()
    columns = [
        TextColumn("sweep", list(rows), is_text=True),
        TextColumn("networks", [amount(row.networks) for row in every]),
        TextColumn("known", [amount(row.known) for row in every], rank=1),
        TextColumn("to train", [amount(row.to_train) for row in every]),
        TextColumn("operations", [amount(row.operations) for row in every], rank=2),
        TextColumn("time", [duration(row.seconds) if row.to_train else "-" for row in every]),
        TextColumn("memory", [size(row.memory) for row in every], rank=3),
        TextColumn("disk", [size(row.disk) for row in every], rank=4),
    ]
    print_table(console, "", columns)
    n = numba.config.NUMBA_NUM_THREADS
    threads = f"{n} thread{'s' if n != 1 else ''}"
    console.print(LEGEND.format(threads=threads), highlight=False, markup=False)
