"""What a sweep has come to so far: the best validation error, and how many networks diverged."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from shoal.kernels.ensemble import NetworkSpec, Results
from shoal.pipeline.data import Dataset
from shoal.pipeline.numbers import number
from shoal.pipeline.predictor import Fitted

SHARE = 0.01
"""Of the time of training, which may be spent on it."""


class SoFar:
    """Networks are looked at by their cost, the smallest first, for as long as there is time: one at least."""

    def __init__(self, dataset: Dataset) -> None:
        self._parts, self._scale = dataset.parts, dataset.error_scale
        self._error, self._headline = dataset.task.reported(dataset.n_outputs)[-1], dataset.task.in_units
        self._is_one = len(dataset.target_names) == 1
        self.best, self.n_diverged = np.inf, 0

    def add(self, groups: Sequence[tuple[int, NetworkSpec, Results]], seconds: float) -> None:
        """Networks that took so many seconds together, each group with the number of the part it was trained on."""
        end = time.perf_counter() + SHARE * seconds
        places = [(which, i) for which, (*_, results) in enumerate(groups) for i in range(len(results))]
        costs = np.concatenate([np.zeros(0), *(_costs(results) for *_, results in groups)])
        self.n_diverged += int(np.isnan(costs).sum())
        for at in np.argsort(costs)[: np.isfinite(costs).sum()]:
            which, i = places[at]
            part, spec, results = groups[which]
            self._look_at(self._parts[part], spec, results.params[i])
            if time.perf_counter() > end:
                return

    def _look_at(self, part: Dataset, spec: NetworkSpec, params: np.ndarray) -> None:
        predictor = part.mean_of([(0, Fitted(spec.architecture, params))])
        with np.errstate(over="ignore", invalid="ignore"):
            y_hat = predictor.predict(part.validation.x)
            self.best = min(self.best, self._error.measure(y_hat, part.validation.y, self._scale))

    def __str__(self) -> str:
        said = []
        if np.isfinite(self.best):
            name, value = self._error.name, self.best
            if self._is_one:
                name, value = self._headline.headline.name, float(self._headline.headline_of(np.array(value)))
            said.append(f"best {name} {number(value)}")
        if self.n_diverged:
            said.append(f"{self.n_diverged} diverged")
        return ", ".join(said)


def _costs(results: Results) -> np.ndarray:
    """What is known of each network (n,) without another pass: its smallest validation cost, or the last of its costs;
    NaN of one that diverged."""
    ends, costs = results.n_recorded - 1, np.full(len(results), np.inf)
    if results.validation_costs is not None and results.validation_costs.shape[1]:
        own = np.arange(results.validation_costs.shape[1]) < np.asarray(results.n_validated)[:, np.newaxis]
        totals = results.validation_costs.sum(axis=2)
        costs = np.where(own & np.isfinite(totals), totals, np.inf).min(axis=1)
    elif results.costs.shape[1]:
        costs = np.where(ends < 0, np.inf, results.costs[np.arange(len(results)), np.maximum(ends, 0)].sum(axis=1))
    return np.where(results.diverged_step < 0, costs, np.nan)
