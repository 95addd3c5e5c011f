"""All that the report is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from shoal.pipeline.config import Config
from shoal.pipeline.data import Dataset
from shoal.pipeline.report.assignment import is_assignment
from shoal.pipeline.report.reproduction import Origin
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.tasks import Error, Task


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
    def error(self) -> Error:
        """The error that decides."""
        return self.sweeps[0].error

    @property
    def is_assignment(self) -> bool:
        """Whether the assignment's words belong into its report."""
        return is_assignment(self.config)
