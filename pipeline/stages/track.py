"""Stage `track`: every result -> MLflow, and a receipt of what is there."""

from __future__ import annotations

from typing import Any

from shoal.pipeline import config, progress, store, tracking
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import _stage


def run(paths: Paths) -> dict[str, Any]:
    """Track all sweeps and write tracking/receipt.json; returns the number of runs for the log."""
    settings = config.load(paths)
    store.refuse_unwritable(paths.receipt)
    with progress.bar("track") as advance:
        wanted = settings.tracking
        receipt = tracking.track(paths, list(settings.sweeps), advance, wanted.granularity, wanted.experiment)
    store.write_json(paths.receipt, receipt)
    return {"runs": sum(len(sweep["runs"]) for sweep in receipt["sweeps"].values())}


if __name__ == "__main__":
    _stage.main("track", run)
