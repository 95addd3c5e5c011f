"""What is said of the predictions of one target alone, in its own units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Values = Callable[[np.ndarray, np.ndarray], np.ndarray]
Value = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Measure:
    """A number on the predictions of one target, as people read it: `name`, `formula`, and what that is in words.

    `column` is the ending of its columns in result tables; `unit` what it is counted in, empty for a bare number.
    `measure(y_hat, y)` is its value for the columns (n, k) of that target, in its own units; it may be undefined: NaN.
    `n_outputs` is the number k that it is for, None for any.
    """

    name: str
    column: str
    formula: str
    definition: str
    unit: str
    measure: Value
    n_outputs: int | None = None

    def of(self, split: str) -> str:
        """Its column for a split."""
        return f"{split}_{self.column}"

    def label(self, split: str) -> str:
        """What tables call it."""
        return f"{split} {self.name}"


@dataclass(frozen=True)
class InUnits:
    """How far off the predictions of a task are, target by target, in units that people think in.

    `measures` are what is said of a target; the first of them is the headline, and smaller is better of it.
    `of_rows(y_hat, y)` is the error of each row alone, (n,): `headline_of` makes the headline of the mean of it, which
    is the error of the task where that target is the only one. `claim` says it of a {target} and its {value};
    `baselines` are the names of what networks stand beside. Where `is_beside`, every network has the measures behind
    the headline beside its error.
    """

    measures: tuple[Measure, ...]
    of_rows: Values
    headline_of: Callable[[np.ndarray], np.ndarray]
    claim: str
    baselines: tuple[str, ...]
    is_beside: bool = False

    def defined(self, n_outputs: int) -> list[Measure]:
        """The measures that are for a target of so many outputs."""
        return [measure for measure in self.measures if measure.n_outputs in (None, n_outputs)]

    def beside(self, n_outputs: int) -> list[Measure]:
        """What networks with so many outputs have beside their error."""
        return self.defined(n_outputs)[1:] if self.is_beside else []

    @property
    def headline(self) -> Measure:
        """What a target's predictions are summed up by."""
        return self.measures[0]
