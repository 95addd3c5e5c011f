"""All that the report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from shoal.pipeline import baselines, store
from shoal.pipeline.config import Config
from shoal.pipeline.data import Dataset
from shoal.pipeline.paths import Paths
from shoal.pipeline.predictor import Fitted, Predictor
from shoal.pipeline.provenance.hashes import read_params
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.tasks import SPLITS, Cost, Error, Task

CHOSEN, ENSEMBLE = "chosen network", "ensemble"
"""What it is called beside the baselines."""


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
    def baselines(self) -> pd.DataFrame | None:
        """The table of baselines.parquet, where results stand beside it."""
        return self.sweeps[0].baselines

    @cached_property
    def y_hats(self) -> dict[str, dict[str, np.ndarray]]:
        """What answers and each of the baselines predict of each split, (n, n_outputs), by their names.

        Of none where nothing was chosen.
        """
        if self.chosen is None:
            return {}
        predictor = self._predictor()
        found = {self.answering: {name: self.dataset.predicted(predictor, name) for name in SPLITS}}
        return found | {name: baseline.y_hats for name, baseline in baselines.predicted(self.dataset).items()}

    @property
    def answering(self) -> str:
        """What answers, as sentences call it."""
        return ENSEMBLE if self.chosen and "ensemble" in self.chosen else CHOSEN

    def _predictor(self) -> Predictor:
        """What answers, in the user's units."""
        members, fitted = store.answering(self.chosen or {}), dict[str, tuple[str, np.ndarray]]()
        for results in self.sweeps:
            fitted |= results.fitted([row["network_id"] for row in members if row["sweep"] == results.name])
        return self.dataset.mean_of([(row["replicate"], Fitted.of(*fitted[row["network_id"]])) for row in members])

    @property
    def is_assignment(self) -> bool:
        """Whether the assignment's words belong into its report."""
        return bool(self.config.report.parts)
