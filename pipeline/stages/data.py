"""Stage `data`: params.yaml and the user's table -> data/*.parquet, data/data.json and data/study.json.

And version/*.txt, what the other stages depend on beside files (`shoal.pipeline.provenance.versions`).
"""

from __future__ import annotations

import sys

from shoal.pipeline import config, data, store
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import made_from, receipts, versions
from shoal.pipeline.stages import _stage


def run(paths: Paths) -> None:
    """Build the configured dataset and write it; raises ConfigError, and writes nothing, where the input is bad.

    What looks wrong with the user's table is told on the terminal.
    """
    _build(paths)
    versions.write(paths)  # last, and of what is there now: DVC looks at it when this has ended, and records that


@receipts.kept(made_from.data)
def _build(paths: Paths) -> None:
    settings = config.load(paths)
    store.refuse_unwritable(paths.study, *map(paths.version, versions.STAGES))
    dataset = data.build(settings, paths)
    for notice in dataset.notices:
        print(notice, file=sys.stderr)
    data.save(dataset, paths)
    handed_on = settings.model_dump(include={"report", "choose", "interval"})
    store.write_sealed_json(paths.study, handed_on)


if __name__ == "__main__":
    _stage.main("data", run)
