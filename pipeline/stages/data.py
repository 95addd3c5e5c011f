"""Stage `data`: params.yaml and the user's table -> data/*.parquet and data/data.json."""

from __future__ import annotations

import sys

from shoal.pipeline import config, data
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import made_from, receipts
from shoal.pipeline.stages import _stage


@receipts.kept(made_from.data)
def run(paths: Paths) -> None:
    """Build the configured dataset and write it; raises ConfigError, and writes nothing, where the input is bad.

    What looks wrong with the user's table is told on the terminal.
    """
    dataset = data.build(config.load(paths), paths)
    for notice in dataset.notices:
        print(notice, file=sys.stderr)
    data.save(dataset, paths)


if __name__ == "__main__":
    _stage.main("data", run)
