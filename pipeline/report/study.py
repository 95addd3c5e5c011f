"""All that the report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from shoal.pipeline import store
from shoal.pipeline.config import Config
from shoal.pipeline.data import Dataset
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance.hashes import read_params
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.tasks import Cost, Error, Task


@dataclass(frozen=True)
class Origin:
    """Parameters as written, and the hash of each sweep's runs.parquet."""

    params: dict[str, Any]
    results: dict[str, str]


def origin(paths: Paths, sweeps: Sequence[str]) -> Origin:
    """Read where the results of these sweeps come from."""
    return Origin(read_params(paths), {name: store.file_hash(paths.runs(name)) for name in sweeps})


@dataclass(frozen=True, eq=False)
class Study:
    """`checks` is the table of the gradient check, `chosen` is predictions/chosen.json: None if all diverged."""

    config: Config
    dataset: Dataset
    sweeps: list[SweepResults]
    checks: pd.DataFrame
    chosen: dict[str, Any] | None
    origin: Origin

    @property
    def task(self) -> Task:
        """What networks are trained for."""
        return self.sweeps[0].task

    @property
    def costs(self) -> dict[Cost, list[str]]:
        """The costs that networks are trained on, and the sweeps whose networks are."""
        found: dict[Cost, list[str]] = {}
        for results in self.sweeps:
            for cost in results.costs:
                found.setdefault(cost, []).append(results.name)
        return found

    @property
    def error(self) -> Error:
        """The error that decides."""
        return self.sweeps[0].error

    @property
    def is_assignment(self) -> bool:
        """Whether the assignment's words belong into its report."""
        return bool(self.config.report.parts)
