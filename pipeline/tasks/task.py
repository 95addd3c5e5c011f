"""What a task is: the costs that can be trained and the errors that are reported, each with its formula and its names.

Result tables call them `cost` and `error` whatever the task (train_cost, test_error); what people read has their names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from shoal.pipeline.tasks.measure import InUnits

Hypers = tuple[tuple[str, float], ...]
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Cost:
    """What training makes small, as people read it: `name`, `formula`, and what that is in words.

    `loss` is what params.yaml and the engine call it; `relation` says in a sentence how it goes together with the first
    error, if it does. `in_units(costs, scale)` is the cost in the targets' own units (n,), from the costs per output
    (n, n_outputs) that networks of standardised targets record, where `scale` (n_outputs,) is that of the targets.
    `of_samples(y_hat, y, hypers)` is that of each output of each sample (n, n_outputs), in the units of both, with the
    loss' own numbers in these units as a specification has them (NetworkSpec.loss_hypers).
    """

    loss: str
    name: str
    formula: str
    definition: str
    in_units: Callable[[np.ndarray, np.ndarray], np.ndarray]
    of_samples: Callable[[np.ndarray, np.ndarray, Hypers], np.ndarray]
    relation: str = ""

    @property
    def metric(self) -> str:
        """What metrics call it, the value of the parameters that a network ends with."""
        return f"train_{self.name}"

    @property
    def validation(self) -> str:
        """What metrics call its curve over the validation split."""
        return f"validation_{self.name}"

    @property
    def label(self) -> str:
        """What tables, figures and sentences call it."""
        return f"train {self.name}"


@dataclass(frozen=True)
class Error:
    """An error that evaluation reports, as people read it: `name`, `formula`, what that is in words, and its unit.

    `column` is the ending of its columns in result tables; `note` says what has to be known where it decides, `over`
    what it is a mean over, `judged` the split that cells are compared on: that of folds, which together have more rows
    than are tested on, is validation.
    `measure(y_hat, y, scale)` is its value (...,) for y_hat (..., n, n_outputs) and y (n, n_outputs) in the targets'
    own units, where `scale` (n_outputs,) is what the errors of each target are divided by where they are weighed
    against each other.
    """

    name: str
    column: str
    formula: str
    definition: str
    unit: str
    measure: Callable[[np.ndarray, np.ndarray, np.ndarray], Any]
    note: str = ""
    over: str = "samples and outputs"
    judged: str = "test"

    def of(self, split: str) -> str:
        """Its column for a split, in tables of networks; those of cells have the ranks of it."""
        return f"{split}_{self.column}"

    def metric(self, split: str) -> str:
        """What metrics, chosen.json and files of figures call it."""
        return f"{split}_{self.name}"

    def label(self, split: str) -> str:
        """What tables, figures and sentences call it."""
        return f"{split} {self.name}"

    @property
    def columns(self) -> list[str]:
        """Its columns for the three splits."""
        return [self.of(split) for split in SPLITS]

    @property
    def log10(self) -> str:
        """The column of log10 of the error on the split judged, which intervals and tests are made of."""
        return f"log10_{self.of(self.judged)}"

    @property
    def log10_metric(self) -> str:
        """What metrics call that."""
        return f"log10_{self.metric(self.judged)}"

    @property
    def interval_columns(self) -> dict[str, str]:
        """Columns of cells.parquet: the interquartile mean of log10, and the ends of its 95 % interval.

        The ends are null for fewer than 10 replicates.
        """
        return {f"{self.log10}_{name}": "Float64" for name in ("iqm", "iqm_low", "iqm_high")}


@dataclass(frozen=True)
class Task:
    """What networks are trained for: `costs` are those that they can be trained on.

    `targets` says in words what targets have to be. The first of the errors is always reported, those behind it where
    there are several targets; the last one reported decides: it chooses networks, ranks cells and is what tests
    compare. `in_units` is what else is said of a target.
    """

    name: str
    costs: tuple[Cost, ...]
    errors: tuple[Error, ...]
    targets: str
    in_units: InUnits

    def trained_on(self, loss: str) -> Cost:
        """The cost that networks of this loss are trained on."""
        return next(cost for cost in self.costs if cost.loss == loss)

    @property
    def error(self) -> Error:
        """The error that is always reported; result tables have its name in the column `error`."""
        return self.errors[0]

    def reported(self, n_outputs: int) -> tuple[Error, ...]:
        """The errors that are reported of so many targets."""
        return self.errors if n_outputs > 1 else self.errors[:1]
